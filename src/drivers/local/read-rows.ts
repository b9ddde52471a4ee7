// Owns reading a statement's rows to their end, and the limits of an answer.
// Prepares nothing.
import type Database from "better-sqlite3";
import { TenantryError } from "../../tenantry-error.ts";
import type { ResultSet, RunOptions } from "../driver.ts";
import { tooManyRows } from "../result-limits.ts";

/** What an answer has taken of its limits so far. */
export interface AnswerSize {
  rows: number;
  bytes: number;
}

/** What is to be known of a statement besides how its rows are wanted. */
export interface ReadHow {
  readonly writes: boolean;
  /** Called while the first row is there, where rows are read one by one and there is one. */
  readonly onFirst: (() => void) | undefined;
}

/** The rows of a statement, to its end or to a limit. @throws {TenantryError} `TOO_MANY_ROWS`, `RESPONSE_TOO_LARGE` */
export function readRows(
  statement: Database.Statement<unknown[]>,
  values: readonly unknown[],
  options: RunOptions,
  size: AnswerSize,
  { writes, onFirst }: ReadHow,
): ResultSet["rows"] {
  const { first } = options;
  if (first && !writes) {
    const row = statement.get(...values);
    return row === undefined ? [] : [row as Record<string, unknown>];
  }
  if (!isLimited(options) && !options.sink) {
    // A statement that writes runs to its end, also where only its first row is wanted.
    const all = statement.all(...values) as ResultSet["rows"];
    return first ? all.slice(0, 1) : all;
  }
  // Rows are read one by one, so that an endless result ends at the limit.
  const rows: ResultSet["rows"] = [];
  const sink = writes ? undefined : options.sink;
  sink?.begin();
  const before = size.rows;
  for (const row of statement.iterate(...values) as IterableIterator<Record<string, unknown> | unknown[]>) {
    if (size.rows++ === before) onFirst?.();
    if (sink) {
      size.bytes += sink.row(row as unknown[]);
    } else {
      rows.push(row);
      size.bytes += approximateBytes(row);
    }
    assertWithin(size, options);
  }
  return rows;
}

/** @throws {TenantryError} `TOO_MANY_ROWS`, `RESPONSE_TOO_LARGE` */
export function assertWithin({ rows, bytes }: AnswerSize, { maxRows, maxBytes }: RunOptions): void {
  if (maxRows !== undefined && rows > maxRows) {
    throw tooManyRows(maxRows);
  }
  if (maxBytes !== undefined && bytes > maxBytes) {
    throw new TenantryError("RESPONSE_TOO_LARGE", `The result is larger than ${maxBytes} bytes.`, {
      hint: "Name fewer columns, add a LIMIT, or export the tenant.",
    });
  }
}

/** Whether an answer may be too large. */
export function isLimited({ maxRows, maxBytes }: RunOptions): boolean {
  return maxRows !== undefined || maxBytes !== undefined;
}

/** Runs `fn`; where it throws, nothing of what it wrote stays, within a transaction or without. */
export function undoable<T>(sqlite: Database.Database, fn: () => T): T {
  sqlite.exec("SAVEPOINT answer");
  try {
    const result = fn();
    sqlite.exec("RELEASE answer");
    return result;
  } catch (error) {
    // A full disk or an I/O error rolls back by itself.
    if (sqlite.inTransaction) sqlite.exec("ROLLBACK TO answer; RELEASE answer");
    throw error;
  }
}

/** Bytes that a row takes in an answer as JSON, within a factor of three for most values. */
export function approximateBytes(row: Record<string, unknown> | unknown[]): number {
  let bytes = 2;
  if (Array.isArray(row)) for (const value of row) bytes += valueBytes(value);
  // The names count: a statement can make them as long as itself, and they are in every row.
  else for (const name in row) bytes += name.length + valueBytes(row[name]);
  return bytes;
}

function valueBytes(value: unknown): number {
  if (typeof value === "string") return value.length + 8;
  // In JSON a blob is an array of numbers, of up to three digits and a comma each.
  return value instanceof Uint8Array ? value.byteLength * 4 : 8;
}
