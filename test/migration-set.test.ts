import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { migrationSet } from "../src/migrations/index.ts";
import { compareMigrationNames } from "../src/migrations/migration-order.ts";

const named = (...names: string[]) => names.map((name) => ({ name, sql: `-- ${name}` }));

describe("a set of migrations", () => {
  it("is in the order in which wrangler applies files", async () => {
    const { migrations, version } = await migrationSet(
      named(
        "10_ten.sql",
        "9_nine.sql",
        "zeta.sql",
        "0001_a.sql",
        "alpha.sql",
        "20240101120000_init/migration.sql",
      ),
    );
    expect(migrations.map(({ name }) => name)).toEqual([
      "0001_a.sql",
      "9_nine.sql",
      "10_ten.sql",
      "20240101120000_init/migration.sql",
      "alpha.sql",
      "zeta.sql",
    ]);
    expect(version).toBe("zeta.sql");
  });

  it("orders names consistently", () => {
    const part = fc.stringMatching(/^[0-9]{0,3}[_a-c-]{0,3}$/);
    const name = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
    fc.assert(
      fc.property(name, name, name, (a, b, c) => {
        expect(Math.sign(compareMigrationNames(a, b))).toBe(0 - Math.sign(compareMigrationNames(b, a)));
        if (compareMigrationNames(a, b) <= 0 && compareMigrationNames(b, c) <= 0) {
          expect(compareMigrationNames(a, c)).toBeLessThanOrEqual(0);
        }
        expect(compareMigrationNames(a, b) === 0).toBe(a === b);
      }),
    );
  });

  it("has the same checksums however git wrote the line endings", async () => {
    const text = "CREATE TABLE a (b);\nCREATE TABLE c (d);\n";
    const unix = await migrationSet([{ name: "0001_a.sql", sql: text }]);
    const windows = await migrationSet([
      { name: "0001_a.sql", sql: `\uFEFF${text.replaceAll("\n", "\r\n")}` },
    ]);
    expect(windows.hash).toBe(unix.hash);
    expect(unix.migrations[0]?.checksum).toMatch(/^[0-9a-f]{64}$/);
  });

  it("has another hash for another text, name or number of files", async () => {
    const hashes = await Promise.all([
      migrationSet([]),
      migrationSet([{ name: "1_a.sql", sql: "" }]),
      migrationSet([{ name: "1_b.sql", sql: "" }]),
      migrationSet([{ name: "1_a.sql", sql: " " }]),
      migrationSet(named("1_a.sql", "2_b.sql")),
    ]);
    expect(new Set(hashes.map(({ hash }) => hash)).size).toBe(hashes.length);
  });

  it("may be empty", async () => {
    expect(await migrationSet([])).toMatchObject({ migrations: [], version: null });
  });

  it.each([
    ["no name", named("")],
    ["a blank name", named("  ")],
    ["a name that is only the ending", named(".sql")],
    ["a name with a line break", named("0001_a\n.sql")],
    ["an over-long name", named(`0001_${"a".repeat(255)}.sql`)],
    ["a name twice", named("a.sql", "a.sql")],
    ["a number twice", named("0003_a.sql", "0003_b.sql")],
    ["a number twice, written differently", named("3_a.sql", "0003_b.sql")],
    ["a NUL", [{ name: "0001_a.sql", sql: "SELECT 1;\0 DROP TABLE a" }]],
    ["a transaction", [{ name: "0001_a.sql", sql: "begin;\nCREATE TABLE a (b);\ncommit;" }]],
    ["a COMMIT in the middle", [{ name: "0001_a.sql", sql: "CREATE TABLE a (b); /* ; */ COMMIT" }]],
    ["a savepoint", [{ name: "0001_a.sql", sql: "SAVEPOINT x; RELEASE x" }]],
  ])("is refused with %s", async (_, files) => {
    await expect(migrationSet(files)).rejects.toMatchObject({ code: "MIGRATIONS_INVALID" });
  });

  it("says in which line a file's own transaction is", async () => {
    const sql = "-- BEGIN;\nCREATE TABLE a (b DEFAULT ';BEGIN;');\n\n  END TRANSACTION;";
    await expect(migrationSet([{ name: "0001_a.sql", sql }])).rejects.toThrow(
      'Migration "0001_a.sql" has its own END in line 4.',
    );
  });

  it("allows BEGIN and END in triggers and CASE", async () => {
    const sql = `CREATE TABLE a (b);
      CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN
        SELECT CASE WHEN new.b THEN 1 END;
        UPDATE a SET b = CASE b WHEN 1 THEN 2 ELSE 3 END;
      END;
      SELECT CASE 1 WHEN 1 THEN 2 END;`;
    expect((await migrationSet([{ name: "0001_a.sql", sql }])).version).toBe("0001_a.sql");
  });

  it.each([
    ["PRAGMA foreign_keys=OFF;--> statement-breakpoint\nDROP TABLE a", true],
    ["PRAGMA defer_foreign_keys=ON;\nPRAGMA foreign_keys=OFF;", true],
    ['/* x */ pragma main . "foreign_keys" ( 0 )', true],
    ["pragma foreign_keys = 'no'", true],
    ["PRAGMA foreign_keys = ON", false],
    ["PRAGMA foreign_keys", false],
    ["-- PRAGMA foreign_keys = OFF", false],
    ["SELECT 'PRAGMA foreign_keys = OFF;'", false],
    ["PRAGMA defer_foreign_keys = OFF", false],
  ])("knows whether foreign keys are switched off: %s", async (sql, off) => {
    const { migrations } = await migrationSet([{ name: "0001_a.sql", sql }]);
    expect(migrations[0]?.foreignKeys).toBe(off ? "off" : undefined);
  });
});
