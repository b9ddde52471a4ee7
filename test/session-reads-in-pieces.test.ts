// Holds: a session reads a statement's rows in pieces, and holds nothing more once that has ended, however it ends;
// neither its own close nor its database's fails because somebody reads.
import { expect, test } from "vitest";
import { tempDatabase } from "./support/temp-database.ts";

const ROWS =
  "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i AS n FROM n";
const ARRAYS = { rows: "arrays" } as const;

test("pieces are bounded, come in order, and end with an empty one", async () => {
  const handle = await tempDatabase();
  const session = await handle.session();
  const reader = session.read!({ sql: ROWS, params: [50_000] }, ARRAYS);
  const seen: unknown[] = [];
  let pieces = 0;
  for (let piece = await reader.next(); piece.rows.length > 0; piece = await reader.next()) {
    expect(piece.rows.length).toBeLessThan(10_000);
    expect(piece.columns).toEqual(["n"]);
    seen.push(...piece.rows.flat());
    expect(piece.meta.rows_read).toBe(seen.length);
    pieces++;
  }
  expect(seen).toEqual(Array.from({ length: 50_000 }, (_, index) => index + 1));
  expect(pieces).toBeGreaterThan(5);
  expect((await reader.next()).rows).toEqual([]);
  expect((await session.run({ sql: "SELECT 1 AS one", params: [] })).rows).toEqual([{ one: 1 }]);
  await session.close();
});

test("a reader that is closed lets its session go on, and commit", async () => {
  const handle = await tempDatabase();
  const session = await handle.session();
  const run = (sql: string) => session.run({ sql, params: [] });
  await run("BEGIN IMMEDIATE");
  await run("CREATE TABLE made (a)");
  const reader = session.read!({ sql: ROWS, params: [1e9] }, ARRAYS);
  await reader.next();
  reader.close();
  reader.close();
  await expect(reader.next()).rejects.toMatchObject({ code: "CLOSED" });
  await run("COMMIT");
  await session.close();
  expect((await handle.run({ sql: "SELECT count(*) AS n FROM made", params: [] })).rows).toEqual([{ n: 0 }]);
});

test("a session, or a database, that is closed while it is read ends the reader", async () => {
  const handle = await tempDatabase();
  const session = await handle.session();
  await session.run({ sql: "BEGIN IMMEDIATE", params: [] });
  const first = session.read!({ sql: ROWS, params: [1e9] }, ARRAYS);
  await first.next();
  await session.close();
  await expect(first.next()).rejects.toMatchObject({ code: "CLOSED" });

  const next = await handle.session();
  const second = next.read!({ sql: ROWS, params: [1e9] }, ARRAYS);
  await second.next();
  await handle.close();
  await expect(second.next()).rejects.toMatchObject({ code: "CLOSED" });
  await next.close();
});

test("what could write, or has a limit, is told so", async () => {
  const handle = await tempDatabase();
  const session = await handle.session();
  await session.run({ sql: "CREATE TABLE made (a)", params: [] });
  const INSERT = { sql: "INSERT INTO made VALUES (1) RETURNING a", params: [] };
  expect(() => session.read!(INSERT)).toThrow(expect.objectContaining({ code: "READ_ONLY" }));
  const reader = session.read!({ sql: ROWS, params: [100] }, { ...ARRAYS, maxRows: 10 });
  expect((await reader.next()).rows).toHaveLength(10);
  await expect(reader.next()).rejects.toMatchObject({ code: "TOO_MANY_ROWS" });
  await session.close();
});
