// Owns what a set of migrations is: names, text, checksums, order, and what a set must not hold.
// Does not read folders (read-migrations.ts does) and runs nothing.
import { TenantryError } from "../tenantry-error.ts";
import { compareMigrationNames, leadingDigits } from "./migration-order.ts";
import { findTransactionControl, turnsForeignKeysOff } from "./migration-text.ts";

/** The longest name of a migration, in characters. */
export const MAX_MIGRATION_NAME_LENGTH = 255;

/** A migration as it is written: the name that the journal records, and its SQL. */
export interface MigrationFile {
  /** `0001_init.sql`, or `20260102030405_init/migration.sql`: what wrangler would record. */
  readonly name: string;
  readonly sql: string;
}

/** A migration that has been checked. */
export interface Migration extends MigrationFile {
  /** SHA-256 of the text in lower-case hex, with every line ending taken as a line feed. */
  readonly checksum: string;
  /** Set where the text says `PRAGMA foreign_keys = OFF`, which a transaction would ignore. */
  readonly foreignKeys?: "off";
}

/** Migrations in the order in which they are applied. */
export interface MigrationSet {
  readonly migrations: readonly Migration[];
  /** The name of the last migration; `null` for an empty set. */
  readonly version: string | null;
  /** SHA-256 in hex over the names and checksums in order: equal exactly where the sets are. */
  readonly hash: string;
}

/**
 * Makes a set of migrations without a file system: for Workers, whose migrations are bundled, and for tests.
 * A leading byte order mark is dropped.
 *
 * The checksum takes CRLF as LF because git may change the one into the other on checkout, and a Windows
 * checkout must not look like an edited history.
 *
 * @throws {TenantryError} `MIGRATIONS_INVALID`: an empty, over-long or repeated name, two migrations of one
 * number, a NUL in the text, or a transaction of the file's own.
 *
 * @example
 * const set = await migrationSet([{ name: "0001_notes.sql", sql: "CREATE TABLE notes (id INTEGER PRIMARY KEY)" }]);
 */
export async function migrationSet(files: Iterable<MigrationFile>): Promise<MigrationSet> {
  const sorted = [...files].sort((a, b) => compareMigrationNames(a.name, b.name));
  refuseCollisions(sorted);
  const migrations = await Promise.all(sorted.map(checkMigration));
  return {
    migrations,
    version: migrations.at(-1)?.name ?? null,
    hash: await sha256(migrations.map(({ name, checksum }) => `${name}\n${checksum}\n`).join("")),
  };
}

async function checkMigration(file: MigrationFile): Promise<Migration> {
  const { name } = file;
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (name.trim() === "" || /^\.sql$|[\u0000-\u001f\u007f]/.test(name)) {
    throw invalid(`${JSON.stringify(name)} is no name for a migration.`, "Call it NNNN_what_it_does.sql.");
  }
  if (name.length > MAX_MIGRATION_NAME_LENGTH) {
    throw invalid(
      `A migration's name has ${name.length} characters: ${JSON.stringify(`${name.slice(0, 40)}…`)}.`,
      `Use at most ${MAX_MIGRATION_NAME_LENGTH}.`,
    );
  }
  const sql = file.sql.replace(/^\uFEFF/, "");
  if (sql.includes("\0")) {
    throw invalid(
      `Migration "${name}" contains a NUL character, at which SQLite stops reading.`,
      "Save the file as UTF-8 text.",
    );
  }
  const control = findTransactionControl(sql);
  if (control !== undefined) {
    throw invalid(
      `Migration "${name}" has its own ${control.keyword} in line ${control.line}.`,
      "Leave transactions out: each file runs in one of its own, together with its row in the journal.",
    );
  }
  return {
    name,
    sql,
    checksum: await sha256(sql.replaceAll(/\r\n?/g, "\n")),
    ...(turnsForeignKeysOff(sql) ? { foreignKeys: "off" as const } : {}),
  };
}

function refuseCollisions(sorted: readonly MigrationFile[]): void {
  const byNumber = new Map<string, string>();
  const names = new Set<string>();
  for (const { name } of sorted) {
    if (names.has(name))
      throw invalid(`Two migrations are called "${name}".`, "Give each a name of its own.");
    names.add(name);
    const number = leadingDigits(name);
    if (number === undefined) continue;
    const other = byNumber.get(number);
    if (other !== undefined) {
      throw invalid(
        `Migrations "${other}" and "${name}" have the same number.`,
        "Give the one that is not applied anywhere yet the next free number.",
      );
    }
    byNumber.set(number, name);
  }
}

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function invalid(message: string, hint: string): TenantryError {
  return new TenantryError("MIGRATIONS_INVALID", message, { hint });
}
