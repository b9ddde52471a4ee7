// Owns values as SQL text: literals that every SQLite reads back as the same value of the same class.
// Reads no SQL.
import { quotedName } from "./quoted-name.ts";

/**
 * An expression that gives a column's value with its class over every driver: text as a blob, for bytes that are no
 * UTF-8; a blob as `x` and hexadecimal digits; an integer as decimal text, for what a double cannot hold.
 */
export function exactColumn(column: string): string {
  const c = quotedName(column);
  return `CASE typeof(${c}) WHEN 'text' THEN CAST(${c} AS BLOB) WHEN 'blob' THEN 'x' || hex(${c})
    WHEN 'integer' THEN CAST(${c} AS TEXT) ELSE ${c} END`;
}

/** A literal, or an expression over one parameter where the value is too long for a statement's text. */
export interface SqlValue {
  readonly sql: string;
  /** What stands for the `?` in `sql`. */
  readonly param?: string;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * What {@link exactColumn} gave, as SQL.
 * @param maxLiteral characters of a literal; a longer one becomes a parameter
 */
export function exactLiteral(value: unknown, maxLiteral: number): SqlValue {
  if (value === null || value === undefined) return { sql: "NULL" };
  // Integers come as text: where it is asked for them, a driver without any takes a whole REAL for one.
  if (typeof value === "number" || typeof value === "bigint") return { sql: realLiteral(Number(value)) };
  if (typeof value === "string") {
    if (!value.startsWith("x")) return { sql: value };
    const hex = value.slice(1);
    return hex.length <= maxLiteral ? { sql: `x'${hex}'` } : { sql: "unhex(?)", param: hex };
  }
  const bytes = blobBytes(value);
  const plain = asPlainText(bytes);
  if (plain !== undefined) {
    const literal = `'${plain.replaceAll("'", "''")}'`;
    return literal.length <= maxLiteral ? { sql: literal } : { sql: "?", param: plain };
  }
  const hex = toHex(bytes);
  return hex.length <= maxLiteral
    ? { sql: `CAST(x'${hex}' AS TEXT)` }
    : { sql: "CAST(unhex(?) AS TEXT)", param: hex };
}

/** The shortest digits that give this double again, written as a REAL. */
function realLiteral(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "9e999";
  if (value === Number.NEGATIVE_INFINITY) return "-9e999";
  if (Object.is(value, -0)) return "-0.0";
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** Undefined where the bytes are no UTF-8, or have a NUL, at which a statement's text would end. */
function asPlainText(bytes: Uint8Array): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** A blob as drivers give it: D1 gives its numbers. */
export function blobBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  return value instanceof ArrayBuffer ? new Uint8Array(value) : Uint8Array.from(value as number[]);
}

function toHex(bytes: Uint8Array): string {
  let hex = "";
  for (const byte of bytes) hex += byte.toString(16).padStart(2, "0");
  return hex;
}
