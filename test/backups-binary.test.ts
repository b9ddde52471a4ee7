// Owns which Litestream is taken: where it is looked for, in what order, and that an old one is refused.
// Its programs are scripts that say a version.
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findLitestream } from "../src/backups/litestream-binary.ts";
import { runLitestream } from "../src/backups/litestream-command.ts";

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "tenantry-litestream-"));
});
afterAll(() => rm(dir, { recursive: true }));

async function program(folder: string, says: string): Promise<string> {
  await mkdir(join(dir, folder), { recursive: true });
  const path = join(dir, folder, "litestream");
  await writeFile(path, `#!/bin/sh\n${says}\n`);
  await chmod(path, 0o755);
  return path;
}

test("the named one comes first, then PATH, then the checkout's own", async () => {
  const named = await program("named", "echo v0.6.0");
  const onPath = await program("path", "echo 0.5.17");
  const own = await program("tools", "echo 0.5.18");
  const toolsDir = join(dir, "tools");
  const PATH = [join(dir, "nothing"), join(dir, "path")].join(delimiter);
  expect(await findLitestream({ env: { LITESTREAM_BIN: named, PATH }, toolsDir })).toEqual({
    path: named,
    version: "0.6.0",
  });
  expect(await findLitestream({ env: { PATH }, toolsDir })).toEqual({ path: onPath, version: "0.5.17" });
  expect(await findLitestream({ env: { PATH: "" }, toolsDir })).toEqual({ path: own, version: "0.5.18" });
});

test("one that is too old is passed over, and named where there is no other", async () => {
  const old = await program("old", "echo 0.5.16");
  const own = await program("newer", "echo 1.0.0");
  const env = { PATH: join(dir, "old") };
  expect(await findLitestream({ env, toolsDir: join(dir, "newer") })).toMatchObject({ path: own });
  await expect(findLitestream({ env, toolsDir: join(dir, "none") })).rejects.toMatchObject({
    code: "BACKUPS_UNAVAILABLE",
    message: expect.stringContaining(`${old} is 0.5.16`),
  });
});

test("what is named is taken or refused: nothing else is looked for", async () => {
  const broken = await program("broken", "exit 1");
  const toolsDir = join(dir, "tools");
  for (const LITESTREAM_BIN of [broken, join(dir, "not-there")]) {
    await expect(findLitestream({ env: { LITESTREAM_BIN, PATH: "" }, toolsDir })).rejects.toMatchObject({
      code: "BACKUPS_UNAVAILABLE",
      message: expect.stringContaining(LITESTREAM_BIN),
      hint: expect.stringContaining("LITESTREAM_BIN"),
    });
  }
});

test("what it logs among its answer, as it does where it warns of an sftp host's key, is no part of that", async () => {
  const path = await program(
    "talks",
    `echo 'time=2026-11-22T08:56:55.643Z level=WARN msg="sftp host key not verified" host=127.0.0.1:22'
echo '['
echo '  {"level": 0}'
echo 'time=2026-11-22T08:56:56.643Z level=WARN msg="[again"'
echo ']'`,
  );
  expect(JSON.parse(await runLitestream({ path, version: "0.5.17" }, ["ltx"]))).toEqual([{ level: 0 }]);
});

test("a password is not among its arguments, and in a file of one's own for as long as it runs", async () => {
  const path = await program(
    "shows",
    `printf '%s\\n' "$@"
[ "$2" != -config ] || { stat -c %a "$3"; cat "$3"; }`,
  );
  const binary = { path, version: "0.5.17" };
  const plain = await runLitestream(binary, ["ltx", "-json", "s3://bucket/path?region=x"]);
  expect(plain).toBe("ltx\n-json\ns3://bucket/path?region=x\n");
  const url = "sftp://m%40e:s3$HOME-cr%2Fet@host:22/path/of/it";
  const shown = await runLitestream(binary, ["restore", "-o", "out.db", url]);
  const [command, flag, config, ...rest] = shown.trimEnd().split("\n");
  expect([command, flag, ...rest]).toEqual([
    "restore",
    "-config",
    "-no-expand-env",
    "-o",
    "out.db",
    join(config ?? "", "../replica"),
    "600",
    JSON.stringify({
      dbs: [
        {
          path: join(config ?? "", "../replica"),
          replica: {
            type: "sftp",
            host: "host:22",
            user: "m@e",
            password: "s3$HOME-cr/et",
            path: "path/of/it",
          },
        },
      ],
    }),
  ]);
  await expect(stat(config ?? "")).rejects.toMatchObject({ code: "ENOENT" });
});
