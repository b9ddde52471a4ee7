// Owns the cases about exec(): SQL as text, a statement a line.
import { expect } from "vitest";
import { type ContractCases, rejection } from "./contract-case.ts";

export const exec: ContractCases = {
  "it counts the statements when each has a line": async (db) => {
    const one = await db.exec("CREATE TABLE t (i INTEGER)");
    expect(one).toEqual({ count: 1, duration: expect.any(Number) });
    expect((await db.exec("INSERT INTO t VALUES (1);\nINSERT INTO t VALUES (2)")).count).toBe(2);
    expect((await db.exec("\n\nINSERT INTO t VALUES (3);\n\nINSERT INTO t VALUES (4);\r\n\n")).count).toBe(2);
    expect(await db.prepare("SELECT count(*) AS n FROM t").first("n")).toBe(4);
  },

  "several statements in a line all run": async (db) => {
    await db.exec("CREATE TABLE t (i INTEGER)");
    await db.exec("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);");
    expect(await db.prepare("SELECT count(*) AS n FROM t").first("n")).toBe(2);
  },

  "its errors say D1_EXEC_ERROR and SQLite's words": async (db) => {
    for (const [sql, words] of [
      ["SELEC 1", 'near "SELEC": syntax error'],
      ["INSERT INTO nope VALUES (1)", "no such table: nope"],
    ] as const) {
      const error = await rejection(db.exec(sql));
      expect(error.message).toMatch(/^D1_EXEC_ERROR: /);
      expect(error.message).toContain(words);
      expect((error.cause as Error).message).toContain(words);
    }
  },

  "text without a statement is refused": async (db) => {
    for (const sql of ["", "  \n "]) {
      expect((await rejection(db.exec(sql))).message).toMatch(
        /^D1_EXEC_ERROR: .*No SQL statements detected\.$/,
      );
    }
  },

  "a parameter has nothing to take its value from": async (db) => {
    expect((await rejection(db.exec("SELECT ?"))).message).toMatch(
      /^D1_EXEC_ERROR: .*Wrong number of parameter bindings for SQL query\.$/,
    );
  },

  "an error in a later line undoes the earlier ones": async (db) => {
    await db.exec("CREATE TABLE t (i INTEGER)");
    await rejection(db.exec("INSERT INTO t VALUES (1)\nINSERT INTO nope VALUES (1)"));
    expect(await db.prepare("SELECT count(*) AS n FROM t").first("n")).toBe(0);
  },

  "a transaction statement is refused": async (db) => {
    expect((await rejection(db.exec("BEGIN"))).message).toMatch(/^D1_EXEC_ERROR: .*To execute a transaction/);
    expect((await db.exec("SELECT 1")).count).toBe(1);
  },
};
