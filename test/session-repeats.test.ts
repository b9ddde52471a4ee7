// Holds: what runs a session's write again does so in the transaction that has written, and nowhere else.
import { expect, test } from "vitest";
import type { Repeat, Session, Written } from "../src/drivers/driver.ts";
import type { LocalHandle } from "../src/drivers/local/local-handle.ts";
import { insert, tempDatabase, valuesOf } from "./support/temp-database.ts";

const { sql: INSERT } = insert("");
const statement = (sql: string): { sql: string; params: [] } => ({ sql, params: [] });

/** A session in a transaction that has written one row, and what writes more. */
async function writing(): Promise<{ handle: LocalHandle; session: Session; repeat: Repeat }> {
  const handle = await tempDatabase();
  const session = await handle.session();
  await session.run(statement("BEGIN IMMEDIATE"));
  await session.run(insert("first"));
  return { handle, session, repeat: session.repeat!(INSERT)! };
}

test("a write is run again with other parameters until its transaction ends", async () => {
  const { handle, session, repeat } = await writing();
  const again = (...params: string[][]): Written[] => {
    const done: Written[] = [];
    repeat(params, 1000, done);
    return done;
  };
  const duration: unknown = expect.any(Number);
  expect(again(["second"])).toEqual([{ changes: 1, lastRowId: 2, duration }]);
  expect(() => again([])).toThrow(/Wrong number of parameter/);
  expect(again(["third"], ["fourth"])).toHaveLength(2);
  await session.run(statement("COMMIT"));
  // From now on it would have to take its place in the line of those who write.
  expect(again(["fifth"])).toEqual([]);
  await session.close();
  expect(again(["sixth"])).toEqual([]);
  expect(await valuesOf(handle)).toEqual(["first", "second", "third", "fourth"]);
});

test("what has run is known when the one behind it fails, and when its time is up", async () => {
  const { handle, session, repeat } = await writing();
  const failed: Written[] = [];
  expect(() => repeat([["second"], ["third"], [], ["fourth"]], 1000, failed)).toThrow(/Wrong number/);
  expect(failed.map(({ lastRowId }) => lastRowId)).toEqual([2, 3]);
  const late: Written[] = [];
  repeat([["fourth"], ["fifth"]], 0.000_001, late);
  expect(late.map(({ lastRowId }) => lastRowId)).toEqual([4]);
  await session.run(statement("COMMIT"));
  await session.close();
  expect(await valuesOf(handle)).toEqual(["first", "second", "third", "fourth"]);
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
