// Owns that one process at a time replicates a data folder.
// Does not know who replicates to the same place from another folder: replica-owner.ts does.
import { join } from "node:path";
import Database from "better-sqlite3";
import { makeFolder } from "../drivers/local/database-file.ts";
import { isBusy } from "../drivers/local/sqlite-error.ts";
import { TenantryError } from "../tenantry-error.ts";

/**
 * Takes the lock of a data folder: SQLite's own lock on an empty file, which the system takes away with the
 * process that held it. @throws {TenantryError} `REPLICA_TAKEN`
 */
export async function lockFolder(dir: string): Promise<Disposable> {
  const folder = join(dir, "locks");
  await makeFolder(folder);
  const sqlite = new Database(join(folder, "_replication.lock"), { timeout: 0 });
  try {
    sqlite.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    sqlite.close();
    if (!isBusy(error)) throw error;
    throw new TenantryError("REPLICA_TAKEN", `Another server replicates ${dir} already.`, {
      hint: "One server of a data folder replicates it. Start this one without --replica.",
      cause: error,
    });
  }
  return { [Symbol.dispose]: () => void sqlite.close() };
}
