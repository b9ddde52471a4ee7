// Owns journalling migrations that a database has already, without running them.
// Does not check that the schema is really the one those files would have made.
import type { Handle } from "../drivers/driver.ts";
import { TenantryError } from "../tenantry-error.ts";
import { ensureJournal, fillChecksum, journalRow, readJournal } from "./journal.ts";
import type { MigrationSet } from "./migration-set.ts";

/**
 * Journals the files of `set` up to and including `upTo` as applied, in one transaction: for a database that
 * had its schema before it had a journal, such as an imported one.
 *
 * @param upTo the name of a file of the set. All of them when left out.
 * @returns the names that were not journalled before.
 * @throws {TenantryError} `INVALID_ARGUMENT` when the set has no file `upTo`.
 */
export async function baseline(handle: Handle, set: MigrationSet, upTo?: string): Promise<string[]> {
  const last = upTo === undefined ? -1 : set.migrations.findIndex(({ name }) => name === upTo);
  if (upTo !== undefined && last < 0) {
    throw new TenantryError("INVALID_ARGUMENT", `There is no migration ${JSON.stringify(upTo)}.`, {
      hint: `The last one is ${JSON.stringify(set.version)}.`,
    });
  }
  const chosen = upTo === undefined ? set.migrations : set.migrations.slice(0, last + 1);
  if (chosen.length === 0) return [];
  const journal = await readJournal(handle);
  await ensureJournal(handle, journal);
  await handle.batch(chosen.flatMap((migration) => [journalRow(migration), fillChecksum(migration)]));
  return chosen.map(({ name }) => name).filter((name) => !journal.entries.has(name));
}
