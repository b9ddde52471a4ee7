// Holds the division of an INSERT to doing what the whole does, in SQLite itself, whatever its rows are; and to
// leaving alone what it cannot be sure of.
import Database from "better-sqlite3";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { splitInsert } from "../src/drivers/split-insert.ts";

const SCHEMA = `CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a UNIQUE, b DEFAULT 7);
  CREATE TABLE seen (n INTEGER, a);
  CREATE TRIGGER note AFTER INSERT ON t BEGIN INSERT INTO seen VALUES ((SELECT count(*) FROM t), NEW.a); END;
  INSERT INTO t (a) VALUES (1), ('x');`;

function contentOf(db: Database.Database): unknown {
  return ["SELECT * FROM t ORDER BY id", "SELECT * FROM seen", "SELECT * FROM sqlite_sequence"].map((sql) =>
    db.prepare(sql).raw().all(),
  );
}

function run(statements: readonly { sql: string; params: readonly unknown[] }[]) {
  const db = new Database(":memory:");
  db.exec(SCHEMA);
  try {
    const rows = db.transaction(() =>
      statements.flatMap(({ sql, params }) => {
        const statement = db.prepare(sql);
        if (statement.reader) return statement.raw().all(...params);
        statement.run(...params);
        return [];
      }),
    )();
    return { rows, content: contentOf(db) };
  } catch (error) {
    return { error: (error as Error).message, content: contentOf(db) };
  } finally {
    db.close();
  }
}

const cell = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ sql: fc.constant("?"), params: fc.tuple(fc.integer({ min: 0, max: 30 })) }),
  },
  fc.record({
    sql: fc.constantFrom("NULL", "'it''s, (a) ?'", "x'00'", "1.5", "-2", "(1 + ?)", "? || ';'", "/* ?, */ ?"),
    params: fc.constant([]),
  }),
);

test("the pieces do what the whole does", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 12 }),
      fc.constantFrom("INSERT", "insert or ignore", "INSERT OR REPLACE", "REPLACE"),
      fc.constantFrom(
        "",
        ";",
        " -- that is all",
        " ON CONFLICT (a) DO UPDATE SET b = b + 1",
        " RETURNING id, a",
      ),
      fc.integer({ min: 1, max: 8 }),
      (rows, verb, tail, max) => {
        const conflicts = tail.includes("CONFLICT") && verb !== "INSERT";
        fc.pre(!conflicts);
        const texts = rows.map((row) => `(${row.map(({ sql }) => sql).join(" , ")})`);
        const marks =
          texts.join().replaceAll("'it''s, (a) ?'", "").replaceAll("/* ?, */", "").split("?").length - 1;
        const params = Array.from({ length: marks }, (_, n) => n % 9);
        const statement = { sql: `${verb} INTO "t" (a, b) VALUES ${texts.join(",\n")}${tail}`, params };
        const pieces = splitInsert(statement, max);
        if (pieces === undefined) return;
        for (const piece of pieces) expect(piece.params.length).toBeLessThanOrEqual(max);
        expect(run(pieces)).toEqual(run([statement]));
      },
    ),
  );
});

test.for([
  ["INSERT INTO t (a) VALUES (?), (?)", 2],
  ["REPLACE INTO main.t VALUES (1, ?, NULL), (2, ?, 3) ON CONFLICT DO NOTHING RETURNING *;", 2],
] as const)("divided: %s", ([sql, count]) => {
  expect(splitInsert({ sql, params: [1, 2] }, 1)).toHaveLength(count);
});

test.for([
  "INSERT INTO t (a) VALUES (?1), (?2)",
  "INSERT INTO t (a) VALUES (:a), (:b)",
  "INSERT INTO t (a) SELECT ? UNION SELECT ?",
  "INSERT INTO t (a) VALUES (?) UNION ALL VALUES (?)",
  "INSERT INTO t (a) VALUES (?), ((SELECT max(a) FROM t) + ?)",
  "INSERT INTO t (a) VALUES (?), (datetime('now', ?))",
  "INSERT INTO t (a, b) VALUES (?, CURRENT_TIMESTAMP), (?, 1)",
  "INSERT OR FAIL INTO t (a) VALUES (?), (?)",
  "INSERT OR ROLLBACK INTO t (a) VALUES (?), (?)",
  "INSERT INTO t (a) VALUES (?), (1) ON CONFLICT DO UPDATE SET b = ?",
  "INSERT INTO t (a) VALUES (?), (?); DELETE FROM t",
  "INSERT INTO t (a) VALUES (?), (?",
  "WITH c AS (SELECT ?) INSERT INTO t (a) VALUES (?), (1)",
  "EXPLAIN INSERT INTO t (a) VALUES (?), (?)",
  "UPDATE t SET a = ? WHERE b = ?",
  "INSERT INTO t (a, b) VALUES (?, ?)",
  "INSERT INTO t (a) VALUES (?)",
])("left alone: %s", (sql) => {
  expect(splitInsert({ sql, params: [1, 2] }, 1)).toBeUndefined();
});
