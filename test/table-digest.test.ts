// Holds the digest of a table to telling every difference of content, and none of order or place.
import { hash } from "node:crypto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type TableDigest, tableDigests } from "../src/database/table-digest.ts";
import { SCHEMA_TABLE } from "../src/database/table-shape.ts";
import type { LocalHandle } from "../src/drivers/local/local-handle.ts";
import { tempDatabase } from "./support/temp-database.ts";

const sha256 = (bytes: Uint8Array): Uint8Array => hash("sha256", bytes, "buffer");

async function digests(handle: LocalHandle): Promise<Map<string, TableDigest>> {
  const all = new Map<string, TableDigest>();
  for await (const one of tableDigests(handle, { sha256 })) all.set(one.table, one);
  return all;
}

/** The digest of a table with those rows, given as SQL literals. */
async function ofRows(rows: readonly string[], create = "CREATE TABLE c (a, b)"): Promise<TableDigest> {
  const handle = await tempDatabase();
  await handle.exec(create);
  for (const row of rows) await handle.exec(`INSERT INTO c VALUES (${row})`);
  const found = (await digests(handle)).get("c");
  expect(found?.rows).toBe(rows.length);
  return found!;
}

test("values that differ in class or in a bit differ", async () => {
  const values = [
    "1",
    "1.0",
    "'1'",
    "x'31'",
    "NULL",
    "''",
    "x''",
    "0",
    "-0.0",
    "9e999",
    "-9e999",
    "9223372036854775807",
    "9223372036854775806",
    "9223372036854775807.0",
    "0.1",
    "0.1000000000000000195",
    // Texts that are no UTF-8, or end at a NUL for who reads them as C does.
    "CAST(x'ff' AS TEXT)",
    "CAST(x'fe' AS TEXT)",
    "CAST(x'6100' AS TEXT)",
    "CAST(x'610062' AS TEXT)",
    "'a'",
  ];
  const seen = new Map<string, string>();
  for (const value of values) {
    const { digest } = await ofRows([`${value}, 0`]);
    expect(seen.get(digest), `${value} and ${seen.get(digest)}`).toBeUndefined();
    seen.set(digest, value);
  }
  // Where a value stands counts, and so does where one ends.
  expect((await ofRows(["'ab', 'c'"])).digest).not.toBe((await ofRows(["'a', 'bc'"])).digest);
});

test("rows count as often as they are there, in any order and under any rowid", async () => {
  const rows = ["1, 'a'", "2, 'b'", "2, 'b'", "NULL, x'00'"];
  const one = await ofRows(rows);
  expect(await ofRows(rows.toReversed())).toEqual(one);
  expect((await ofRows(rows.slice(1))).digest).not.toBe(one.digest);
  expect((await ofRows([...rows, "2, 'b'", "2, 'b'"])).digest).not.toBe(one.digest);
});

test("any two sets of rows that differ in one value differ, whatever it is", async () => {
  const value = fc.oneof(
    fc.maxSafeInteger().map(String),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => `CAST(${n} AS REAL)`),
    fc.string({ maxLength: 8 }).map((text) => `CAST(x'${Buffer.from(text).toString("hex")}' AS TEXT)`),
    fc.uint8Array({ maxLength: 8 }).map((bytes) => `x'${Buffer.from(bytes).toString("hex")}'`),
    fc.constant("NULL"),
  );
  const handle = await tempDatabase();
  await handle.exec("CREATE TABLE c (a)");
  await fc.assert(
    fc.asyncProperty(
      fc.array(value, { minLength: 1, maxLength: 5 }),
      value,
      fc.nat(4),
      async (rows, other, at) => {
        const write = async (all: readonly string[]): Promise<TableDigest> => {
          await handle.exec(`DELETE FROM c; ${all.map((one) => `INSERT INTO c VALUES (${one});`).join("")}`);
          return (await digests(handle)).get("c")!;
        };
        const place = at % rows.length;
        const before = await write(rows);
        const { rows: equal } = await handle.run(
          {
            sql: `SELECT (SELECT ${rows[place]}) IS (SELECT ${other}) AND typeof(${rows[place]}) = typeof(${other})`,
            params: [],
          },
          { rows: "arrays" },
        );
        const after = await write(rows.with(place, other));
        expect(after.digest === before.digest).toBe((equal as number[][])[0]?.[0] === 1);
        expect(await write([...rows].toReversed())).toEqual(before);
      },
    ),
    { numRuns: 60 },
  );
});

test("tables of every shape are read to their end, page by page", async () => {
  const shapes = {
    plain: "CREATE TABLE c (a, b)",
    keyed: "CREATE TABLE c (a INTEGER PRIMARY KEY, b)",
    rowidless: "CREATE TABLE c (a, b, PRIMARY KEY (b DESC, a)) WITHOUT ROWID",
    "with a column named rowid": "CREATE TABLE c (rowid, b)",
    "with all the rowid's names": "CREATE TABLE c (rowid, _rowid_, oid)",
    generated: "CREATE TABLE c (a, b, d AS (a || b) STORED)",
  };
  for (const [shape, create] of Object.entries(shapes)) {
    const handle = await tempDatabase();
    await handle.exec(create);
    const columns = shape.includes("names") ? "1, n" : "n, CASE n % 3 WHEN 0 THEN printf('%d', n) ELSE n END";
    const target = shape === "generated" ? "c (a, b)" : shape.includes("names") ? "c (_rowid_, oid)" : "c";
    await handle.exec(
      `INSERT INTO ${target} WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 3500) SELECT ${columns} FROM s`,
    );
    const before = (await digests(handle)).get("c");
    expect(before?.rows, shape).toBe(3500);
    await handle.exec(
      `UPDATE c SET ${shape.includes("names") ? "oid" : "b"} = 'other' WHERE ${shape.includes("names") ? "oid" : shape.includes("named") ? "rowid" : "a"} = 3499`,
    );
    expect((await digests(handle)).get("c")?.digest, shape).not.toBe(before?.digest);
  }
});

test("the schema counts, what others keep beside the content does not, and full-text content does", async () => {
  const handle = await tempDatabase();
  const before = await digests(handle);
  await handle.exec("CREATE TABLE _litestream_seq (id); INSERT INTO _litestream_seq VALUES (1); ANALYZE");
  const beside = await digests(handle);
  expect([...beside]).toEqual([...before]);
  await handle.exec("CREATE INDEX by_v ON t (v)");
  expect((await digests(handle)).get(SCHEMA_TABLE)?.digest).not.toBe(before.get(SCHEMA_TABLE)?.digest);
  await handle.exec("CREATE VIRTUAL TABLE words USING fts5 (word); INSERT INTO words VALUES ('one')");
  const searched = await digests(handle);
  expect(searched.has("words")).toBe(false);
  await handle.exec("INSERT INTO words VALUES ('two')");
  expect((await digests(handle)).get("words_content")).toMatchObject({ rows: 2 });
  expect(searched.get("words_content")).toMatchObject({ rows: 1 });
});
