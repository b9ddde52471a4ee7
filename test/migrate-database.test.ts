import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Handle } from "../src/drivers/driver.ts";
import { baseline, migrateDatabase, migrationSet, migrationStatus } from "../src/migrations/index.ts";
import { readMigrations } from "../src/migrations/read-migrations.ts";
import { TenantryError } from "../src/tenantry-error.ts";
import { openDatabase, rowsOf, valueOf } from "./migration-folder.ts";

const A = { name: "0001_a.sql", sql: "CREATE TABLE a (id INTEGER PRIMARY KEY)" };
const B = { name: "0002_b.sql", sql: "CREATE TABLE b (id INTEGER PRIMARY KEY)" };
const C = { name: "0003_c.sql", sql: "CREATE TABLE c (id INTEGER PRIMARY KEY)" };

const tablesOf = async (handle: Awaited<ReturnType<typeof openDatabase>>) =>
  (
    await rowsOf(
      handle,
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    )
  ).map(({ name }) => name);

/** Counts what a handle is asked for. */
function counted(handle: Handle): { handle: Handle; calls: string[] } {
  const calls: string[] = [];
  const spy = new Proxy(handle, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      calls.push(String(key));
      return value.bind(target);
    },
  });
  return { handle: spy, calls };
}

describe("migrating a database", () => {
  it("applies what is pending, in order, and journals it", async () => {
    const handle = await openDatabase();
    const set = await migrationSet([B, A]);
    expect(await migrateDatabase(handle, set)).toEqual({
      applied: [A.name, B.name],
      drifted: [],
      missing: [],
      version: B.name,
      hash: set.hash,
    });
    expect(await rowsOf(handle, "SELECT id, name, checksum FROM d1_migrations")).toEqual(
      set.migrations.map(({ name, checksum }, index) => ({ id: index + 1, name, checksum })),
    );
    expect(await valueOf(handle, "SELECT applied_at FROM d1_migrations")).toMatch(
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/,
    );
    const more = await migrationSet([A, B, C]);
    expect((await migrateDatabase(handle, more)).applied).toEqual([C.name]);
  });

  it("is one read when there is nothing to do", async () => {
    const set = await migrationSet([A, B]);
    const handle = await openDatabase();
    await migrateDatabase(handle, set);
    const spy = counted(handle);
    expect((await migrateDatabase(spy.handle, set)).applied).toEqual([]);
    expect(spy.calls).toEqual(["run"]);
  });

  it("leaves a database alone when the set is empty", async () => {
    const handle = await openDatabase();
    expect(await migrateDatabase(handle, await migrationSet([]))).toMatchObject({
      applied: [],
      version: null,
    });
    expect(await tablesOf(handle)).toEqual([]);
  });

  it("journals a file without a statement", async () => {
    const handle = await openDatabase();
    const set = await migrationSet([
      { name: "0001_a.sql", sql: "-- This is an empty migration." },
      { ...B, sql: "" },
    ]);
    expect((await migrateDatabase(handle, set)).applied).toEqual([A.name, B.name]);
  });

  it("applies a file that comes before an applied one, as wrangler does", async () => {
    const handle = await openDatabase();
    await migrateDatabase(handle, await migrationSet([A, C]));
    expect((await migrateDatabase(handle, await migrationSet([A, B, C]))).applied).toEqual([B.name]);
    expect(await rowsOf(handle, "SELECT name FROM d1_migrations ORDER BY id")).toEqual(
      [A, C, B].map(({ name }) => ({ name })),
    );
  });

  it("goes on with a drifted and a missing file, and says so", async () => {
    const handle = await openDatabase();
    await migrateDatabase(handle, await migrationSet([A, B]));
    const set = await migrationSet([{ ...A, sql: `${A.sql};` }, C]);
    expect(await migrateDatabase(handle, set)).toMatchObject({
      applied: [C.name],
      drifted: [A.name],
      missing: [B.name],
    });
    expect((await migrationStatus(handle, set)).map(({ name, state }) => [name, state])).toEqual([
      [A.name, "drifted"],
      [C.name, "applied"],
      [B.name, "missing"],
    ]);
  });

  it("refuses a broken history where it is asked to, and applies nothing", async () => {
    const handle = await openDatabase();
    await migrateDatabase(handle, await migrationSet([A, B]));
    const requireIntact = { requireIntact: true };
    await expect(
      migrateDatabase(handle, await migrationSet([{ ...A, sql: "SELECT 1" }, B, C]), requireIntact),
    ).rejects.toMatchObject({ code: "MIGRATION_DRIFTED", message: expect.stringContaining(A.name) });
    await expect(migrateDatabase(handle, await migrationSet([B, C]), requireIntact)).rejects.toMatchObject({
      code: "MIGRATION_MISSING",
      message: expect.stringContaining(A.name),
    });
    expect(await tablesOf(handle)).toEqual(["a", "b", "d1_migrations"]);
    expect((await migrateDatabase(handle, await migrationSet([A, B, C]), requireIntact)).applied).toEqual([
      C.name,
    ]);
  });

  it("reports the state of a database without a journal, and does not write", async () => {
    const handle = await openDatabase();
    expect(await migrationStatus(handle, await migrationSet([A, B]))).toEqual([
      { name: A.name, state: "pending", appliedAt: null },
      { name: B.name, state: "pending", appliedAt: null },
    ]);
    expect(await tablesOf(handle)).toEqual([]);
  });

  it("does not take an error of the journal for a missing journal", async () => {
    const handle = await openDatabase();
    await handle.exec("CREATE VIEW d1_migrations AS SELECT * FROM nowhere");
    await expect(migrateDatabase(handle, await migrationSet([A]))).rejects.toMatchObject({
      code: "SQL_ERROR",
    });
  });

  it("applies the sample schema, with its full-text search and triggers", async () => {
    const handle = await openDatabase();
    const set = await readMigrations(join(import.meta.dirname, "..", "migrations"));
    expect((await migrateDatabase(handle, set)).applied).toEqual(set.migrations.map(({ name }) => name));
    await handle.exec(
      "INSERT INTO customers (name, email, country) VALUES ('Ekström & Söner', 'a@b.example', 'SE')",
    );
    await handle.exec("UPDATE customers SET city = 'Malmö'");
    expect(await valueOf(handle, "SELECT count(*) FROM customer_search('malmo ekstrom')")).toBe(1);
    await handle.exec("DELETE FROM customers");
    expect(await valueOf(handle, "SELECT count(*) FROM customer_search('malmo')")).toBe(0);
    await handle.exec("INSERT INTO customer_search (customer_search, rank) VALUES ('integrity-check', 1)");
  });
});

describe("a migration that fails", () => {
  it("leaves nothing of itself, and what was before it", async () => {
    const handle = await openDatabase();
    const bad = {
      name: "0002_bad.sql",
      sql: "CREATE TABLE bad (id);\nINSERT INTO a VALUES (7);\n\n-- here:\nINSERT INTO a\n  VALUES (7);\nSELECT 1;",
    };
    const failure = await migrateDatabase(handle, await migrationSet([A, bad, C])).catch(
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(TenantryError);
    expect(failure).toMatchObject({
      code: "MIGRATION_FAILED",
      message:
        'Migration "0002_bad.sql" failed in line 5 (INSERT INTO a VALUES (7)): UNIQUE constraint failed: a.id.',
      sqliteCode: "SQLITE_CONSTRAINT_PRIMARYKEY",
    });
    expect(await tablesOf(handle)).toEqual(["a", "d1_migrations"]);
    expect(await valueOf(handle, "SELECT count(*) FROM a")).toBe(0);
    expect(await rowsOf(handle, "SELECT name FROM d1_migrations")).toEqual([{ name: A.name }]);
    expect((await migrateDatabase(handle, await migrationSet([A, B, C]))).applied).toEqual([B.name, C.name]);
  });

  it.each([
    ["a syntax error", "CREATE TABLE x (y);\nCREAT TABLE z (y)", /line 2 .*near "CREAT": syntax error\.$/],
    ["a missing table", "INSERT INTO nowhere VALUES (1)", /line 1 .*no such table: nowhere\.$/],
    ["what no transaction can do", "SELECT 1;\nVACUUM", /VACUUM.*\.$/],
    ["an unfinished string", "SELECT 'abc", /line 1 .*unrecognized token: "'abc"\.$/],
  ])("says where: %s", async (_, sql, message) => {
    const handle = await openDatabase();
    await expect(
      migrateDatabase(handle, await migrationSet([{ name: "0001_x.sql", sql }])),
    ).rejects.toMatchObject({ code: "MIGRATION_FAILED", message: expect.stringMatching(message) });
    expect(await tablesOf(handle)).toEqual(["d1_migrations"]);
  });

  it("points an existing schema without a journal to the baseline", async () => {
    const handle = await openDatabase();
    await handle.exec(A.sql);
    const set = await migrationSet([A, B]);
    await expect(migrateDatabase(handle, set)).rejects.toMatchObject({
      code: "MIGRATION_FAILED",
      hint: expect.stringContaining("baseline()"),
    });
    expect(await baseline(handle, set, A.name)).toEqual([A.name]);
    expect((await migrateDatabase(handle, set, { requireIntact: true })).applied).toEqual([B.name]);
  });

  it("is not blamed for a closed handle", async () => {
    const handle = await openDatabase();
    const set = await migrationSet([A]);
    await handle.close();
    await expect(migrateDatabase(handle, set)).rejects.toMatchObject({ code: "CLOSED" });
  });
});

describe("a baseline", () => {
  it("journals every file without running one", async () => {
    const handle = await openDatabase();
    const set = await migrationSet([A, B]);
    expect(await baseline(handle, set)).toEqual([A.name, B.name]);
    expect(await baseline(handle, set)).toEqual([]);
    expect(await tablesOf(handle)).toEqual(["d1_migrations"]);
    expect((await migrationStatus(handle, set)).map(({ state }) => state)).toEqual(["applied", "applied"]);
  });

  it("refuses a name that the set does not have", async () => {
    const handle = await openDatabase();
    await expect(baseline(handle, await migrationSet([A]), "0009_x.sql")).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    expect(await baseline(handle, await migrationSet([]))).toEqual([]);
    expect(await tablesOf(handle)).toEqual([]);
  });
});
