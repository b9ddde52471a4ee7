// Owns the cases about `meta`: what a statement says about what it did.
import type { D1Database, D1Meta } from "@cloudflare/workers-types";
import { expect } from "vitest";
import type { ContractCases } from "./contract-case.ts";

async function metaOf(db: D1Database, sql: string): Promise<D1Meta> {
  return (await db.prepare(sql).run()).meta;
}

async function withRows(db: D1Database): Promise<void> {
  await db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)");
  await db.exec("INSERT INTO t (a) VALUES ('x'), ('y'), ('z')");
}

export const meta: ContractCases = {
  "every answer has D1's keys with D1's types": async (db) => {
    await withRows(db);
    for (const sql of [
      "SELECT * FROM t",
      "INSERT INTO t (a) VALUES ('q')",
      "CREATE TABLE u (x)",
      "DELETE FROM t",
    ]) {
      const meta = await metaOf(db, sql);
      for (const key of [
        "duration",
        "changes",
        "last_row_id",
        "size_after",
        "rows_read",
        "rows_written",
      ] as const) {
        expect(meta[key], `${key} of ${sql}`).toBeTypeOf("number");
        expect(meta[key]).toBeGreaterThanOrEqual(0);
      }
      expect(meta.changed_db).toBeTypeOf("boolean");
    }
  },

  "changes counts the rows of this statement only": async (db) => {
    await withRows(db);
    const counts: [sql: string, changes: number][] = [
      ["INSERT INTO t (a) VALUES ('q')", 1],
      ["SELECT * FROM t", 0],
      ["INSERT INTO t (a) VALUES ('q'), ('r')", 2],
      ["UPDATE t SET a = a WHERE id <= 2", 2],
      ["UPDATE t SET a = 'w' WHERE id = 99", 0],
      ["INSERT OR IGNORE INTO t (id) VALUES (1)", 0],
      ["REPLACE INTO t (id, a) VALUES (1, 'r')", 1],
      ["INSERT INTO t (id, a) VALUES (1, 's') ON CONFLICT (id) DO UPDATE SET a = excluded.a", 1],
      ["INSERT INTO t (a) VALUES ('q') RETURNING id", 1],
      ["DELETE FROM t WHERE id = 2", 1],
      ["CREATE TABLE u (x)", 0],
      ["SELECT 1", 0],
      ["DELETE FROM t", 6],
    ];
    for (const [sql, changes] of counts) expect((await metaOf(db, sql)).changes, sql).toBe(changes);
  },

  "last_row_id is the rowid of the INSERT": async (db) => {
    await withRows(db);
    expect((await metaOf(db, "INSERT INTO t (a) VALUES ('q')")).last_row_id).toBe(4);
    expect((await metaOf(db, "INSERT INTO t (id) VALUES (40) RETURNING id")).last_row_id).toBe(40);
    expect((await metaOf(db, "INSERT INTO t (a) VALUES ('q'), ('r')")).last_row_id).toBe(42);
  },

  "changed_db says whether the statement changed anything": async (db) => {
    await withRows(db);
    const changed: [sql: string, changed: boolean][] = [
      ["SELECT * FROM t", false],
      ["INSERT INTO t (a) VALUES ('q')", true],
      ["UPDATE t SET a = a WHERE id = 1", true],
      ["UPDATE t SET a = 'w' WHERE id = 99", false],
      ["INSERT OR IGNORE INTO t (id) VALUES (1)", false],
      ["CREATE TABLE u (x)", true],
      ["CREATE TABLE IF NOT EXISTS u (x)", false],
      ["DROP TABLE u", true],
      ["DELETE FROM t RETURNING id", true],
    ];
    for (const [sql, expected] of changed) expect((await metaOf(db, sql)).changed_db, sql).toBe(expected);
  },

  "rows_read is at least the rows returned, rows_written at least the rows changed": async (db) => {
    await withRows(db);
    expect((await metaOf(db, "SELECT * FROM t")).rows_read).toBeGreaterThanOrEqual(3);
    expect((await metaOf(db, "SELECT * FROM t")).rows_written).toBe(0);
    expect((await metaOf(db, "UPDATE t SET a = 'w'")).rows_written).toBeGreaterThanOrEqual(3);
  },

  "size_after is the size in bytes and grows with the data": async (db) => {
    await withRows(db);
    const before = (await metaOf(db, "SELECT 1")).size_after;
    expect(before).toBeGreaterThanOrEqual(4096);
    const after = (await metaOf(db, "INSERT INTO t (a) VALUES (hex(zeroblob(100000)))")).size_after;
    expect(after).toBeGreaterThan(before + 190_000);
    expect((await metaOf(db, "SELECT 1")).size_after).toBe(after);
  },
};
