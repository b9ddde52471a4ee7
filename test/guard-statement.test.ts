// What the guard admits and refuses of callers' SQL, one case a line.
import { describe, expect, test } from "vitest";
import { createGuard, guardStatement } from "../src/sql/guard.ts";
import { TenantryError } from "../src/tenantry-error.ts";

function codeOf(sql: string): string {
  try {
    return guardStatement(sql).kind;
  } catch (error) {
    if (error instanceof TenantryError) return error.code;
    throw error;
  }
}

test("a WITH clause before something else is refused with a hint that is of use", () => {
  expect(() => guardStatement("WITH a AS (SELECT 1) ATTACH 'x' AS y")).toThrow(
    expect.objectContaining({
      code: "SQL_REFUSED",
      message: expect.stringMatching(/WITH clause/),
      hint: expect.stringMatching(/^It is followed by SELECT/),
    }),
  );
});

describe("ATTACH in every disguise is refused", () => {
  test.each([
    "ATTACH 'x.db' AS x",
    "attach database 'file:x?mode=rwc' as x",
    "AtTaCh DATABASE 'x' AS x;",
    "/* SELECT */ ATTACH 'x' AS x",
    "-- SELECT\nATTACH 'x' AS x",
    "--\rSELECT 1\nATTACH 'x' AS x",
    "/*/ SELECT 1 */ATTACH 'x' AS x",
    ";;; ; ATTACH 'x' AS x",
    "\uFEFFATTACH 'x' AS x",
    "\uFEFF ;\uFEFFATTACH 'x' AS x",
    "\n\f\r\t \vATTACH 'x' AS x",
    "\u00a0ATTACH 'x' AS x",
    "\u2028ATTACH 'x' AS x",
    "EXPLAIN ATTACH 'x' AS x",
    "EXPLAIN/**/QUERY--\nPLAN ATTACH 'x' AS x",
    "EXPLAIN EXPLAIN ATTACH 'x' AS x",
    "WITH a AS (SELECT 1) ATTACH 'x' AS x",
    "WITH a AS (SELECT 1) /* SELECT */ ATTACH 'x' AS x",
    "ATTACH(SELECT 'x') AS x",
    "DETACH x",
    "VACUUM",
    "VACUUM main INTO 'x'",
    "EXPLAIN VACUUM INTO 'x'",
    "ATT/**/ACH 'x' AS x",
    "\"ATTACH\" 'x' AS x",
    "(ATTACH 'x' AS x)",
    "аttach 'x' AS x",
    ".open x",
  ])("%j", (sql) => {
    expect(codeOf(sql)).toBe("SQL_REFUSED");
  });

  test.each([
    "SELECT 1; ATTACH 'x' AS x",
    "SELECT 1;-- SELECT\n;ATTACH 'x' AS x;",
    "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END; ATTACH 'x' AS x",
  ])("%j", (sql) => {
    expect(codeOf(sql)).toBe("SQL_MANY_STATEMENTS");
  });

  test.each(["SELECT 1\0; ATTACH 'x' AS x", "\0SELECT 1", "SELECT '\0'"])("%j", (sql) => {
    expect(codeOf(sql)).toBe("SQL_REFUSED");
  });

  test.each(["SELECT 'ATTACH'", "SELECT attach FROM a", 'SELECT "ATTACH"', "SELECT 1 -- ; ATTACH 'x' AS x"])(
    "%j only speaks of it",
    (sql) => {
      expect(codeOf(sql)).toBe("read");
    },
  );
});

describe("kinds", () => {
  test.each([
    ["SELECT 1", "read", "SELECT", "read"],
    ["values (1)", "read", "VALUES", "read"],
    ["WITH a AS (SELECT 1) SELECT * FROM a", "read", "SELECT", "read"],
    [
      "WITH RECURSIVE a(x) AS NOT MATERIALIZED (SELECT 1), b AS (VALUES (1)) VALUES (2)",
      "read",
      "VALUES",
      "read",
    ],
    ["WITH replace AS (SELECT 1) SELECT * FROM replace", "read", "SELECT", "read"],
    ["WITH a AS (SELECT 1) INSERT INTO b SELECT * FROM a", "write", "INSERT", "write"],
    ["WITH a AS (SELECT (SELECT 1)) DELETE FROM b", "write", "DELETE", "write"],
    ["WITH a AS (SELECT 1) REPLACE INTO b SELECT 1", "write", "REPLACE", "write"],
    ["WITH a AS (SELECT 1) UPDATE b SET c = (SELECT 1)", "write", "UPDATE", "write"],
    ["EXPLAIN INSERT INTO a VALUES (1)", "write", "INSERT", "write"],
    ["EXPLAIN QUERY PLAN SELECT 1", "read", "SELECT", "read"],
    ["CREATE TABLE a (b)", "schema", "CREATE", "schema"],
    ["DROP INDEX a", "schema", "DROP", "schema"],
    ["ALTER TABLE a ADD COLUMN b", "schema", "ALTER", "schema"],
    ["ANALYZE", "schema", "ANALYZE", "schema"],
    ["REINDEX", "schema", "REINDEX", "schema"],
    ["PRAGMA table_info(a)", "pragma", "PRAGMA", "read"],
    ["PRAGMA defer_foreign_keys = ON", "pragma", "PRAGMA", "write"],
    ["PRAGMA optimize", "pragma", "PRAGMA", "write"],
    ["PRAGMA journal_mode", "pragma", "PRAGMA", "write"],
  ])("%j", (sql, kind, verb, needs) => {
    expect(guardStatement(sql)).toMatchObject({ kind, verb, needs, explain: sql.startsWith("EXPLAIN") });
  });
});

describe("how many statements", () => {
  test.each(["", " ", ";", "-- SELECT 1", "/* SELECT 1", "\uFEFF;;\n"])("none in %j", (sql) => {
    expect(codeOf(sql)).toBe("SQL_NO_STATEMENT");
  });

  test.each(["SELECT 1;", "SELECT 1; -- two\n ;; /* SELECT 2 */", ";SELECT 1", "SELECT ';'"])(
    "one in %j",
    (sql) => {
      expect(codeOf(sql)).toBe("read");
    },
  );

  test.each(["SELECT 1; SELECT 2", "SELECT 1;;x", "BEGIN; SELECT 1; END", "SELECT 1;'"])(
    "many in %j",
    (sql) => {
      expect(codeOf(sql)).toBe("SQL_MANY_STATEMENTS");
    },
  );

  test("a token that SQLite cannot read is an error in SQLite's words", () => {
    expect(() => guardStatement("SELECT 'a")).toThrow(
      expect.objectContaining({ code: "SQL_ERROR", message: `unrecognized token: "'a"` }),
    );
  });
});

describe("length", () => {
  test.each([
    ["SELECT 1", 8, "read"],
    ["SELECT 1", 7, "SQL_TOO_LONG"],
    ["SELECT 'é'", 11, "read"],
    ["SELECT 'é'", 10, "SQL_TOO_LONG"],
    ["SELECT '😀'", 13, "read"],
    ["SELECT '😀'", 12, "SQL_TOO_LONG"],
  ])("%j in %i bytes: %s", (sql, maxSqlBytes, expected) => {
    const guard = createGuard({ maxSqlBytes });
    if (expected === "read") expect(guard.admit(sql).kind).toBe("read");
    else expect(() => guard.admit(sql)).toThrow(expect.objectContaining({ code: expected }));
  });

  test("100,000 bytes are the default", () => {
    expect(codeOf(`SELECT '${"a".repeat(99_991)}'`)).toBe("read");
    expect(codeOf(`SELECT '${"a".repeat(99_992)}'`)).toBe("SQL_TOO_LONG");
  });
});

describe("pragmas", () => {
  test.each([
    "PRAGMA table_list",
    "pragma main . table_info ( 'a' )",
    'PRAGMA "table_xinfo"([a])',
    "PRAGMA index_list=a;",
    "PRAGMA foreign_key_check",
    "PRAGMA integrity_check(10)",
    "PRAGMA quick_check(-1)",
    "PRAGMA schema_version",
    "PRAGMA user_version",
    "PRAGMA encoding",
    "PRAGMA journal_mode",
    "PRAGMA foreign_keys",
    "PRAGMA table_info(d1_migrations)",
    "PRAGMA defer_foreign_keys",
    "PRAGMA defer_foreign_keys(1)",
  ])("%j is admitted", (sql) => {
    expect(codeOf(sql)).toBe("pragma");
  });

  test.each([
    "PRAGMA foreign_keys=OFF",
    "PRAGMA foreign_keys(0)",
    "PRAGMA main.foreign_keys=0",
    "PRAGMA temp.table_info(a)",
    "PRAGMA x.table_info(a)",
    "PRAGMA/**/journal_mode/**/=/**/DELETE",
    "PRAGMA 'journal_mode'=DELETE",
    "PRAGMA journal_mode DELETE",
    "PRAGMA user_version=1",
    "PRAGMA schema_version(7)",
    "PRAGMA encoding='UTF-16'",
    "PRAGMA writable_schema=1",
    "PRAGMA query_only",
    "PRAGMA database_list",
    "PRAGMA cache_size=-1000000000",
    "PRAGMA temp_store_directory='/'",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA optimize(-1)",
    "PRAGMA table_info(a) b",
    "PRAGMA table_info((a))",
    "PRAGMA table_info(",
    "PRAGMA",
    "EXPLAIN PRAGMA table_info(a)",
    "EXPLAIN QUERY PLAN PRAGMA foreign_keys=OFF",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM 'pragma_database_list'",
    'SELECT * FROM a, "PRAGMA_database_list"',
    "SELECT * FROM (['pragma_database_list'])".replace(/[[\]]/g, ""),
    "SELECT * FROM a, 'pragma_database_list'",
    "SELECT 1 FROM main.pragma_optimize",
    "SELECT 1 WHERE 1 IN 'pragma_optimize'",
    "CREATE VIEW v AS SELECT * FROM pragma_optimize",
  ])("%j is refused", (sql) => {
    expect(codeOf(sql)).toBe("SQL_REFUSED");
  });

  test.each([
    "SELECT * FROM pragma_table_info('a')",
    "SELECT name FROM sqlite_schema JOIN pragma_index_list(name)",
    "SELECT * FROM 'pragma_table_list'",
    "SELECT 1 WHERE a = 'pragma_database_list'",
  ])("%j is a read", (sql) => {
    expect(codeOf(sql)).toBe("read");
  });
});

describe("transactions", () => {
  test.each(["BEGIN", "begin immediate", "COMMIT", "END", "ROLLBACK TO a", "SAVEPOINT a", "RELEASE a"])(
    "%j",
    (sql) => {
      const guard = createGuard();
      for (let i = 0; i < 2; i++) {
        expect(guard.admit(sql, { allowTransactions: true }).kind).toBe("transaction");
        expect(() => guard.admit(sql)).toThrow(expect.objectContaining({ code: "SQL_REFUSED" }));
      }
    },
  );

  test("taking the write lock needs the right to write", () => {
    const needs = (sql: string) => guardStatement(sql, { allowTransactions: true }).needs;
    expect([needs("BEGIN"), needs("BEGIN IMMEDIATE"), needs("BEGIN EXCLUSIVE")]).toEqual([
      "read",
      "write",
      "write",
    ]);
  });
});

describe("temporary things and virtual tables", () => {
  test.each([
    "CREATE TEMP TABLE a (b)",
    "CREATE TEMPORARY VIEW a AS SELECT 1",
    "EXPLAIN CREATE TEMP TABLE a (b)",
    "CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END",
    "CREATE TABLE temp.a (b)",
    "CREATE TABLE IF NOT EXISTS 'temp' . a (b)",
    "CREATE TABLE [TEMP].a AS SELECT 1",
    'CREATE VIEW "temp".a AS SELECT 1',
    "CREATE TRIGGER temp.t AFTER INSERT ON main.a BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE temp.a USING fts5(b)",
    "INSERT INTO temp.a VALUES (1)",
    "CREATE VIRTUAL TABLE a USING fts4(b)",
    "CREATE VIRTUAL TABLE a USING dbstat",
    "CREATE VIRTUAL TABLE IF NOT EXISTS main.a USING 'csv'(filename='/etc/passwd')",
    "CREATE VIRTUAL TABLE a",
    "SELECT load_extension('x')",
    "SELECT LOAD_EXTENSION /**/ ('x', 'y')",
    "SELECT \"load_extension\"('x')",
    "CREATE VIEW v AS SELECT load_extension('x')",
    "SELECT fts3_tokenizer('simple', x'00')",
    "SELECT :a(b)",
    "CREATE FUNCTION f LANGUAGE wasm AS 'x'",
    "CREATE 'TABLE' a (b)",
    "CREATE",
    "DROP FUNCTION f",
    "ALTER DATABASE a",
  ])("%j is refused", (sql) => {
    expect(codeOf(sql)).toBe("SQL_REFUSED");
  });

  test.each([
    ["CREATE VIRTUAL TABLE a USING fts5(b, content='')", "schema"],
    ["CREATE VIRTUAL TABLE IF NOT EXISTS main.a USING RTREE(id, x0, x1)", "schema"],
    ['CREATE VIRTUAL TABLE a USING "geopoly"(b)', "schema"],
    ["SELECT temp.value FROM readings AS temp", "read"],
    ["UPDATE readings AS temp SET value = 1 WHERE temp.id = 2", "write"],
    ["CREATE TABLE temp (temp)", "schema"],
    ["CREATE UNIQUE INDEX i ON a (b)", "schema"],
    ["DROP VIEW IF EXISTS a", "schema"],
    ["SELECT load_extension FROM settings", "read"],
  ])("%j is admitted", (sql, kind) => {
    expect(codeOf(sql)).toBe(kind);
  });
});

describe("internal tables are readable, never writable", () => {
  test.each([
    "DELETE FROM d1_migrations",
    'delete from "D1_Migrations"',
    "DELETE FROM [d1_migrations]",
    "DELETE FROM `d1_migrations`",
    "DELETE FROM 'd1_migrations'",
    "DELETE FROM main.'d1_migrations'",
    "DELETE FROM main . d1_migrations",
    "UPDATE OR REPLACE 'd1_migrations' SET name = 'x'",
    "UPDATE 'd1_migrations' SET name = 'x'",
    "INSERT OR IGNORE INTO 'd1_migrations' (name) VALUES ('x')",
    "REPLACE INTO d1_migrations (name) VALUES ('x')",
    "WITH a AS (SELECT 1) DELETE FROM d1_migrations",
    "EXPLAIN DELETE FROM d1_migrations",
    "DROP TABLE d1_migrations",
    "DROP TABLE IF EXISTS 'd1_migrations'",
    "ALTER TABLE 'd1_migrations' RENAME TO x",
    "ALTER TABLE x RENAME TO 'd1_migrations'",
    "CREATE INDEX i ON 'd1_migrations' (name)",
    "CREATE TRIGGER t BEFORE INSERT ON d1_migrations BEGIN SELECT RAISE(IGNORE); END",
    "CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM 'd1_migrations'; END",
    "CREATE TABLE c (x REFERENCES 'd1_migrations' ON DELETE CASCADE)",
    "CREATE TABLE _tenantry_x (a)",
    "CREATE TABLE _TENANTRY (a)",
    "CREATE VIRTUAL TABLE _litestream USING fts5(a)",
    "UPDATE _litestream_seq SET seq = 0",
    "DELETE FROM _cf_KV",
    "UPDATE sqlite_dbpage SET data = x'00'",
  ])("%j is refused", (sql) => {
    expect(codeOf(sql)).toBe("SQL_REFUSED");
  });

  test.each([
    "SELECT * FROM d1_migrations",
    "SELECT * FROM 'd1_migrations'",
    "WITH a AS (SELECT * FROM d1_migrations) SELECT * FROM a",
    "EXPLAIN SELECT * FROM _litestream_seq",
    "INSERT INTO log (message) VALUES ('d1_migrations')",
    "INSERT INTO log (level, message) VALUES (1, '_tenantry_x')",
    "UPDATE log SET message = 'd1_migrations' WHERE message LIKE '_cf_KV' OR message IN ('_tenantry_a')",
    "UPDATE log SET message = 'applying d1_migrations'",
    "DELETE FROM my_d1_migrations",
    "CREATE TABLE a_cf (b)",
    "DELETE FROM d1_migrations_old",
  ])("%j is admitted", (sql) => {
    expect(codeOf(sql)).not.toMatch(/^SQL_/);
  });
});

describe("the cache", () => {
  test("gives the same answer again, the same object for an admitted text", () => {
    const guard = createGuard({ cacheMax: 2 });
    const first = guard.admit("SELECT 1");
    expect(guard.admit("SELECT 1")).toBe(first);
    for (const sql of ["SELECT 2", "SELECT 3"]) guard.admit(sql);
    expect(guard.admit("SELECT 1")).toEqual(first);
    for (let i = 0; i < 2; i++) {
      expect(() => guard.admit("VACUUM")).toThrow(expect.objectContaining({ code: "SQL_REFUSED" }));
    }
  });

  test.each([{ maxSqlBytes: 0 }, { maxSqlBytes: Number.NaN }, { cacheMax: 1.5 }])("refuses %j", (options) => {
    expect(() => createGuard(options)).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
  });
});
