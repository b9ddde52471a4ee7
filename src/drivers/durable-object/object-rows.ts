// Owns making of rows that are arrays, as they cross RPC, what the caller asked for.
import type { ResultSet, RunOptions } from "../driver.ts";
import type { RawResult } from "./object-sql.ts";

const NO_OPTIONS: RunOptions = {};

/** `result` with rows as objects, `bigint`s and details where `options` ask for them. */
export function rowsAsAsked(result: RawResult, options: RunOptions = NO_OPTIONS): ResultSet {
  const { columns, meta } = result;
  if (options.integers === "bigint") for (const row of result.rows) wholeAsBigint(row);
  const rows = options.rows === "arrays" ? result.rows : asObjects(columns, result.rows);
  const read = {
    columns: options.rows === "arrays" ? columns : [],
    rows,
    meta,
    ...(result.replayed && { replayed: true as const }),
  };
  if (!options.details) return read;
  return {
    ...read,
    details: {
      declaredTypes: columns.map(() => null),
      changes: meta.changes,
      lastRowId: BigInt(meta.last_row_id),
    },
  };
}

/** Of columns that share a name the last wins. */
function asObjects(columns: readonly string[], rows: readonly unknown[][]): Record<string, unknown>[] {
  const plain = !columns.includes("__proto__");
  return rows.map((values) => {
    if (!plain) return Object.fromEntries(columns.map((name, at) => [name, values[at]]));
    const row: Record<string, unknown> = {};
    for (let at = 0; at < columns.length; at++) row[columns[at] as string] = values[at];
    return row;
  });
}

/** A whole REAL cannot be told from an INTEGER here: both are integers then. */
function wholeAsBigint(row: unknown[]): void {
  for (let at = 0; at < row.length; at++) {
    const value = row[at];
    if (typeof value === "number" && Number.isInteger(value) && Math.abs(value) < 2 ** 63)
      row[at] = BigInt(value);
  }
}
