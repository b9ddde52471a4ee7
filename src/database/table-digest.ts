// Owns what the content of a table comes to: how many rows, and a digest that the same rows give wherever they
// lie and in whatever order. Does not compare, and does not choose the moment: whoever asks holds a transaction.
import type { SqlRunner } from "../drivers/driver.ts";
import { blobBytes, exactColumn } from "../sql/exact-value.ts";
import { quotedName } from "../sql/quoted-name.ts";

/** Rows of the first page of a table; later ones are as long as their rows are short. */
const FIRST_PAGE_ROWS = 100;
const MAX_PAGE_ROWS = 1000;
/** Bytes that a page should come to, of which a few are in memory at once. */
const PAGE_BYTES = 256 * 1024;

/** Digests are added up modulo this. */
const MODULUS = 1n << 256n;

/** The table under which the schema itself is digested. */
export const SCHEMA_TABLE = "sqlite_schema";

/** The content of one table. */
export interface TableDigest {
  readonly table: string;
  readonly rows: number;
  /** 64 hexadecimal digits. */
  readonly digest: string;
}

/** Options of {@link tableDigests}. */
export interface TableDigestOptions {
  /** SHA-256 of `bytes`, of which the 32 bytes are given. Node's is ten times as fast as a portable one. */
  readonly sha256: (bytes: Uint8Array) => Uint8Array;
  /** @default every table but SQLite's, Litestream's and Cloudflare's own */
  readonly includes?: (table: string) => boolean;
}

interface Shape {
  readonly name: string;
  readonly columns: readonly string[];
  /** What the rows are ordered by, and pages go on from: a rowid's name, or the columns of the primary key. */
  readonly key: readonly string[];
}

/**
 * Every table by name, virtual ones by the tables that they keep their content in, and the schema as
 * {@link SCHEMA_TABLE}. Exact for every storage class: 1, 1.0, '1' and x'31' differ, as do two texts that are
 * no UTF-8. The order of the rows does not count, nor does a rowid that is no column. Run it on a connection
 * with an open read transaction, or the tables are of different moments.
 *
 * @example
 * for await (const { table, rows, digest } of tableDigests(session, { sha256 })) …
 */
export async function* tableDigests(
  db: SqlRunner,
  { sha256, includes = isContent }: TableDigestOptions,
): AsyncGenerator<TableDigest, void, undefined> {
  yield await digestOf(db, SCHEMA, sha256, includes);
  const { rows } = await db.run(
    {
      sql: `SELECT name, wr FROM pragma_table_list
            WHERE schema = 'main' AND type IN ('table', 'shadow') ORDER BY name`,
      params: [],
    },
    { rows: "arrays" },
  );
  for (const [name, withoutRowid] of rows as [string, number][]) {
    if (name !== SCHEMA_TABLE && includes(name)) {
      yield await digestOf(db, await shapeOf(db, name, withoutRowid !== 0), sha256);
    }
  }
}

/** Whether a table's rows are somebody's: `sqlite_sequence` is, what `ANALYZE` noted is not. */
export function isContent(table: string): boolean {
  return table === "sqlite_sequence" || !/^(?:sqlite_|_litestream_|_cf_)/i.test(table);
}

const SCHEMA: Shape = {
  name: SCHEMA_TABLE,
  columns: ["type", "name", "tbl_name", "sql"],
  key: ["rowid"],
};

async function shapeOf(db: SqlRunner, name: string, withoutRowid: boolean): Promise<Shape> {
  const { rows } = await db.run(
    { sql: "SELECT name, pk, hidden FROM pragma_table_xinfo(?)", params: [name] },
    { rows: "arrays" },
  );
  const all = rows as [column: string, key: number, hidden: number][];
  const names = new Set(all.map(([column]) => column.toLowerCase()));
  // What is computed from other columns says nothing new.
  const columns = all.filter(([, , hidden]) => hidden < 2).map(([column]) => column);
  if (withoutRowid) {
    const key = all.filter(([, place]) => place > 0).toSorted(([, a], [, b]) => a - b);
    return { name, columns, key: key.map(([column]) => column) };
  }
  const rowid = ["rowid", "_rowid_", "oid"].find((one) => !names.has(one));
  // With all three names taken there is no other way to the rows than by counting them off.
  return { name, columns, key: rowid === undefined ? [] : [rowid] };
}

async function digestOf(
  db: SqlRunner,
  { name, columns, key }: Shape,
  sha256: TableDigestOptions["sha256"],
  includes?: (table: string) => boolean,
): Promise<TableDigest> {
  const keys = key.map(quotedName).join(", ");
  const select = `SELECT ${[...columns.map(exactColumn), ...key.map(quotedName)].join(", ")} FROM ${quotedName(name)}`;
  const order = key.length > 0 ? `ORDER BY ${keys} LIMIT ?` : "LIMIT ? OFFSET ?";
  const next = key.length > 0 ? `WHERE (${keys}) > (${key.map(() => "?").join(", ")})` : "";
  let sum = 0n;
  let count = 0;
  let seen = 0;
  let last: readonly unknown[] | undefined;
  for (let limit = FIRST_PAGE_ROWS; ;) {
    const page = await db.run(
      {
        sql: `${select} ${last ? next : ""} ${order}`,
        params: key.length > 0 ? [...(last ?? []), limit] : [limit, seen],
      },
      { rows: "arrays", integers: "bigint" },
    );
    const rows = page.rows as unknown[][];
    let bytes = 0;
    for (const row of rows) {
      const values = row.slice(0, columns.length);
      // Of the schema, what belongs to tables that are not looked at.
      if (includes && !includes(String(text(values[2])))) continue;
      const encoded = encode(values);
      bytes += encoded.length;
      sum = (sum + toBigInt(sha256(encoded))) % MODULUS;
      count++;
    }
    seen += rows.length;
    last = rows.at(-1)?.slice(columns.length);
    if (rows.length < limit || last === undefined) break;
    limit = Math.max(1, Math.min(MAX_PAGE_ROWS, Math.floor((limit * PAGE_BYTES) / (bytes + 1))));
  }
  return { table: name, rows: count, digest: sum.toString(16).padStart(64, "0") };
}

const utf8 = new TextEncoder();

/** A row as bytes: of each value its class, its length and itself, so that no two rows give the same. */
function encode(values: readonly unknown[]): Uint8Array {
  const parts = values.map(encodeValue);
  const size = parts.reduce((total, { bytes }) => total + 5 + bytes.length, 0);
  const row = new Uint8Array(size);
  const view = new DataView(row.buffer);
  let at = 0;
  for (const { storage, bytes } of parts) {
    row[at] = storage;
    view.setUint32(at + 1, bytes.length);
    row.set(bytes, at + 5);
    at += 5 + bytes.length;
  }
  return row;
}

const NOTHING = new Uint8Array(0);
const [NULL, INTEGER, REAL, TEXT, BLOB] = [0, 1, 2, 3, 4];

function encodeValue(value: unknown): { readonly storage: number; readonly bytes: Uint8Array } {
  if (value === null || value === undefined) return { storage: NULL, bytes: NOTHING };
  // Integers come as text: where it is asked for them, a driver without any takes a whole REAL for one.
  if (typeof value === "bigint") return encodeValue(Number(value));
  if (typeof value === "number") {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value);
    return { storage: REAL, bytes };
  }
  if (typeof value === "string") {
    return { storage: value.startsWith("x") ? BLOB : INTEGER, bytes: utf8.encode(value) };
  }
  return { storage: TEXT, bytes: blobBytes(value) };
}

function text(value: unknown): string | null {
  return value === null || value === undefined ? null : new TextDecoder().decode(blobBytes(value));
}

function toBigInt(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  let value = 0n;
  for (let at = 0; at < 32; at += 8) value = (value << 64n) | view.getBigUint64(at);
  return value;
}
