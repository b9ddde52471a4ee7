// Owns making of D1's answers what a driver gives: rows in the asked shape, bytes as bytes, and their limits.
import type { ResultSet, RunOptions, Statement, StatementMeta } from "../driver.ts";
import { NO_META } from "../empty-result.ts";
import { rowsAsAsked } from "../durable-object/object-rows.ts";
import type { D1Answer } from "./d1-binding.ts";
import { resultTooLarge, tooManyRows } from "../result-limits.ts";

/** How a batch that has returned more rows than it may fails in SQL, so that it is undone (decisions/042). */
const TOO_MANY = "tenantry:rows=";

/** A statement that fails where the one before it returned more rows than `maxRows`. */
export function rowsWithin(maxRows: number): Statement {
  return { sql: `SELECT json_extract('{}', '${TOO_MANY}${maxRows}') WHERE changes() > ?`, params: [maxRows] };
}

/** The limit that such a statement found exceeded, where it is what `message` tells of. */
export function exceededRows(message: string): number | undefined {
  const [, rows] = /tenantry:rows=(\d+)/.exec(message) ?? [];
  return rows === undefined ? undefined : Number(rows);
}

/**
 * A driver's result. From objects, whose columns are told apart by their names, or from rows with the names as
 * the first.
 */
export function asResultSet(answer: D1Answer | unknown[][], options: RunOptions): ResultSet {
  const result = Array.isArray(answer) ? fromRows(answer) : fromObjects(answer);
  if (options.first) result.rows.length = Math.min(result.rows.length, 1);
  const asked = rowsAsAsked(result, options);
  assertWithin([asked], options);
  return asked;
}

/** @throws {TenantryError} `TOO_MANY_ROWS`, `RESPONSE_TOO_LARGE` */
export function assertWithin(results: readonly ResultSet[], { maxRows, maxBytes }: RunOptions): void {
  if (maxRows !== undefined && results.reduce((sum, { rows }) => sum + rows.length, 0) > maxRows) {
    throw tooManyRows(maxRows);
  }
  if (maxBytes === undefined) return;
  let bytes = 0;
  for (const { rows } of results) {
    for (const row of rows)
      for (const [name, value] of Object.entries(row)) bytes += name.length + bytesOf(value);
    if (bytes > maxBytes) {
      throw resultTooLarge(maxBytes);
    }
  }
}

type RawResult = ResultSet<unknown[]>;

function fromRows([columns = [], ...rows]: unknown[][]): RawResult {
  for (const row of rows) asBytes(row);
  return { columns: columns as string[], rows, meta: metaOf({ rows_read: rows.length }) };
}

function fromObjects({ results, meta }: D1Answer): RawResult {
  const columns = results[0] === undefined ? [] : Object.keys(results[0]);
  const rows = results.map((row) => asBytes(columns.map((name) => row[name])));
  return { columns, rows, meta: metaOf(meta) };
}

/** D1 gives a blob as an array of numbers. */
function asBytes(row: unknown[]): unknown[] {
  for (let at = 0; at < row.length; at++) {
    const value = row[at];
    if (Array.isArray(value)) row[at] = Uint8Array.from(value as number[]);
  }
  return row;
}

function metaOf(meta: Record<string, unknown>): StatementMeta {
  return { ...NO_META, ...meta };
}

function bytesOf(value: unknown): number {
  if (typeof value === "string") return value.length + 8;
  return value instanceof Uint8Array ? value.byteLength * 4 : 8;
}
