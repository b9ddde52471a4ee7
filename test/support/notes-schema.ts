// Owns the schema of the tests of tenants: a table of notes.
import type { MigrationFile } from "../../src/migrations/migration-set.ts";

export const NOTES: MigrationFile = {
  name: "0001_notes.sql",
  sql: "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL)",
};
