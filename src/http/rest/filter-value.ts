// Owns what a filter's text is compared as, by the type of the column.
// Decides no operators.
import type { Column, Table } from "../../database/schema.ts";
import { TenantryError } from "../../tenantry-error.ts";

/**
 * How the values of a column are compared:
 * - `number`: declared to hold numbers, so a filter that is none is refused;
 * - `text`: bound as text, to which SQLite applies the column's affinity;
 * - `either`: nothing says whether it holds `5` or `'5'` (no type, an expression, a JSON value), so both match.
 */
export type Comparison = "number" | "text" | "either" | "boolean" | "bytes";

// NUMERIC affinity is also what dates and times have; these types have it and mean numbers
const DECIMAL = /^(?:numeric|decimal|number)\b/i;
const NUMBER = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*$/;

/** How `column` of `table` is compared. */
export function comparisonOf(table: Table, column: Column): Comparison {
  if (column.kind === "boolean") return "boolean";
  if (column.kind === "bytes") return "bytes";
  if (column.affinity === "integer" || column.affinity === "real" || DECIMAL.test(column.type))
    return "number";
  if (column.affinity === "text") return "text";
  // a view may lose NUMERIC on the way (a UNION, a subquery); a table's column never does
  return column.affinity === "numeric" && table.kind === "table" ? "text" : "either";
}

/**
 * The value to bind for a filter's text.
 * @throws {TenantryError} `INVALID_FILTER` if it cannot be one of the column's values.
 */
export function filterValue(comparison: Comparison, column: string, text: string): unknown {
  switch (comparison) {
    case "number": {
      if (!NUMBER.test(text)) {
        throw new TenantryError(
          "INVALID_FILTER",
          `${shown(text)} is not a number, and "${column}" holds numbers.`,
        );
      }
      return exactNumber(text);
    }
    case "boolean": {
      const word = text.toLowerCase();
      return word === "true" || word === "t" ? 1 : word === "false" || word === "f" ? 0 : text;
    }
    case "bytes":
      return text.startsWith("\\x") ? bytesOf(text, column) : text;
    default:
      return text;
  }
}

/** The second value that an `either` column is compared with: the number, where the text is one. */
export function alternativeValue(text: string): unknown {
  return NUMBER.test(text) ? exactNumber(text) : text;
}

// SQLite reads an integer beyond 2^53 from text exactly, where a JavaScript number has been rounded already
function exactNumber(text: string): number | string {
  const number = Number(text);
  return Number.isFinite(number) && Math.abs(number) <= Number.MAX_SAFE_INTEGER ? number : text.trim();
}

/** The bytes of PostgreSQL's hexadecimal form, `\x68692a`. */
export function bytesOf(text: string, column: string): Uint8Array {
  const hex = text.slice(2);
  if (hex.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(hex)) {
    throw new TenantryError(
      "INVALID_FILTER",
      `${shown(text)} for "${column}" is not \\x and pairs of hex digits.`,
    );
  }
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16);
  return bytes;
}

function shown(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}
