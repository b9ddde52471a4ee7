// Owns how rows look outside: JSON and CSV, with integers, bytes, booleans and JSON columns as documented.
// Chooses no rows and no columns.
import type { AnswerFormat } from "./answer-format.ts";
import type { ValueKind } from "../../database/column-type.ts";

/** A column of the answer. */
export interface OutputColumn {
  readonly name: string;
  readonly kind: ValueKind;
}

export type Row = Record<string, unknown>;

interface RawJson {
  rawJSON(text: string): unknown;
}

/** Whether a number among the rows is too large to be exact, so that they must be read again as `bigint`. */
export function hasInexactInteger(rows: readonly Row[]): boolean {
  for (const row of rows) {
    for (const name in row) {
      const value = row[name];
      if (typeof value === "number" && (value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER)) {
        return true;
      }
    }
  }
  return false;
}

/** The rows as the caller asked for them; one row alone as an `object`. */
export function rowsText(
  rows: readonly Row[],
  columns: readonly OutputColumn[],
  format: AnswerFormat,
): string {
  if (format.type === "csv") return csvText(rows, columns);
  const special = columns.filter((column) => column.kind === "boolean" || column.kind === "json");
  const shown =
    special.length === 0 && !format.stripNulls && rows.every(isPlain)
      ? rows
      : rows.map((row) => shownRow(row, special, format.stripNulls));
  return JSON.stringify(format.type === "object" ? shown[0] : shown);
}

/** Whether `JSON.stringify` alone shows the row right. */
function isPlain(row: Row): boolean {
  for (const name in row) {
    const value = row[name];
    if ((typeof value === "object" && value !== null) || typeof value === "bigint") return false;
  }
  return true;
}

function shownRow(row: Row, special: readonly OutputColumn[], stripNulls: boolean): Row {
  const shown: Row = {};
  for (const name in row) {
    const value = row[name];
    if (value !== null || !stripNulls) shown[name] = plainValue(value);
  }
  for (const { name, kind } of special) {
    if (Object.hasOwn(shown, name)) shown[name] = specialValue(shown[name], kind);
  }
  return shown;
}

function plainValue(value: unknown): unknown {
  if (typeof value === "bigint") {
    return Number.isSafeInteger(Number(value))
      ? Number(value)
      : // exact digits, for clients whose JSON parser keeps them
        (JSON as unknown as RawJson).rawJSON(value.toString());
  }
  return typeof value === "object" && value !== null ? hexText(value) : value;
}

function specialValue(value: unknown, kind: ValueKind): unknown {
  if (kind === "boolean") return value === 1 ? true : value === 0 ? false : value;
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    // a column declared JSON may hold any text: shown as the text it is
    return value;
  }
}

/** PostgreSQL's form of bytes, `\x68692a`. */
function hexText(value: object): string {
  const bytes = ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : value instanceof ArrayBuffer
      ? new Uint8Array(value)
      : Uint8Array.from(value as number[]);
  let text = "\\x";
  for (const byte of bytes) text += byte < 16 ? `0${byte.toString(16)}` : byte.toString(16);
  return text;
}

function csvText(rows: readonly Row[], columns: readonly OutputColumn[]): string {
  const lines = [columns.map((column) => csvField(column.name)).join(",")];
  for (const row of rows) {
    lines.push(
      columns
        .map(({ name, kind }) => {
          const value = row[name];
          if (value === null || value === undefined) return "";
          if (typeof value === "object") return hexText(value);
          return csvField(String(kind === "boolean" ? specialValue(plainValue(value), kind) : value));
        })
        .join(","),
    );
  }
  return `${lines.join("\n")}\n`;
}

function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
