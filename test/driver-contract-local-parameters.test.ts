// Owns the proof that values given by position reach the parameters that SQLite means, whatever their names.
// SQLite's own EXPLAIN says which parameter each column reads.
import Database from "better-sqlite3";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { byName, parameterNames } from "../src/drivers/local/parameter-names.ts";

const variable = fc.oneof(
  fc.constant("?"),
  fc.integer({ min: 1, max: 9 }).map((n) => `?${n}`),
  fc.constantFrom(":a", "@b", "$c", ":long_name", "?007"),
);
const between = fc.constantFrom(",", ", /* ? :x */ ", ", -- ?9\n", ", ':y ?8', ", ', "?7", ');

test("each value reaches the parameter of its position", () => {
  const sqlite = new Database(":memory:");
  sqlite.exec('CREATE TABLE t ("?7"); INSERT INTO t VALUES (0)');
  fc.assert(
    fc.property(fc.array(fc.tuple(variable, between), { minLength: 1, maxLength: 8 }), (parts) => {
      const columns = parts.map(([name, comma], at) => name + (at < parts.length - 1 ? comma : "")).join("");
      const sql = `SELECT ${columns} FROM t`;
      const names = parameterNames(sql) ?? parts.map(() => undefined);
      const values = byName(
        names,
        names.map((_, index) => index + 1),
      );
      const read = sqlite
        .prepare<unknown[], unknown[]>(sql)
        .raw()
        .get(...values)!
        .filter((value) => typeof value === "number" && value > 0);
      const meant = sqlite
        .prepare<unknown[], { opcode: string; p1: number; p2: number }>(`EXPLAIN ${sql}`)
        .all(...values)
        .filter(({ opcode }) => opcode === "Variable")
        .sort((one, other) => one.p2 - other.p2)
        .map(({ p1 }) => p1);
      expect(read).toEqual(meant);
    }),
    { numRuns: 500 },
  );
  sqlite.close();
});

test("SQL whose parameters have no names is left alone", () => {
  for (const sql of ["SELECT ?", "SELECT 1", "SELECT '12:30', ?", "SELECT ? -- :a", 'SELECT "$x", ?, `@y`']) {
    expect(parameterNames(sql)).toBeUndefined();
  }
});
