// Owns that no executor outlives its pool: also one that is being started when the pool is closed.
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";

const entry = pathToFileURL(join(import.meta.dirname, "../src/tenantry.ts")).href;

/** Kills the only executor of a new data folder, and closes while its successor is on its way. */
const PROGRAM = `
  import { createTenantry } from "${entry}";
  const tenantry = await createTenantry({ data: process.argv[2] });
  const ended = Promise.withResolvers();
  const pool = tenantry.executors({ executors: 1, onEvent: () => ended.resolve() });
  await pool.start();
  process.kill(pool.stats().executors[0].pid, "SIGKILL");
  await ended.promise;
  await tenantry.close();
  console.log("closed");
`;

test("closing ends the executor that replaces a killed one, so that the process can end", async () => {
  const data = await mkdtemp(join(tmpdir(), "tenantry-"));
  onTestFinished(() => rm(data, { recursive: true }));
  const file = join(data, "program.mjs");
  await writeFile(file, PROGRAM);
  // Killed, and so rejected, when it has not ended by itself in that time.
  const options = { timeout: 20_000 };
  const { stdout } = await promisify(execFile)(process.execPath, [file, join(data, "new")], options);
  expect(stdout).toBe("closed\n");
});
