// Owns the cases about batch(): several statements, one transaction.
import { expect } from "vitest";
import { type ContractCases, expectSqlError, rejection } from "./contract-case.ts";

export const batch: ContractCases = {
  "each statement has an answer, in order": async (db) => {
    await db.exec("CREATE TABLE t (i INTEGER)");
    const answers = await db.batch<{ i?: number; n?: number }>([
      db.prepare("SELECT count(*) AS n FROM t"),
      db.prepare("INSERT INTO t VALUES (?), (?)").bind(1, 2),
      db.prepare("INSERT INTO t VALUES (?) RETURNING i").bind(3),
      db.prepare("SELECT count(*) AS n FROM t"),
    ]);
    expect(answers.map(({ success }) => success)).toEqual([true, true, true, true]);
    expect(answers.map(({ results }) => results)).toEqual([[{ n: 0 }], [], [{ i: 3 }], [{ n: 3 }]]);
    expect(answers.map(({ meta }) => meta.changes)).toEqual([0, 2, 1, 0]);
    expect(answers.map(({ meta }) => meta.changed_db)).toEqual([false, true, true, false]);
  },

  "an error rolls back the whole batch": async (db) => {
    await db.exec("CREATE TABLE t (i INTEGER UNIQUE)");
    const insert = db.prepare("INSERT INTO t VALUES (?)");
    await expectSqlError(
      db.batch([insert.bind(1), insert.bind(2), insert.bind(1)]),
      "UNIQUE constraint failed: t.i",
      "SQLITE_CONSTRAINT",
      "SQLITE_CONSTRAINT_UNIQUE",
    );
    await expectSqlError(
      db.batch([insert.bind(1), db.prepare("INSERT INTO nope VALUES (1)")]),
      "no such table: nope",
      "SQLITE_ERROR",
    );
    await rejection(db.batch([insert.bind(1), db.prepare("SELECT ?")]));
    expect(await db.prepare("SELECT count(*) AS n FROM t").first("n")).toBe(0);
    await db.batch([insert.bind(1)]);
    expect(await db.prepare("SELECT count(*) AS n FROM t").first("n")).toBe(1);
  },

  "one that its caller gives up is done as a whole or not at all, and holds nobody up": async (db) => {
    await db.exec("CREATE TABLE t (i INTEGER)");
    const insert = db.prepare("INSERT INTO t VALUES (?)");
    const givenUp = db.batch(Array.from({ length: 50 }, (_, n) => insert.bind(n)));
    const count = (): Promise<unknown> => db.prepare("SELECT count(*) AS n FROM t").first("n");
    expect([0, 50]).toContain(await count());
    await givenUp;
    expect(await count()).toBe(50);
  },

  "a later statement may need what an earlier one made": async (db) => {
    const answers = await db.batch([
      db.prepare("CREATE TABLE made (x)"),
      db.prepare("INSERT INTO made VALUES (1)"),
      db.prepare("SELECT x FROM made"),
    ]);
    expect(answers[2]?.results).toEqual([{ x: 1 }]);
  },

  "an empty batch is refused": async (db) => {
    expect((await rejection(db.batch([]))).message).toBe("D1_ERROR: No SQL statements detected.");
  },

  "what is no array of statements is refused": async (db) => {
    await rejection(db.batch("SELECT 1" as never));
    await rejection(db.batch(["SELECT 1"] as never));
    await rejection(db.batch([{}] as never));
  },

  "the same statement may be there twice": async (db) => {
    const statement = db.prepare("SELECT 1 AS a");
    const answers = await db.batch([statement, statement]);
    expect(answers.map(({ results }) => results)).toEqual([[{ a: 1 }], [{ a: 1 }]]);
  },

  "foreign keys can be deferred to its end": async (db) => {
    await db.exec("CREATE TABLE parent (id INTEGER PRIMARY KEY)");
    await db.exec("CREATE TABLE child (p INTEGER REFERENCES parent (id))");
    const child = db.prepare("INSERT INTO child VALUES (1)");
    const parent = db.prepare("INSERT INTO parent VALUES (1)");
    await expectSqlError(
      db.batch([child, parent]),
      "FOREIGN KEY constraint failed",
      "SQLITE_CONSTRAINT",
      "SQLITE_CONSTRAINT_FOREIGNKEY",
    );
    await db.batch([db.prepare("PRAGMA defer_foreign_keys = ON"), child, parent]);
    expect(await db.prepare("SELECT count(*) AS n FROM child").first("n")).toBe(1);
    await expectSqlError(
      db.prepare("INSERT INTO child VALUES (2)").run(),
      "FOREIGN KEY constraint failed",
      "SQLITE_CONSTRAINT",
      "SQLITE_CONSTRAINT_FOREIGNKEY",
    );
  },

  "batches and statements made at once do not mix": async (db) => {
    await db.exec("CREATE TABLE t (i INTEGER)");
    const count = db.prepare("SELECT count(*) AS n FROM t");
    const insert = db.prepare("INSERT INTO t VALUES (1)");
    const [one, two, seen] = await Promise.all([
      db.batch<{ n: number }>([insert, insert, count]),
      db.batch<{ n: number }>([insert, insert, count]),
      count.first<number>("n"),
    ]);
    expect([one[2]?.results[0]?.n, two[2]?.results[0]?.n].sort()).toEqual([2, 4]);
    expect([0, 2, 4]).toContain(seen);
  },
};
