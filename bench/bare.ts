// Owns the bare thing that Tenantry is measured against: better-sqlite3 as one would use it by hand, with the
// same pragmas and the same bookkeeping.
// Uses nothing of Tenantry.
import Database from "better-sqlite3";

/** What a careful person sets on each connection; Tenantry sets the same. */
const PRAGMAS = `
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA foreign_keys = ON;
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
PRAGMA journal_size_limit = 4194304;
PRAGMA cache_size = -512;
`;

/** Opens the database at `path`. */
export function openBare(path: string, { create = false } = {}): Database.Database {
  const sqlite = new Database(path, { fileMustExist: !create, timeout: 0 });
  sqlite.exec(PRAGMAS);
  return sqlite;
}

/** Opens, reads one row, closes. */
export function readOnce(path: string, sql: string, id: number): unknown {
  const sqlite = openBare(path);
  const row = sqlite.prepare(sql).get(id);
  sqlite.close();
  return row;
}

/** A file of the migrations folder. */
export interface BareMigration {
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
}

/** Runs each migration in a transaction with its row in the journal. */
export function applyBare(sqlite: Database.Database, migrations: readonly BareMigration[]): void {
  for (const { name, sql, checksum } of migrations) {
    sqlite.exec("BEGIN IMMEDIATE");
    sqlite.exec(sql);
    sqlite.prepare("INSERT INTO d1_migrations (name, checksum) VALUES (?, ?)").run(name, checksum);
    sqlite.exec("COMMIT");
  }
}

/** Makes a new database by running all of the migrations on it. */
export function createBare(path: string, migrations: readonly BareMigration[]): void {
  const sqlite = openBare(path, { create: true });
  sqlite.exec(`CREATE TABLE d1_migrations (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT UNIQUE,
    applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL,
    checksum   TEXT
  )`);
  applyBare(sqlite, migrations);
  sqlite.close();
}

/** Opens the database at `path`, runs one migration and closes it. */
export function migrateBare(path: string, migration: BareMigration): void {
  const sqlite = openBare(path);
  applyBare(sqlite, [migration]);
  sqlite.close();
}
