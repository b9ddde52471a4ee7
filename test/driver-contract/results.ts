// Owns the cases about results: the shapes of first(), all(), run() and raw().
import { expect } from "vitest";
import { type ContractCases, expectCause, rejection } from "./contract-case.ts";

const REPEATED = "SELECT 1 AS a, 2 AS b, 3 AS a";
const TEN_THOUSAND =
  "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 10000) SELECT x FROM c";

export const results: ContractCases = {
  "all() has success, meta and results, and so has run()": async (db) => {
    for (const answer of [await db.prepare("SELECT 1 AS a").all(), await db.prepare("SELECT 1 AS a").run()]) {
      expect(Object.keys(answer).sort()).toEqual(["meta", "results", "success"]);
      expect(answer.success).toBe(true);
      expect(answer.results).toEqual([{ a: 1 }]);
    }
  },

  "no rows are an empty array, and null from first()": async (db) => {
    await db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)");
    const statement = db.prepare("SELECT * FROM t");
    expect((await statement.all()).results).toEqual([]);
    expect((await statement.run()).results).toEqual([]);
    expect(await statement.raw()).toEqual([]);
    expect(await statement.raw({ columnNames: true })).toEqual([["id", "a"]]);
    expect(await statement.first()).toBeNull();
    expect(await statement.first("id")).toBeNull();
  },

  "first() is the first row, first(column) its value": async (db) => {
    const statement = db.prepare("SELECT 1 AS a, NULL AS n UNION ALL SELECT 2, 3");
    expect(await statement.first()).toEqual({ a: 1, n: null });
    expect(await statement.first("a")).toBe(1);
    expect(await statement.first("n")).toBeNull();
  },

  "first() of a column that is not there is an error": async (db) => {
    for (const column of ["nope", "A", ""]) {
      const error = await rejection(db.prepare("SELECT 1 AS a").first(column));
      expect(error.message).toBe(`D1_COLUMN_NOTFOUND: Column not found (${column})`);
      expectCause(error, "Column not found");
    }
  },

  "of columns that share a name an object has the last, raw() all": async (db) => {
    const statement = db.prepare(REPEATED);
    expect((await statement.all()).results).toEqual([{ a: 3, b: 2 }]);
    expect(await statement.first()).toEqual({ a: 3, b: 2 });
    expect(await statement.raw()).toEqual([[1, 2, 3]]);
    expect(await statement.raw({ columnNames: true })).toEqual([
      ["a", "b", "a"],
      [1, 2, 3],
    ]);
  },

  "raw() keeps the order of columns whatever they are named": async (db) => {
    expect(await db.prepare('SELECT 1 AS "b", 2 AS "1"').raw({ columnNames: true })).toEqual([
      ["b", "1"],
      [1, 2],
    ]);
    expect(await db.prepare("SELECT 1 AS a").raw({ columnNames: false })).toEqual([[1]]);
  },

  "a column may have a name that every object has": async (db) => {
    const statement = db.prepare('SELECT 1 AS "constructor", NULL AS "toString"');
    expect(Object.entries((await statement.first()) ?? {})).toEqual([
      ["constructor", 1],
      ["toString", null],
    ]);
    expect(await statement.first("toString")).toBeNull();
  },

  "a write without RETURNING gives no rows in any shape": async (db) => {
    await db.exec("CREATE TABLE t (a)");
    const insert = db.prepare("INSERT INTO t VALUES (1)");
    expect((await insert.all()).results).toEqual([]);
    expect((await insert.run()).results).toEqual([]);
    expect(await insert.raw()).toEqual([]);
    expect(await insert.first()).toBeNull();
    expect(await db.prepare("SELECT count(*) AS n FROM t").first("n")).toBe(4);
  },

  "RETURNING gives rows in every shape, and first() still writes all": async (db) => {
    await db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)");
    const insert = db.prepare("INSERT INTO t (a) VALUES (?), (?) RETURNING id, a").bind("x", "y");
    expect((await insert.run()).results).toEqual([
      { id: 1, a: "x" },
      { id: 2, a: "y" },
    ]);
    expect(await insert.first("id")).toBe(3);
    expect(await insert.raw()).toEqual([
      [5, "x"],
      [6, "y"],
    ]);
    expect(await db.prepare("SELECT count(*) AS n FROM t").first("n")).toBe(6);
    expect(await db.prepare("UPDATE t SET a = 'z' WHERE id = 1 RETURNING a").first("a")).toBe("z");
    expect(await db.prepare("DELETE FROM t WHERE id > 4 RETURNING id").raw()).toEqual([[5], [6]]);
  },

  "ten thousand rows come whole and in order": async (db) => {
    const { results } = await db.prepare(TEN_THOUSAND).all<{ x: number }>();
    expect(results).toHaveLength(10_000);
    expect(results.every(({ x }, index) => x === index + 1)).toBe(true);
  },

  "calls made at once each get their own answer": async (db) => {
    await db.exec("CREATE TABLE t (i INTEGER)");
    const numbers = Array.from({ length: 50 }, (_, index) => index);
    const returned = await Promise.all(
      numbers.map((i) => db.prepare("INSERT INTO t VALUES (?) RETURNING i").bind(i).first("i")),
    );
    expect(returned).toEqual(numbers);
    const read = await Promise.all(
      numbers.map((i) => db.prepare("SELECT i FROM t WHERE i = ?").bind(i).first("i")),
    );
    expect(read).toEqual(numbers);
  },

  "a row is the caller's own to change": async (db) => {
    const statement = db.prepare("SELECT 1 AS a");
    const first = (await statement.all<{ a: number }>()).results;
    first[0]!.a = 2;
    expect((await statement.all()).results).toEqual([{ a: 1 }]);
  },

  "a call that nobody waits for any more disturbs no other": async (db) => {
    await db.exec("CREATE TABLE t (i INTEGER)");
    const left = [
      db.prepare("INSERT INTO t VALUES (1)").run(),
      db.prepare("SELECT * FROM nope").all(),
      db.batch([db.prepare("INSERT INTO t VALUES (2)"), db.prepare("SELECT * FROM t")]),
    ];
    // Given up at once; what becomes of them is asked only at the end.
    const outcomes = Promise.allSettled(left);
    expect(await db.prepare("SELECT 1 AS a").first("a")).toBe(1);
    expect((await outcomes).map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(await db.prepare("SELECT count(*) AS n FROM t").first("n")).toBe(2);
  },
};
