// Owns what the content of a table comes to: how many rows, and a digest that the same rows give wherever they
// lie and in whatever order. Does not compare, and does not choose the moment: whoever asks holds a transaction.
import type { SqlRunner } from "../drivers/driver.ts";
import { blobBytes, exactColumn } from "../sql/exact-value.ts";
import { quotedName } from "../sql/quoted-name.ts";
import { readPage } from "./read-page.ts";
import { SCHEMA_SHAPE, type TableShape, tableShapes } from "./table-shape.ts";

/** Rows of the first page of a table; later ones are as long as their rows are short. */
const FIRST_PAGE_ROWS = 100;
const MAX_PAGE_ROWS = 1000;
/** Bytes that a page should come to, of which a few are in memory at once. */
const PAGE_BYTES = 256 * 1024;

/** Digests are added up modulo this. */
const MODULUS = 1n << 256n;

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
  yield await digestOf(db, SCHEMA_SHAPE, sha256, includes);
  for await (const shape of tableShapes(db, includes)) yield await digestOf(db, shape, sha256);
}

/** Whether a table's rows are somebody's: `sqlite_sequence` is, what `ANALYZE` noted is not. */
export function isContent(table: string): boolean {
  return table === "sqlite_sequence" || !/^(?:sqlite_|_litestream_|_cf_)/i.test(table);
}

async function digestOf(
  db: SqlRunner,
  { name, columns, key }: TableShape,
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
    const before = last;
    const offset = seen;
    const { rows, limit: asked } = await readPage(db, limit, (most) => ({
      sql: `${select} ${before ? next : ""} ${order}`,
      params: key.length > 0 ? [...(before ?? []), most] : [most, offset],
    }));
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
    if (rows.length < asked || last === undefined) break;
    limit = Math.max(1, Math.min(MAX_PAGE_ROWS, Math.floor((asked * PAGE_BYTES) / (bytes + 1))));
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
