// Owns the cases about parameters: how they are counted and numbered, and that a statement can be reused.
import { expect } from "vitest";
import { type ContractCases, expectSqlError, rejection } from "./contract-case.ts";

const WRONG_COUNT = "D1_ERROR: Wrong number of parameter bindings for SQL query.";

export const parameters: ContractCases = {
  "too few, too many and none are refused alike": async (db) => {
    const calls = [
      db.prepare("SELECT ?, ?").bind(1).all(),
      db.prepare("SELECT ?").all(),
      db.prepare("SELECT ?").bind(1, 2).all(),
      db.prepare("SELECT 1").bind(1).all(),
      db.prepare("SELECT ?2").bind(1).raw(),
      db.prepare("SELECT ?1, ?3").bind(1, 2).first(),
      db.prepare("SELECT ?1").run(),
    ];
    for (const { message } of await Promise.all(calls.map(rejection))) expect(message).toBe(WRONG_COUNT);
  },

  "numbered parameters may skip, repeat and change order": async (db) => {
    expect(await db.prepare("SELECT ?1, ?3").bind(1, 2, 3).raw()).toEqual([[1, 3]]);
    expect(await db.prepare("SELECT ?2, ?1").bind(1, 2).raw()).toEqual([[2, 1]]);
    expect(await db.prepare("SELECT ?, ?1, ?").bind(1, 2).raw()).toEqual([[1, 1, 2]]);
  },

  "named parameters take values by position": async (db) => {
    expect(await db.prepare("SELECT :a, @b, $c, :a").bind(1, 2, 3).raw()).toEqual([[1, 2, 3, 1]]);
  },

  "a hundred parameters are taken": async (db) => {
    const sql = `SELECT count(*) FROM (VALUES ${Array(100).fill("(?)").join(",")})`;
    expect(
      await db
        .prepare(sql)
        .bind(...Array<number>(100).fill(1))
        .raw(),
    ).toEqual([[100]]);
    expect(
      await db
        .prepare("SELECT ?100")
        .bind(...Array<number>(100).fill(7))
        .raw(),
    ).toEqual([[7]]);
  },

  "bind() makes a new statement and leaves the old one as it was": async (db) => {
    const statement = db.prepare("SELECT ? AS v");
    const one = statement.bind(1);
    const two = statement.bind(2);
    expect(one).not.toBe(statement);
    expect([await one.first("v"), await two.first("v")]).toEqual([1, 2]);
    expect(await one.bind(3).first("v")).toBe(3);
    expect([await one.first("v"), await one.first("v")]).toEqual([1, 1]);
    expect((await rejection(statement.first("v"))).message).toBe(WRONG_COUNT);
    expect(await db.prepare("SELECT 1 AS v").bind().first("v")).toBe(1);
  },

  "a statement may be made before its table": async (db) => {
    const statement = db.prepare("SELECT * FROM later");
    await expectSqlError(statement.all(), "no such table: later", "SQLITE_ERROR");
    await db.exec("CREATE TABLE later (x)");
    expect((await statement.all()).results).toEqual([]);
    await db.exec("ALTER TABLE later ADD COLUMN y DEFAULT 2");
    await db.exec("INSERT INTO later (x) VALUES (1)");
    expect((await statement.all()).results).toEqual([{ x: 1, y: 2 }]);
  },

  "LIMIT and OFFSET take whole numbers only": async (db) => {
    const sql = "SELECT value FROM json_each('[1,2,3]') LIMIT ? OFFSET ?";
    expect(await db.prepare(sql).bind(1, 1).raw()).toEqual([[2]]);
    await expectSqlError(db.prepare(sql).bind(1.5, 0).raw(), "datatype mismatch", "SQLITE_MISMATCH");
  },
};
