// Owns that a checkout's `npm ci` never fails for want of Litestream, and that packing fetches nothing.
// The network is not used: there is no Python here that could.
import { execFile } from "node:child_process";
import { cp, readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { tempFolder } from "./support/temp-folder.ts";

const run = promisify(execFile);
const SCRIPTS = join(import.meta.dirname, "../scripts");

async function install(
  env: Record<string, string>,
): Promise<{ readonly stdout: string; readonly dir: string }> {
  const dir = await tempFolder();
  await cp(SCRIPTS, join(dir, "scripts"), { recursive: true });
  const program = join(dir, "scripts", "install-litestream.mjs");
  return { ...(await run(process.execPath, [program], { env })), dir };
}

test("without Python it is one line, and no failure", async () => {
  const { stdout, dir } = await install({ PATH: "/nowhere" });
  expect(stdout).toMatch(/^Backups stay off: Litestream [\d.]+ could not be installed \(.*\)\.\n$/);
  expect(await readdir(join(dir, ".tools"))).toEqual([]);
});

test("packing fetches nothing", async () => {
  const { stdout, dir } = await install({ PATH: "/nowhere", npm_command: "pack" });
  expect(stdout).toBe("");
  expect(await readdir(dir)).toEqual(["scripts"]);
});
