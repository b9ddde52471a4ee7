// Owns the cases about SQL that a tenant's database refuses, and about what it must not refuse.
import { expect } from "vitest";
import { type ContractCases, expectSqlError, rejection } from "./contract-case.ts";

export const refusals: ContractCases = {
  "text without a statement": async (db) => {
    for (const sql of ["", "  ", "-- only a comment", "/* only a comment */", ";"]) {
      expect((await rejection(db.prepare(sql).all())).message).toMatch(/^D1_ERROR: .*statement/);
    }
  },

  "a trailing semicolon, leading comments and blanks are no statements": async (db) => {
    for (const sql of [
      "SELECT 1 AS a;",
      "SELECT 1 AS a ;\n ",
      "-- why\nSELECT 1 AS a",
      " /* why */ SELECT 1 AS a",
    ]) {
      expect(await db.prepare(sql).first("a")).toBe(1);
    }
  },

  "statements that begin or end a transaction": async (db) => {
    for (const sql of ["BEGIN", "begin immediate", "COMMIT", "END", "ROLLBACK", "SAVEPOINT a", "RELEASE a"]) {
      expect((await rejection(db.prepare(sql).run())).message).toMatch(
        /^D1_ERROR: To execute a transaction, please use /,
      );
    }
    expect((await rejection(db.batch([db.prepare("BEGIN"), db.prepare("SELECT 1")]))).message).toMatch(
      /^D1_ERROR: To execute a transaction, please use /,
    );
    expect(await db.prepare("SELECT 1 AS a").first("a")).toBe(1);
  },

  "other databases": async (db) => {
    for (const sql of ["ATTACH ':memory:' AS m", "/* x */ aTtAcH DATABASE ':memory:' AS m", "DETACH main"]) {
      await expectSqlError(db.prepare(sql).run(), "not authorized", "SQLITE_AUTH");
    }
    await rejection(db.prepare("VACUUM INTO 'other.db'").run());
    await rejection(db.prepare("SELECT load_extension('x')").run());
  },

  "pragmas that would change how the file is kept": async (db) => {
    const refused = [
      "journal_mode = DELETE",
      "writable_schema = ON",
      "query_only = ON",
      "locking_mode = EXCLUSIVE",
      "wal_checkpoint",
      "max_page_count = 1",
      "cache_size = 1",
      "database_list",
    ];
    for (const pragma of refused) {
      await expectSqlError(db.prepare(`PRAGMA ${pragma}`).all(), "not authorized", "SQLITE_AUTH");
    }
  },

  "foreign keys cannot be turned off": async (db) => {
    // D1 takes it and does nothing; a driver may refuse it.
    await Promise.allSettled([db.prepare("PRAGMA foreign_keys = OFF").run()]);
    expect(await db.prepare("PRAGMA foreign_keys").first("foreign_keys")).toBe(1);
  },

  "pragmas that describe the schema are allowed": async (db) => {
    await db.exec("CREATE TABLE p (id INTEGER PRIMARY KEY, a TEXT UNIQUE)");
    await db.exec("CREATE TABLE c (p INTEGER REFERENCES p (id))");
    expect(await db.prepare("PRAGMA table_info(p)").all()).toMatchObject({
      results: [{ name: "id" }, { name: "a" }],
    });
    expect((await db.prepare("PRAGMA table_xinfo(p)").all()).results).toHaveLength(2);
    expect((await db.prepare("PRAGMA index_list(p)").all()).results).toHaveLength(1);
    expect((await db.prepare("PRAGMA index_info(sqlite_autoindex_p_1)").all()).results).toHaveLength(1);
    expect((await db.prepare("PRAGMA foreign_key_list(c)").all()).results).toHaveLength(1);
    expect((await db.prepare("PRAGMA foreign_key_check").all()).results).toEqual([]);
    expect(await db.prepare("PRAGMA quick_check").first("quick_check")).toBe("ok");
    expect((await db.prepare("SELECT name FROM pragma_table_info('p')").all()).results).toHaveLength(2);
    expect(
      (await db.prepare("SELECT name FROM pragma_table_list WHERE name = 'p'").all()).results,
    ).toHaveLength(1);
    expect(
      await db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").raw(),
    ).toEqual(expect.arrayContaining([["c"], ["p"]]));
  },

  "full text, R-trees, JSON and mathematics are there": async (db) => {
    await db.exec("CREATE VIRTUAL TABLE f USING fts5(body)");
    await db.exec("INSERT INTO f VALUES ('the quick brown fox')");
    expect(await db.prepare("SELECT count(*) AS n FROM f WHERE f MATCH 'quick'").first("n")).toBe(1);
    await db.exec("CREATE VIRTUAL TABLE r USING rtree(id, low, high)");
    expect(await db.prepare(`SELECT '{"a":[1,2]}' ->> '$.a[1]' AS v`).first("v")).toBe(2);
    expect(await db.prepare("SELECT sqrt(4) AS v").first("v")).toBe(2);
    expect(await db.prepare("SELECT unhex('41') AS v").first("v")).toEqual([65]);
    expect(await db.prepare("SELECT row_number() OVER () AS v").first("v")).toBe(1);
  },

  "EXPLAIN is allowed and changes nothing": async (db) => {
    await db.exec("CREATE TABLE t (i INTEGER)");
    expect(
      (await db.prepare("EXPLAIN QUERY PLAN SELECT * FROM t").all<{ detail: string }>()).results[0]?.detail,
    ).toBe("SCAN t");
    expect((await db.prepare("EXPLAIN INSERT INTO t VALUES (1)").all()).results.length).toBeGreaterThan(3);
    expect(await db.prepare("SELECT count(*) AS n FROM t").first("n")).toBe(0);
  },
};
