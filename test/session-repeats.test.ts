// Holds: what runs a session's write again does so in the transaction that has written, and nowhere else.
import { expect, test } from "vitest";
import { insert, tempDatabase, valuesOf } from "./support/temp-database.ts";

const { sql: INSERT } = insert("");
const statement = (sql: string): { sql: string; params: [] } => ({ sql, params: [] });

test("a write is run again with other parameters until its transaction ends", async () => {
  const handle = await tempDatabase();
  const session = await handle.session();
  await session.run(statement("BEGIN IMMEDIATE"));
  await session.run(insert("first"));
  const again = session.repeat!(INSERT)!;
  expect(again(["second"])).toEqual({ changes: 1, lastRowId: 2, duration: expect.any(Number) });
  expect(() => again([])).toThrow(/Wrong number of parameter/);
  expect(again(["third"])).toBeDefined();
  await session.run(statement("COMMIT"));
  // From now on it would have to take its place in the line of those who write.
  expect(again(["fourth"])).toBeUndefined();
  await session.close();
  expect(again(["fifth"])).toBeUndefined();
  expect(await valuesOf(handle)).toEqual(["first", "second", "third"]);
});

test("is not there for what reads, has rows or names, changes the schema, or is in no transaction", async () => {
  const handle = await tempDatabase();
  const session = await handle.session();
  await session.run(insert("alone"));
  expect(session.repeat!(INSERT)).toBeUndefined();
  await session.run(statement("BEGIN IMMEDIATE"));
  for (const sql of [
    "SELECT * FROM t",
    `${INSERT} RETURNING id`,
    "INSERT INTO t (v) VALUES (:v)",
    "CREATE TABLE other (x)",
    "SAVEPOINT here",
    "COMMIT",
  ]) {
    expect(session.repeat!(sql), sql).toBeUndefined();
  }
  expect(session.repeat!(INSERT)).toBeDefined();
  await session.close();
});
