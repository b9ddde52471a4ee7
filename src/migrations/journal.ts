// Owns the journal: wrangler's own table `d1_migrations`, with a checksum beside each name.
// Does not know which migrations there should be.
import type { Handle, SqlRunner, Statement } from "../drivers/driver.ts";
import { isTenantryError } from "../tenantry-error.ts";
import type { Migration } from "./migration-set.ts";

/** The journal's table, wrangler's default; its other name would be `migrations_table` in wrangler.toml. */
export const JOURNAL_TABLE = "d1_migrations";

/** A row of the journal. */
export interface JournalEntry {
  readonly name: string;
  /** As SQLite's `CURRENT_TIMESTAMP` writes it: `2026-01-31 12:34:56`, in UTC. */
  readonly appliedAt: string;
  /** `null` where wrangler applied the file. */
  readonly checksum: string | null;
}

/** The journal of one database, as one read found it. */
export interface Journal {
  readonly entries: ReadonlyMap<string, JournalEntry>;
  /** `full`, `wrangler` (no column for the checksum yet), or `none` (no such table). */
  readonly table: "full" | "wrangler" | "none";
}

const CREATE = `CREATE TABLE ${JOURNAL_TABLE} (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  name       TEXT UNIQUE,
  applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL,
  checksum   TEXT
)`;
// Every column is asked for, because a table of wrangler's has no checksum and naming it would be an error.
const READ: Statement = { sql: `SELECT * FROM ${JOURNAL_TABLE} ORDER BY id`, params: [] };
const TABLE_EXISTS: Statement = {
  sql: "SELECT 1 FROM sqlite_master WHERE name = ?",
  params: [JOURNAL_TABLE],
};
const COLUMN_EXISTS: Statement = {
  sql: "SELECT 1 FROM pragma_table_info(?) WHERE name = 'checksum'",
  params: [JOURNAL_TABLE],
};

/**
 * Reads the journal: one statement where there is one, two where the table is missing.
 *
 * @throws {TenantryError} whatever `run` throws.
 */
export async function readJournal(runner: SqlRunner): Promise<Journal> {
  let found;
  try {
    found = await runner.run(READ, { rows: "arrays" });
  } catch (error) {
    if (!isTenantryError(error, "SQL_ERROR")) throw error;
    if ((await runner.run(TABLE_EXISTS)).rows.length === 0) return { entries: new Map(), table: "none" };
    // Either another process has made it in between, or the error was a real one and comes again.
    found = await runner.run(READ, { rows: "arrays" });
  }
  const nameAt = found.columns.indexOf("name");
  const appliedAt = found.columns.indexOf("applied_at");
  const checksumAt = found.columns.indexOf("checksum");
  const entries = new Map<string, JournalEntry>();
  for (const row of found.rows as unknown[][]) {
    const name = row[nameAt];
    // The column is nullable in wrangler's table; a row without a name says nothing about any file.
    if (typeof name !== "string") continue;
    const checksum = row[checksumAt];
    entries.set(name, {
      name,
      appliedAt: String(row[appliedAt]),
      checksum: typeof checksum === "string" ? checksum : null,
    });
  }
  return { entries, table: checksumAt >= 0 ? "full" : "wrangler" };
}

/** Makes the table, or adds the column to wrangler's. Safe to call from several processes at once. */
export async function ensureJournal(handle: Handle, journal: Journal): Promise<void> {
  if (journal.table === "full") return;
  await handle.script({ sql: CREATE, after: [], unless: TABLE_EXISTS });
  await handle.script({
    sql: `ALTER TABLE ${JOURNAL_TABLE} ADD COLUMN checksum TEXT`,
    after: [],
    unless: COLUMN_EXISTS,
  });
}

/** Returns a row exactly where `migration` is journalled. */
export function journalled(migration: Migration): Statement {
  return { sql: `SELECT 1 FROM ${JOURNAL_TABLE} WHERE name = ?`, params: [migration.name] };
}

/** Journals `migration`; nothing happens where it is journalled. */
export function journalRow(migration: Migration): Statement {
  return {
    sql: `INSERT INTO ${JOURNAL_TABLE} (name, checksum) VALUES (?, ?) ON CONFLICT (name) DO NOTHING`,
    params: [migration.name, migration.checksum],
  };
}

/** Gives the row of a file that wrangler applied the checksum that the file has now. */
export function fillChecksum(migration: Migration): Statement {
  return {
    sql: `UPDATE ${JOURNAL_TABLE} SET checksum = ? WHERE name = ? AND checksum IS NULL`,
    params: [migration.checksum, migration.name],
  };
}
