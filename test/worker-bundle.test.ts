// Owns what a Worker's bundle may be: its size, and that nothing of Node is in it but what a compatibility flag gives.
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";

const WRANGLER = join(import.meta.dirname, "../node_modules/wrangler/bin/wrangler.js");

/** Bytes of the minified bundle, as it is and compressed. */
const MAX_BYTES = 300_000;
const MAX_GZIP_BYTES = 100_000;

test("the Worker's bundle is small, and holds nothing of Node", async () => {
  const outdir = await mkdtemp(join(tmpdir(), "tenantry-bundle-"));
  onTestFinished(() => rm(outdir, { recursive: true }));
  await promisify(execFile)(
    process.execPath,
    [WRANGLER, "deploy", "--config", "wrangler.toml", "--dry-run", "--outdir", outdir],
    { cwd: join(import.meta.dirname, ".."), env: { ...process.env, WRANGLER_SEND_METRICS: "false" } },
  );
  const bundle = await readFile(join(outdir, "main.js"));
  expect(bundle.length).toBeLessThan(MAX_BYTES);
  expect(gzipSync(bundle).length).toBeLessThan(MAX_GZIP_BYTES);

  // What is left of imports and requires is the runtime's to give.
  const text = bundle.toString();
  const imported = [...text.matchAll(/\b(?:from|import|require)\s*\(?\s*"([\w:@.][^"\s]*)"/g)].map(
    ([, name]) => name,
  );
  const beside = imported.filter((name) => !/^\.\/[0-9a-f]+-\d{4}_\w+\.sql$/.test(name ?? ""));
  expect([...new Set(beside)].sort()).toEqual(["cloudflare:workers", "node:async_hooks"]);
});

test("the Worker has every migration of the folder", async () => {
  const folder = join(import.meta.dirname, "..");
  const names = (await readdir(join(folder, "migrations")))
    .filter((name) => name.endsWith(".sql"))
    .toSorted();
  const text = await readFile(join(folder, "worker/migrations.ts"), "utf8");
  expect([...text.matchAll(/name: "([^"]+)"/g)].map(([, name]) => name)).toEqual(names);
  expect([...text.matchAll(/from "\.\.\/migrations\/([^"]+)"/g)].map(([, name]) => name)).toEqual(names);
});
