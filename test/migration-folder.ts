// Owns what the tests of migrations share: folders written from an object, and a database in such a folder.
import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { localDriver } from "../src/drivers/local/local-driver.ts";
import type { LocalHandle } from "../src/drivers/local/local-handle.ts";

/** A new folder that is gone after the test, with the files of `files` by relative path. */
export async function folderOf(files: Record<string, string | Uint8Array> = {}): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "tenantry-migrations-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, path)), { recursive: true });
    await writeFile(join(dir, path), content);
  }
  return dir;
}

/** Opens the database at `path`, by default a new one, until the test is over. */
export async function openDatabase(path?: string): Promise<LocalHandle> {
  const file = path ?? join(await folderOf(), "test.db");
  const handle = await localDriver({ dir: dirname(file) }).openFile(file, { create: path === undefined });
  onTestFinished(() => handle.close());
  return handle;
}

/** The rows of a query, as objects. */
export async function rowsOf(
  handle: LocalHandle,
  sql: string,
  ...params: unknown[]
): Promise<Record<string, unknown>[]> {
  return (await handle.run({ sql, params })).rows as Record<string, unknown>[];
}

/** The one value of a query's one row. */
export async function valueOf(handle: LocalHandle, sql: string, ...params: unknown[]): Promise<unknown> {
  return Object.values((await rowsOf(handle, sql, ...params))[0] ?? {})[0];
}
