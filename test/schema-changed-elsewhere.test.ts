// Holds: what a connection says of a schema that another connection has changed is what it is now, also where
// SQLite itself answers from what it last read: refused statements, descriptions, and query plans.
import { expect, test } from "vitest";
import type { Session } from "../src/drivers/driver.ts";
import { tempDatabase } from "./support/temp-database.ts";

const PLAN = "EXPLAIN QUERY PLAN SELECT * FROM notes WHERE a = 1";

/** Two connections to one database that have both read its schema: `notes` with the columns `a` and `b`. */
async function twoSessions(): Promise<{
  readonly one: Session;
  readonly other: Session;
  run(session: Session, sql: string): Promise<unknown[]>;
}> {
  const handle = await tempDatabase();
  const [one, other] = [await handle.session(), await handle.session()];
  const run = async (session: Session, sql: string): Promise<unknown[]> =>
    (await session.run({ sql, params: [] })).rows;
  await run(one, "CREATE TABLE notes (a, b)");
  for (const session of [one, other]) await run(session, "SELECT * FROM notes");
  return { one, other, run };
}

test("a statement that fits the new columns alone is run, and one that fits the old ones alone is refused", async () => {
  const { one, other, run } = await twoSessions();
  await run(other, "ALTER TABLE notes ADD COLUMN c");
  await run(one, "INSERT INTO notes VALUES (1, 2, 3)");
  await expect(run(one, "INSERT INTO notes VALUES (1, 2)")).rejects.toThrow(/has 3 columns but 2 values/);
  await run(other, "DROP TABLE notes");
  await expect(run(one, "INSERT INTO notes VALUES (1, 2, 3, 4)")).rejects.toThrow(/no such table: notes/);
});

test("so are those that were prepared before the connection itself changed the schema", async () => {
  const { one, other, run } = await twoSessions();
  const add = "ALTER TABLE notes ADD COLUMN c";
  const insert = "INSERT INTO notes VALUES (1, 2, 3)";
  await run(one, add);
  await run(one, insert);
  await run(one, "ALTER TABLE notes DROP COLUMN c");
  await run(other, add);
  await run(one, insert);
  await expect(run(one, add)).rejects.toThrow(/duplicate column name/);
  await run(other, "DROP TABLE notes");
  await expect(run(one, add)).rejects.toThrow(/no such table: notes/);
});

test("the same within a transaction, which sees what is so in it", async () => {
  const { one, other, run } = await twoSessions();
  await run(one, "BEGIN");
  expect(await run(one, "SELECT count(*) AS n FROM notes")).toEqual([{ n: 0 }]);
  await run(other, "ALTER TABLE notes ADD COLUMN c");
  await expect(run(one, "INSERT INTO notes VALUES (1, 2, 3)")).rejects.toThrow(/has 2 columns but 3 values/);
  await run(one, "ROLLBACK");
  await run(one, "INSERT INTO notes VALUES (1, 2, 3)");
});

test("a plan is made with the indexes that there are", async () => {
  const { one, other, run } = await twoSessions();
  expect(await run(one, PLAN)).toMatchObject([{ detail: "SCAN notes" }]);
  await run(other, "CREATE INDEX by_a ON notes (a)");
  expect(await run(one, PLAN)).toMatchObject([{ detail: expect.stringContaining("by_a") as unknown }]);
  await run(other, "DROP TABLE notes");
  await expect(run(one, PLAN)).rejects.toThrow(/no such table: notes/);
});

test("a description has the columns that there are", async () => {
  const { one, other, run } = await twoSessions();
  const names = (): string[] => one.describe("SELECT * FROM notes").columns.map(({ name }) => name);
  expect(names()).toEqual(["a", "b"]);
  await run(other, "ALTER TABLE notes ADD COLUMN c");
  expect(names()).toEqual(["a", "b", "c"]);
  await run(other, "DROP TABLE notes");
  expect(names).toThrow(/no such table: notes/);
});

test("so has a pragma", async () => {
  const { one, other, run } = await twoSessions();
  expect(await run(one, "SELECT name FROM pragma_table_info('notes')")).toEqual([
    { name: "a" },
    { name: "b" },
  ]);
  await run(other, "ALTER TABLE notes RENAME COLUMN b TO z");
  expect(await run(one, "SELECT name FROM pragma_table_info('notes')")).toEqual([
    { name: "a" },
    { name: "z" },
  ]);
});

test("a statement whose trigger was there, or gone, when it was prepared counts as a write", async () => {
  const { one, other, run } = await twoSessions();
  const make = "CREATE TRIGGER IF NOT EXISTS g AFTER INSERT ON notes BEGIN SELECT 1; END";
  const drop = "DROP TRIGGER IF EXISTS g";
  for (const sql of [make, drop]) {
    await run(other, sql);
    await run(one, "SELECT * FROM notes");
    await run(one, sql);
  }
  for (const sql of [make, drop]) {
    const asRead = one.run({ sql, params: [] }, { readOnly: true });
    await expect(asRead).rejects.toMatchObject({ code: "READ_ONLY" });
  }
  await run(other, "CREATE TRIGGER g AFTER INSERT ON notes BEGIN SELECT 1; END");
  await run(other, "BEGIN IMMEDIATE");
  await run(other, "DROP TRIGGER g");
  const waits = run(one, make);
  await run(other, "COMMIT");
  await waits;
  expect(await run(one, "SELECT name FROM sqlite_schema WHERE type = 'trigger'")).toEqual([{ name: "g" }]);
});
