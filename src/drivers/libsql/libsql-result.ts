// Owns a libSQL result as a driver's: D1's values and meta, and the limits of an answer.
// Sends nothing.
import type { ResultSet, RunOptions } from "../driver.ts";
import type { RemoteText } from "../remote/remote-sql.ts";
import type { LibsqlResult } from "./libsql-library.ts";
import { resultTooLarge, tooManyRows } from "../result-limits.ts";

/** What an answer has taken of its limits so far. */
export interface AnswerSize {
  rows: number;
  bytes: number;
}

/** What is known beside the result itself. */
export interface ResultFacts {
  /** Milliseconds. */
  readonly duration: number;
  /** Bytes of the database when they were last asked for. */
  readonly sizeBytes: number;
  /** The last rowid, where the library does not say it: of rows that a file's statement returned. */
  readonly lastRowId?: bigint;
}

/**
 * The result as `options` ask for it.
 * @param size what earlier statements of the same answer took of its limits; this one's is added
 * @throws {TenantryError} `TOO_MANY_ROWS`, `RESPONSE_TOO_LARGE`
 */
export function toResultSet(
  { columns, columnTypes, rows, rowsAffected, lastInsertRowid }: LibsqlResult,
  text: RemoteText,
  options: RunOptions,
  facts: ResultFacts,
  size: AnswerSize = { rows: 0, bytes: 0 },
): ResultSet {
  const exact = options.integers === "bigint";
  const arrays = options.rows === "arrays";
  const taken = options.first ? rows.slice(0, 1) : rows;
  const out: ResultSet["rows"] = [];
  for (const row of taken) {
    const values = columns.map((_, index) => toValue(row[index], exact));
    count(values, options, size);
    out.push(arrays ? values : toObject(columns, values));
  }
  const writes = text.kind === "write" && !text.reads;
  // A file's client counts no changes of a statement that returns rows.
  const changes = writes ? Math.max(rowsAffected, text.returns ? rows.length : 0) : 0;
  const lastRowId = facts.lastRowId ?? lastInsertRowid ?? 0n;
  return {
    columns: arrays ? columns : [],
    rows: out,
    meta: {
      duration: facts.duration,
      changes,
      last_row_id: Number(lastRowId),
      changed_db: changes > 0 || text.kind === "schema",
      size_after: facts.sizeBytes,
      rows_read: rows.length,
      rows_written: changes,
    },
    ...(options.details && {
      details: {
        declaredTypes: columnTypes.map((type) => (type === "" ? null : type)),
        changes,
        lastRowId,
      },
    }),
  };
}

function toValue(value: unknown, exact: boolean): unknown {
  if (typeof value === "bigint") return exact ? value : Number(value);
  // As D1, whose answers are JSON.
  if (typeof value === "number") return exact || Number.isFinite(value) ? value : null;
  return value instanceof ArrayBuffer ? new Uint8Array(value) : value;
}

function toObject(columns: readonly string[], values: readonly unknown[]): Record<string, unknown> {
  const row: Record<string, unknown> = {};
  for (const [index, column] of columns.entries()) {
    const value = values[index];
    if (column !== "__proto__") row[column] = value;
    else Object.defineProperty(row, column, { value, enumerable: true, configurable: true, writable: true });
  }
  return row;
}

function count(
  values: readonly unknown[],
  { maxRows = Number.POSITIVE_INFINITY, maxBytes = Number.POSITIVE_INFINITY }: RunOptions,
  size: AnswerSize,
): void {
  if (++size.rows > maxRows) throw tooManyRows(maxRows);
  if (maxBytes === Number.POSITIVE_INFINITY) return;
  for (const value of values) size.bytes += bytesOf(value);
  if (size.bytes > maxBytes) throw resultTooLarge(maxBytes);
}

/** Bytes of a value in an answer as JSON, within a factor of three for most. */
function bytesOf(value: unknown): number {
  if (typeof value === "string") return value.length + 8;
  return value instanceof Uint8Array ? value.byteLength * 4 : 8;
}
