// Where one statement ends and the next begins.
import Database from "better-sqlite3";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { splitStatements } from "../src/sql/split-statements.ts";

const TRIGGER = `CREATE TRIGGER log AFTER INSERT ON a BEGIN
  INSERT INTO b VALUES (CASE WHEN new.x = 1 THEN 'one;' ELSE 'END;' END);
  SELECT CASE new.x WHEN 1 THEN 2 END; -- END;
END`;

test.each([
  ["nothing", "", []],
  ["nothing but noise", " ;; -- a\n/* b */;\uFEFF", []],
  ["one without a semicolon", "SELECT 1", ["SELECT 1"]],
  ["comments around", "-- a\nSELECT /* in */ 1; -- b", ["SELECT /* in */ 1"]],
  [
    "semicolons in quotes",
    `SELECT ';', ";", [;], \`;\`; SELECT 2`,
    [`SELECT ';', ";", [;], \`;\``, "SELECT 2"],
  ],
  ["a trigger", `${TRIGGER}; SELECT 1;`, [TRIGGER, "SELECT 1"]],
  [
    "a temporary trigger",
    "CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END; SELECT 2",
    ["CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END", "SELECT 2"],
  ],
  [
    "an explained trigger",
    "EXPLAIN QUERY PLAN CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1;/**/END;",
    ["EXPLAIN QUERY PLAN CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1;/**/END"],
  ],
  ["a table called trigger", "CREATE TABLE trigger (a); SELECT 1", ["CREATE TABLE trigger (a)", "SELECT 1"]],
  ["a transaction", "BEGIN; SELECT 1; END; SELECT 2", ["BEGIN", "SELECT 1", "END", "SELECT 2"]],
  [
    "drizzle's breakpoints",
    "CREATE TABLE a (b);--> statement-breakpoint\nCREATE TABLE c (d);",
    ["CREATE TABLE a (b)", "CREATE TABLE c (d)"],
  ],
])("%s", (_, sql, expected) => {
  expect(splitStatements(sql)).toEqual(expected);
});

test("a NUL is refused", () => {
  expect(() => splitStatements("SELECT 1;\0 SELECT 2")).toThrow(
    expect.objectContaining({ code: "SQL_REFUSED" }),
  );
});

test("splitting and running one by one does what SQLite's exec does", () => {
  const piece = fc.constantFrom(
    "CREATE TABLE IF NOT EXISTS a (x, y DEFAULT ';')",
    "CREATE TABLE IF NOT EXISTS b (x)",
    "INSERT INTO a (x) VALUES (1), ('-- ;'), (x'3b')",
    "/* ; */ UPDATE a SET y = \"x\" || ';' WHERE [x] = 1 -- ; \n",
    `CREATE TRIGGER IF NOT EXISTS log ${TRIGGER.slice("CREATE TRIGGER log".length)}`,
    "DELETE FROM b WHERE x = 'END;'",
    "",
    " -- ; \n",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const script = ["CREATE TABLE a (x, y DEFAULT ';')", "CREATE TABLE b (x)", ...pieces].join(";");
      const whole = new Database(":memory:");
      const split = new Database(":memory:");
      try {
        whole.exec(script);
        for (const statement of splitStatements(script)) split.prepare(statement).run();
        for (const query of ["SELECT * FROM a", "SELECT * FROM b", "SELECT name, sql FROM sqlite_schema"]) {
          expect(split.prepare(query).all()).toEqual(whole.prepare(query).all());
        }
      } finally {
        whole.close();
        split.close();
      }
    }),
    { numRuns: 200 },
  );
});
