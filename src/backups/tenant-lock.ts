// Owns that one process at a time replaces a tenant's file, and that whoever comes after a killed one can tell.
// Does not replace anything.
import { join } from "node:path";
import Database from "better-sqlite3";
import { makeFolder } from "../drivers/local/database-file.ts";
import { isBusy } from "../drivers/local/sqlite-error.ts";
import type { TenantId } from "../tenant-id.ts";

/** A lock that its process holds, and that ends with it. */
export interface TenantLock extends Disposable {
  readonly tenant: TenantId;
}

/**
 * The lock of a tenant; undefined where another process, or this one, has it. It is SQLite's own lock on an
 * empty file, which the system takes away with the process that held it.
 * @param dir the data folder
 */
export async function lockTenant(dir: string, tenant: TenantId): Promise<TenantLock | undefined> {
  const folder = join(dir, "locks");
  await makeFolder(folder);
  const sqlite = new Database(join(folder, `${tenant}.lock`), { timeout: 0 });
  try {
    sqlite.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    sqlite.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
  return { tenant, [Symbol.dispose]: () => void sqlite.close() };
}
