// Owns the cases about D1's oddities: what D1 does by accident of its transport or its limits. A driver that
// does better skips them and says how; code that is to run everywhere must not lean on either.
import { expect } from "vitest";
import { type ContractCases, expectSqlError, rejection } from "./contract-case.ts";

const HEX = "SELECT hex(?) AS h";

export const quirks: ContractCases = {
  "a view other than of bytes is bound element by element, modulo 256": async (db) => {
    expect(
      await db
        .prepare(HEX)
        .bind(new Int16Array([1, 300]))
        .first("h"),
    ).toBe("012C");
    expect(
      await db
        .prepare(HEX)
        .bind(new Float64Array([1.5]))
        .first("h"),
    ).toBe("01");
  },

  "a DataView is bound as an empty BLOB": async (db) => {
    expect(
      await db
        .prepare(HEX)
        .bind(new DataView(new Uint8Array([1, 2]).buffer))
        .first("h"),
    ).toBe("");
  },

  "the infinities are NULL, in and out": async (db) => {
    expect(await db.prepare("SELECT ? AS v, typeof(?) AS t").bind(Infinity, -Infinity).first()).toEqual({
      v: null,
      t: "null",
    });
    expect(await db.prepare("SELECT 9e999, -9e999").raw()).toEqual([[null, null]]);
  },

  "a bigint is refused": async (db) => {
    expect(() => db.prepare("SELECT ?").bind(10n)).toThrow(
      "D1_TYPE_ERROR: Type 'bigint' not supported for value '10'",
    );
  },

  "a column may be named __proto__": async (db) => {
    const row = await db.prepare('SELECT 1 AS "__proto__"').first();
    expect(Object.entries(row ?? {})).toEqual([["__proto__", 1]]);
  },

  "two names for parameters may differ in their first character only": async (db) => {
    expect(await db.prepare("SELECT :a, @a").bind(1, 2).raw()).toEqual([[1, 2]]);
  },

  "negative zero comes back as zero": async (db) => {
    expect(Object.is(await db.prepare("SELECT ? AS v").bind(-0).first("v"), 0)).toBe(true);
  },

  "last_row_id stays after statements that insert nothing": async (db) => {
    await db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    await db.exec("INSERT INTO t VALUES (40)");
    for (const sql of ["SELECT 1", "UPDATE t SET id = 41", "DELETE FROM t", "CREATE TABLE u (x)"]) {
      expect((await db.prepare(sql).run()).meta.last_row_id, sql).toBe(40);
    }
  },

  "changes counts what triggers changed as well": async (db) => {
    await db.exec("CREATE TABLE t (i)");
    await db.exec("CREATE TABLE log (i)");
    await db.exec("CREATE TRIGGER logged AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.i); END");
    expect((await db.prepare("INSERT INTO t VALUES (1)").run()).meta.changes).toBe(2);
  },

  "several statements in prepare() all run, and the last one answers": async (db) => {
    expect(await db.prepare("SELECT 1 AS a; SELECT 2 AS b").first()).toEqual({ b: 2 });
  },

  "a comment after the semicolon is a statement that is not there": async (db) => {
    expect((await rejection(db.prepare("SELECT 1; -- done").all())).message).toBe(
      "D1_ERROR: SQL code did not contain a statement.",
    );
  },

  "a blank statement is left out of a batch": async (db) => {
    expect(await db.batch([db.prepare(""), db.prepare("SELECT 1 AS a")])).toHaveLength(1);
  },

  "exec() counts lines and cannot take a statement over two": async (db) => {
    expect((await db.exec("SELECT 1; SELECT 2")).count).toBe(1);
    expect((await rejection(db.exec("CREATE TABLE t (\n i INTEGER\n)"))).message).toMatch(
      /^D1_EXEC_ERROR: Error in line 1: CREATE TABLE t \(: incomplete input: SQLITE_ERROR$/,
    );
    expect((await rejection(db.exec("-- why\nSELECT 1"))).message).toMatch(
      /SQL code did not contain a statement\.$/,
    );
  },

  "more than a hundred parameters are refused": async (db) => {
    const sql = `SELECT count(*) FROM (VALUES ${Array(101).fill("(?)").join(",")})`;
    await expectSqlError(
      db
        .prepare(sql)
        .bind(...Array<number>(101).fill(1))
        .all(),
      "too many SQL variables",
      "SQLITE_ERROR",
    );
  },

  "SQL over 100,000 bytes is refused": async (db) => {
    expect(await db.prepare(`SELECT 1 AS a -- ${"x".repeat(99_000)}`).first("a")).toBe(1);
    await expectSqlError(
      db.prepare(`SELECT 1 -- ${"x".repeat(100_000)}`).all(),
      "statement too long",
      "SQLITE_TOOBIG",
    );
  },

  "SQLite's limits are small": async (db) => {
    await expectSqlError(
      db.prepare(`SELECT ${Array(101).fill("1").join(",")}`).all(),
      "too many columns in result set",
      "SQLITE_ERROR",
    );
    await expectSqlError(
      db.prepare(Array(6).fill("SELECT 1").join(" UNION ALL ")).all(),
      "too many terms in compound SELECT",
      "SQLITE_ERROR",
    );
    await expectSqlError(
      db.prepare("SELECT 'a' LIKE ?").bind("%".repeat(51)).all(),
      "LIKE or GLOB pattern too complex",
      "SQLITE_ERROR",
    );
    await expectSqlError(
      db.prepare(`SELECT ${Array(120).fill("1").join("+")}`).all(),
      "Expression tree is too large (maximum depth 100)",
      "SQLITE_ERROR",
    );
  },

  "a quoted name that is no column is a string": async (db) => {
    expect(await db.prepare('SELECT "nope" AS v').first("v")).toBe("nope");
  },

  "temporary tables are refused": async (db) => {
    await expectSqlError(db.prepare("CREATE TEMP TABLE t (x)").run(), "not authorized", "SQLITE_AUTH");
  },

  "VACUUM and reading about the file are refused": async (db) => {
    await expectSqlError(
      db.prepare("VACUUM").run(),
      "cannot VACUUM from within a transaction",
      "SQLITE_ERROR",
    );
    for (const pragma of ["user_version", "journal_mode", "page_count", "integrity_check", "encoding"]) {
      await expectSqlError(db.prepare(`PRAGMA ${pragma}`).all(), "not authorized", "SQLITE_AUTH");
    }
  },

  "dump() is gone": async (db) => {
    await rejection(db.dump());
  },
};
