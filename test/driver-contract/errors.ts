// Owns the cases about SQL errors: D1's words for each of SQLite's refusals.
import type { D1Database } from "@cloudflare/workers-types";
import { expect } from "vitest";
import { type ContractCases, expectSqlError, rejection } from "./contract-case.ts";

async function withTables(db: D1Database): Promise<void> {
  await db.exec("CREATE TABLE p (id INTEGER PRIMARY KEY, a TEXT)");
  await db.exec(
    "CREATE TABLE c (email TEXT NOT NULL UNIQUE, age INTEGER CHECK (age > 0), code TEXT CONSTRAINT named CHECK (code <> 'x'), p INTEGER REFERENCES p (id))",
  );
  await db.exec("CREATE TABLE k (x TEXT, y INTEGER, PRIMARY KEY (x, y)) WITHOUT ROWID");
  await db.exec("CREATE TABLE s (i INT) STRICT");
  await db.exec("INSERT INTO p (id) VALUES (1)");
  await db.exec("INSERT INTO c (email) VALUES ('a')");
  await db.exec("INSERT INTO k VALUES ('q', 1)");
}

const CONSTRAINTS: [sql: string, message: string, extended: string][] = [
  ["INSERT INTO c (email) VALUES ('a')", "UNIQUE constraint failed: c.email", "SQLITE_CONSTRAINT_UNIQUE"],
  ["INSERT INTO c (age) VALUES (1)", "NOT NULL constraint failed: c.email", "SQLITE_CONSTRAINT_NOTNULL"],
  [
    "INSERT INTO c (email, age) VALUES ('b', -1)",
    "CHECK constraint failed: age > 0",
    "SQLITE_CONSTRAINT_CHECK",
  ],
  [
    "INSERT INTO c (email, code) VALUES ('b', 'x')",
    "CHECK constraint failed: named",
    "SQLITE_CONSTRAINT_CHECK",
  ],
  [
    "INSERT INTO c (email, p) VALUES ('b', 99)",
    "FOREIGN KEY constraint failed",
    "SQLITE_CONSTRAINT_FOREIGNKEY",
  ],
  ["INSERT INTO p (id) VALUES (1)", "UNIQUE constraint failed: p.id", "SQLITE_CONSTRAINT_PRIMARYKEY"],
  ["INSERT INTO k VALUES ('q', 1)", "UNIQUE constraint failed: k.x, k.y", "SQLITE_CONSTRAINT_PRIMARYKEY"],
  ["INSERT INTO s VALUES ('abc')", "cannot store TEXT value in INT column s.i", "SQLITE_CONSTRAINT_DATATYPE"],
];

const ERRORS: [sql: string, message: string, code?: string][] = [
  ["SELEC 1", 'near "SELEC": syntax error'],
  ["SELECT * FROM p WHERE", "incomplete input"],
  ["SELECT 'abc", 'unrecognized token: "\'abc"'],
  ["SELECT #", 'unrecognized token: "#"'],
  ["SELECT * FROM nope", "no such table: nope"],
  ["INSERT INTO nope VALUES (1)", "no such table: nope"],
  ["SELECT nope FROM p", "no such column: nope"],
  ["INSERT INTO p (nope) VALUES (1)", "table p has no column named nope"],
  ["INSERT INTO p VALUES (1)", "table p has 2 columns but 1 values were supplied"],
  ["SELECT nope(1)", "no such function: nope"],
  ["SELECT abs(1, 2)", "wrong number of arguments to function abs()"],
  ["CREATE TABLE p (x)", "table p already exists"],
  ["SELECT id FROM p, p AS q", "ambiguous column name: id"],
  ["SELECT abs(-9223372036854775808)", "integer overflow"],
  ["SELECT json('{')", "malformed JSON"],
  ["INSERT INTO p (id) VALUES ('abc')", "datatype mismatch", "SQLITE_MISMATCH"],
  ["SELECT zeroblob(3000000000)", "string or blob too big", "SQLITE_TOOBIG"],
];

export const errors: ContractCases = {
  "a broken constraint": async (db) => {
    await withTables(db);
    for (const [sql, message, extended] of CONSTRAINTS) {
      await expectSqlError(db.prepare(sql).run(), message, "SQLITE_CONSTRAINT", extended);
    }
  },

  "SQL that SQLite cannot run": async (db) => {
    await withTables(db);
    for (const [sql, message, code = "SQLITE_ERROR"] of ERRORS) {
      await expectSqlError(db.prepare(sql).all(), message, code);
    }
  },

  "every way to run a statement fails alike": async (db) => {
    const statement = db.prepare("SELECT * FROM nope");
    const calls = [
      statement.all(),
      statement.run(),
      statement.first(),
      statement.raw(),
      db.batch([statement]),
    ];
    await Promise.all(calls.map((call) => expectSqlError(call, "no such table: nope", "SQLITE_ERROR")));
  },

  "prepare() itself never fails, whatever the text": async (db) => {
    expect(() => [db.prepare("SELEC 1"), db.prepare(""), db.prepare("SELECT * FROM nope")]).not.toThrow();
  },

  "a failed statement leaves nothing behind": async (db) => {
    await withTables(db);
    await rejection(db.prepare("INSERT INTO p (id) VALUES (2), (3), (1)").run());
    expect(await db.prepare("SELECT count(*) AS n FROM p").first("n")).toBe(1);
    expect((await db.prepare("INSERT INTO p (id) VALUES (2)").run()).meta.changes).toBe(1);
  },

  "foreign keys are enforced without asking": async (db) => {
    expect(await db.prepare("PRAGMA foreign_keys").first("foreign_keys")).toBe(1);
  },
};
