import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { migrateDatabase, migrationSet } from "../src/migrations/index.ts";
import { readMigrations } from "../src/migrations/read-migrations.ts";
import { openDatabase, valueOf } from "./migration-folder.ts";

/** A parent with two children that go when it goes, and a rebuild of the parent as drizzle-kit writes it. */
const SCHEMA = {
  name: "0001_schema.sql",
  sql: `CREATE TABLE parent (id INTEGER PRIMARY KEY);
    CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL REFERENCES parent (id) ON DELETE CASCADE);
    INSERT INTO parent VALUES (1);
    INSERT INTO child VALUES (1, 1), (2, 1);`,
};
const rebuild = (copied: string) => ({
  name: "0002_rebuild.sql",
  sql: `PRAGMA foreign_keys=OFF;--> statement-breakpoint
    CREATE TABLE new_parent (id INTEGER PRIMARY KEY, name TEXT);
    INSERT INTO new_parent (id) ${copied};
    DROP TABLE parent;
    ALTER TABLE new_parent RENAME TO parent;
    PRAGMA foreign_keys=ON;`,
});

describe("a table rebuild", () => {
  it("keeps the children", async () => {
    const handle = await openDatabase();
    await migrateDatabase(handle, await migrationSet([SCHEMA, rebuild("SELECT id FROM parent")]));
    expect(await valueOf(handle, "SELECT count(*) FROM child")).toBe(2);
    expect(await valueOf(handle, "PRAGMA foreign_keys")).toBe(1);
    await handle.exec("DELETE FROM parent");
    expect(await valueOf(handle, "SELECT count(*) FROM child")).toBe(0);
  });

  it("fails as a whole when it leaves children without a parent", async () => {
    const handle = await openDatabase();
    const set = await migrationSet([SCHEMA, rebuild("SELECT id FROM parent WHERE id > 1")]);
    await expect(migrateDatabase(handle, set)).rejects.toMatchObject({
      code: "MIGRATION_FAILED",
      message: expect.stringMatching(/0002_rebuild\.sql.*FOREIGN KEY.*child.*parent/),
    });
    expect(await valueOf(handle, "SELECT count(*) FROM child")).toBe(2);
    expect(await valueOf(handle, "SELECT count(*) FROM parent")).toBe(1);
    expect(await valueOf(handle, "PRAGMA foreign_keys")).toBe(1);
    await expect(handle.exec("INSERT INTO child VALUES (3, 99)")).rejects.toMatchObject({
      code: "CONSTRAINT",
    });
  });

  it.each([
    [
      "drizzle",
      "INSERT INTO users (id, email) VALUES (1, 'a')",
      "INSERT INTO posts VALUES (1, 1, 'x', NULL)",
      "posts",
    ],
    ["prisma", 'INSERT INTO "User" VALUES (1, NULL)', `INSERT INTO "Post" VALUES (1, 1, 'x')`, '"Post"'],
  ])("of %s keeps the children", async (shape, parent, child, table) => {
    const handle = await openDatabase();
    const { migrations } = await readMigrations(join(import.meta.dirname, "fixtures", `migrations-${shape}`));
    await migrateDatabase(handle, await migrationSet(migrations.slice(0, -1)));
    await handle.exec(`${parent}; ${child}`);
    await migrateDatabase(handle, await migrationSet(migrations));
    expect(await valueOf(handle, `SELECT count(*) FROM ${table}`)).toBe(1);
  });
});
