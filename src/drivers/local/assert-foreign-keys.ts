// Owns the error of rows that refer to others that are not there.
// Changes nothing.
import type Database from "better-sqlite3";
import { TenantryError } from "../../tenantry-error.ts";

/** @throws {TenantryError} `CONSTRAINT`, as SQLite would have said it at the commit */
export function assertForeignKeys(sqlite: Database.Database): void {
  const [broken] = sqlite.pragma("foreign_key_check") as { table: string; parent: string }[];
  if (!broken) return;
  throw new TenantryError(
    "CONSTRAINT",
    `D1_ERROR: FOREIGN KEY constraint failed: rows of ${broken.table} refer to rows of ${broken.parent} that are not there: SQLITE_CONSTRAINT`,
    { sqliteCode: "SQLITE_CONSTRAINT_FOREIGNKEY" },
  );
}
