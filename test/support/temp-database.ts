// Owns database files of their own for tests of the local driver, without a catalog.
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type LocalDriverOptions, localDriver } from "../../src/drivers/local/local-driver.ts";
import type { LocalHandle } from "../../src/drivers/local/local-handle.ts";
import { tempFolder } from "./temp-folder.ts";

/** A file with an empty table `t (id INTEGER PRIMARY KEY, v)`, open. */
export async function tempDatabase(options: Partial<LocalDriverOptions> = {}): Promise<LocalHandle> {
  const dir = await tempFolder();
  const handle = await localDriver({ dir, ...options }).openFile(join(dir, "file.db"), { create: true });
  onTestFinished(() => handle.close());
  await handle.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v)");
  return handle;
}

/** The values `v` in the order of their rows. */
export async function valuesOf(handle: Pick<LocalHandle, "run">): Promise<unknown[]> {
  const { rows } = await handle.run({ sql: "SELECT v FROM t ORDER BY id", params: [] }, { rows: "arrays" });
  return (rows as unknown[][]).map(([v]) => v);
}

/** A statement that adds a value. */
export function insert(v: unknown): { sql: string; params: unknown[] } {
  return { sql: "INSERT INTO t (v) VALUES (?)", params: [v] };
}
