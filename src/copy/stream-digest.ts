// Owns a fast digest of every table of a SQLite file: rows are put into bytes by SQLite itself, thousands at a time,
// in the order of their keys. For two sides of one SQLite: other engines write the same REAL in other digits, and
// those are compared by database/table-digest.ts.
import { createHash } from "node:crypto";
import type { SqlRunner } from "../drivers/driver.ts";
import { isContent, type TableDigest } from "../database/table-digest.ts";
import { SCHEMA_SHAPE, type TableShape, tableShapes } from "../database/table-shape.ts";
import { quotedName } from "../sql/quoted-name.ts";

/** Bytes that are in memory at once. */
const PAGE_BYTES = 4 * 1024 * 1024;
const MAX_PAGE_ROWS = 5_000;

/** Every table, virtual ones by those in which they keep their content, and the schema as `sqlite_schema`. */
export async function* streamDigests(db: SqlRunner): AsyncGenerator<TableDigest, void, undefined> {
  for await (const shape of tableShapes(db, isContent)) yield await digestOf(db, shape);
  yield await digestOf(db, SCHEMA_SHAPE);
}

/** Pages by their last key; without a way to tell rows apart, by counting them off. */
async function digestOf(db: SqlRunner, { name, columns, key, rowid }: TableShape): Promise<TableDigest> {
  const table = quotedName(name);
  const counted = rowid === null ? columns : [...new Set([rowid, ...columns])];
  const limit = await pageRows(db, table, counted);
  const line = counted.map(inBytes).join(" || ");
  const hash = createHash("sha256");
  let count = 0;
  const read = async (where: string, params: readonly unknown[]): Promise<number> => {
    const { rows } = await db.run(
      {
        sql: `SELECT CAST(group_concat(line, '') AS BLOB), count(*)
              FROM (SELECT ${line} AS line FROM ${table} ${where})`,
        params,
      },
      { rows: "arrays" },
    );
    const [bytes, found] = rows[0] as [Uint8Array | null, number];
    if (bytes !== null) hash.update(bytes);
    count += found;
    return found;
  };
  if (key.length === 0) {
    while ((await read("LIMIT ? OFFSET ?", [limit, count])) === limit);
    return { table: name, rows: count, digest: hash.digest("hex") };
  }
  const keys = key.map(quotedName).join(", ");
  const marks = key.map(() => "?").join(", ");
  for (let last: readonly unknown[] = []; ;) {
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
    await read(`${after} ${upTo} ORDER BY ${keys}`, [...last, ...(end ?? [])]);
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
