// Owns the comparison of a database's journal with a set of migrations.
// Reads only; migrate-database.ts acts on what is found here.
import type { SqlRunner } from "../drivers/driver.ts";
import { readJournal } from "./journal.ts";
import type { Journal } from "./journal.ts";
import type { Migration, MigrationSet } from "./migration-set.ts";

/**
 * - `applied`: journalled, and the file is the one that ran (or wrangler ran it and nobody knows its checksum);
 * - `pending`: not journalled;
 * - `drifted`: journalled, and the file has changed since;
 * - `missing`: journalled, and there is no such file.
 */
export type MigrationState = "applied" | "pending" | "drifted" | "missing";

/** One migration as one database has it. */
export interface MigrationStatus {
  readonly name: string;
  readonly state: MigrationState;
  /** `2026-01-31 12:34:56` in UTC; `null` for a pending one. */
  readonly appliedAt: string | null;
}

/** What a journal and a set have to do with each other. */
export interface JournalComparison {
  /** In the order in which they are applied, also where an applied one comes after. */
  readonly pending: readonly Migration[];
  readonly drifted: readonly string[];
  readonly missing: readonly string[];
  /** Journalled without a checksum. */
  readonly unchecked: readonly Migration[];
}

/**
 * The state of every migration in one database: those of the set in their order, then the missing ones in the
 * order in which they were applied.
 *
 * @throws {TenantryError} whatever `run` throws.
 */
export async function migrationStatus(runner: SqlRunner, set: MigrationSet): Promise<MigrationStatus[]> {
  const journal = await readJournal(runner);
  const { drifted, missing } = compareJournal(journal, set);
  const ofSet = set.migrations.map(({ name }): MigrationStatus => {
    const entry = journal.entries.get(name);
    if (entry === undefined) return { name, state: "pending", appliedAt: null };
    return { name, state: drifted.includes(name) ? "drifted" : "applied", appliedAt: entry.appliedAt };
  });
  const gone = missing.map((name): MigrationStatus => {
    return { name, state: "missing", appliedAt: journal.entries.get(name)?.appliedAt ?? null };
  });
  return [...ofSet, ...gone];
}

/** Compares a journal with a set. */
export function compareJournal(journal: Journal, set: MigrationSet): JournalComparison {
  const pending: Migration[] = [];
  const drifted: string[] = [];
  const unchecked: Migration[] = [];
  for (const migration of set.migrations) {
    const entry = journal.entries.get(migration.name);
    if (entry === undefined) pending.push(migration);
    else if (entry.checksum === null) unchecked.push(migration);
    else if (entry.checksum !== migration.checksum) drifted.push(migration.name);
  }
  const missing: string[] = [];
  // Only where the journal has more rows than were matched is there a name to look for.
  if (journal.entries.size > set.migrations.length - pending.length) {
    const names = new Set(set.migrations.map(({ name }) => name));
    for (const name of journal.entries.keys()) if (!names.has(name)) missing.push(name);
  }
  return { pending, drifted, missing, unchecked };
}
