// Owns bringing one database to the current schema, file by file, each in a transaction with its journal row.
// Does not choose databases, and does not decide what a failure means for a tenant.
import type { Handle } from "../drivers/driver.ts";
import { TenantryError } from "../tenantry-error.ts";
import { ensureJournal, fillChecksum, journalRow, journalled, readJournal } from "./journal.ts";
import { migrationFailed } from "./migration-failure.ts";
import { compareJournal } from "./migration-status.ts";
import type { JournalComparison } from "./migration-status.ts";
import type { Migration, MigrationSet } from "./migration-set.ts";

/** How {@link migrateDatabase} treats a history that is not the set's. */
export interface MigrateDatabaseOptions {
  /**
   * Refuse, before anything is applied, where an applied file has changed (`MIGRATION_DRIFTED`) or is gone
   * (`MIGRATION_MISSING`). For a person at a terminal; opening a tenant goes on and says so in the result.
   * @default false
   */
  readonly requireIntact?: boolean;
}

/** What {@link migrateDatabase} did and found. */
export interface MigrationResult {
  /** The files that this call applied, in order. Those that another process applied meanwhile are not among them. */
  readonly applied: readonly string[];
  /** Applied files whose text has changed since. */
  readonly drifted: readonly string[];
  /** Applied files that the set does not have: the database may be ahead of the set, as after a roll-back. */
  readonly missing: readonly string[];
  /** The set's version, which the database has now. */
  readonly version: string | null;
  /** The set's hash. */
  readonly hash: string;
}

/**
 * Applies what is pending. Where nothing is, this is one read and no write.
 *
 * A file that is older than an applied one is applied all the same, as wrangler does: it comes from a branch
 * that was merged later. Rows without a checksum, which wrangler wrote, get the checksum of today's file, once.
 * Several processes may do this to one database at the same time: each file runs once.
 *
 * @throws {TenantryError} `MIGRATION_FAILED` when SQLite refuses a statement of a file, or the driver the
 * file as a whole: nothing of that file remains, the files before it stay. `MIGRATION_DRIFTED` and
 * `MIGRATION_MISSING` with `requireIntact`. `DATABASE_*` and `CLOSED` as they come: they may pass, and are not
 * the file's fault.
 *
 * @example
 * const { applied } = await migrateDatabase(handle, await readMigrations("./migrations"));
 */
export async function migrateDatabase(
  handle: Handle,
  set: MigrationSet,
  { requireIntact = false }: MigrateDatabaseOptions = {},
): Promise<MigrationResult> {
  if (handle.migrate && !requireIntact) return (await handle.migrate(set)) as MigrationResult;
  const journal = await readJournal(handle);
  const compared = compareJournal(journal, set);
  const { pending, unchecked, drifted, missing } = compared;
  if (requireIntact) refuseBrokenHistory(compared);
  const applied: string[] = [];
  if (pending.length > 0 || unchecked.length > 0) {
    await ensureJournal(handle, journal);
    if (unchecked.length > 0) await handle.batch(unchecked.map(fillChecksum));
    for (const migration of pending) {
      if (await applyMigration(handle, migration)) applied.push(migration.name);
    }
  }
  return { applied, drifted, missing, version: set.version, hash: set.hash };
}

async function applyMigration(handle: Handle, migration: Migration): Promise<boolean> {
  const { sql, foreignKeys } = migration;
  try {
    return await handle.script({
      sql,
      after: [journalRow(migration)],
      unless: journalled(migration),
      ...(foreignKeys === undefined ? {} : { foreignKeys }),
    });
  } catch (error) {
    throw await migrationFailed(handle, migration, error);
  }
}

function refuseBrokenHistory({ drifted, missing }: JournalComparison): void {
  if (drifted.length > 0) {
    throw new TenantryError(
      "MIGRATION_DRIFTED",
      `Migrations have changed after they were applied: ${quoted(drifted)}.`,
      { hint: "Put back the text that was applied, and write the change as a new migration." },
    );
  }
  if (missing.length > 0) {
    throw new TenantryError("MIGRATION_MISSING", `Applied migrations have no file: ${quoted(missing)}.`, {
      hint: "Put the files back, or use the version of the application that has them.",
    });
  }
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}
