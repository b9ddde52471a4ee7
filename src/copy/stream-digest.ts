// Owns a fast digest of every table of a SQLite file: rows are put into bytes by SQLite itself, thousands at a time,
// in the order of their keys. For two sides of one SQLite: other engines write the same REAL in other digits, and
// those are compared by database/table-digest.ts.
import { createHash } from "node:crypto";
import type { SqlRunner } from "../drivers/driver.ts";
import { isContent, type TableDigest } from "../database/table-digest.ts";
import { quotedName } from "../sql/quoted-name.ts";

/** Bytes that are in memory at once. */
const PAGE_BYTES = 4 * 1024 * 1024;
const MAX_PAGE_ROWS = 5_000;

interface Shape {
  readonly name: string;
  readonly columns: readonly string[];
  readonly key: readonly string[];
}

/** Every table, virtual ones by those in which they keep their content, and the schema as `sqlite_schema`. */
export async function* streamDigests(db: SqlRunner): AsyncGenerator<TableDigest, void, undefined> {
  const { rows } = await db.run(
    {
      sql: `SELECT name, wr FROM pragma_table_list
            WHERE schema = 'main' AND type IN ('table', 'shadow') ORDER BY name`,
      params: [],
    },
    { rows: "arrays" },
  );
  for (const [name, withoutRowid] of rows as [string, number][]) {
    if (name !== "sqlite_schema" && isContent(name)) {
      yield await digestOf(db, await shapeOf(db, name, withoutRowid !== 0));
    }
  }
  yield await digestOf(db, {
    name: "sqlite_schema",
    columns: ["type", "name", "tbl_name", "sql"],
    key: ["rowid"],
  });
}

async function shapeOf(db: SqlRunner, name: string, withoutRowid: boolean): Promise<Shape> {
  const { rows } = await db.run(
    { sql: "SELECT name, pk, hidden FROM pragma_table_xinfo(?)", params: [name] },
    { rows: "arrays" },
  );
  const all = rows as [column: string, key: number, hidden: number][];
  const names = new Set(all.map(([column]) => column.toLowerCase()));
  const columns = all.filter(([, , hidden]) => hidden < 2).map(([column]) => column);
  const rowid = ["rowid", "_rowid_", "oid"].find((one) => !names.has(one));
  if (!withoutRowid && rowid !== undefined) return { name, columns: [rowid, ...columns], key: [rowid] };
  const key = all.filter(([, place]) => place > 0).toSorted(([, a], [, b]) => a - b);
  return { name, columns, key: (key.length > 0 ? key : all).map(([column]) => column) };
}

async function digestOf(db: SqlRunner, { name, columns, key }: Shape): Promise<TableDigest> {
  const table = quotedName(name);
  const keys = key.map(quotedName).join(", ");
  const marks = key.map(() => "?").join(", ");
  const limit = await pageRows(db, table, columns);
  const line = columns.map(inBytes).join(" || ");
  const hash = createHash("sha256");
  let count = 0;
  let last: readonly unknown[] = [];
  for (;;) {
    const after = last.length > 0 ? `WHERE (${keys}) > (${marks})` : "";
    const { rows: ends } = await db.run(
      {
        sql: `SELECT ${keys} FROM ${table} ${after} ORDER BY ${keys} LIMIT 1 OFFSET ${limit - 1}`,
        params: last,
      },
      { rows: "arrays", integers: "bigint" },
    );
    const end = ends[0] as unknown[] | undefined;
    const upTo = end ? `${after === "" ? "WHERE" : "AND"} (${keys}) <= (${marks})` : "";
    const { rows } = await db.run(
      {
        sql: `SELECT CAST(group_concat(line, '') AS BLOB), count(*)
              FROM (SELECT ${line} AS line FROM ${table} ${after} ${upTo} ORDER BY ${keys})`,
        params: [...last, ...(end ?? [])],
      },
      { rows: "arrays" },
    );
    const [bytes, read] = rows[0] as [Uint8Array | null, number];
    if (bytes !== null) hash.update(bytes);
    count += read;
    if (end === undefined) return { table: name, rows: count, digest: hash.digest("hex") };
    last = end;
  }
}

/** How many rows surely fit into a page. */
async function pageRows(db: SqlRunner, table: string, columns: readonly string[]): Promise<number> {
  const width = columns.map((column) => `ifnull(octet_length(${quotedName(column)}), 0) + 16`).join(" + ");
  const { rows } = await db.run(
    { sql: `SELECT max(${width}) FROM ${table}`, params: [] },
    { rows: "arrays" },
  );
  const [widest] = rows[0] as [number | null];
  return Math.max(1, Math.min(MAX_PAGE_ROWS, Math.floor(PAGE_BYTES / (widest ?? 1))));
}

/** A value's class, its length and itself, so that no two rows give the same bytes. */
function inBytes(column: string): string {
  const c = quotedName(column);
  return `CASE typeof(${c}) WHEN 'null' THEN 'n' WHEN 'integer' THEN 'i' || ${c} || ';'
    WHEN 'real' THEN 'r' || quote(${c}) || ';'
    ELSE substr(typeof(${c}), 1, 1) || octet_length(${c}) || ':' || ${c} END`;
}
