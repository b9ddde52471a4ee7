// Owns how rows of a query look: a table where they fit, one value a line where they do not.
// Does not run the query.
import type { ResultSet } from "../drivers/driver.ts";
import { oneLine } from "./display-text.ts";
import { counted, durationText } from "./quantity.ts";
import type { Screen } from "./screen.ts";
import { type Column, fits, pairLines, tableLines } from "./text-table.ts";

/** Bytes of a blob that are shown. */
const BLOB_BYTES = 16;

/** Rows looked at to find out which columns hold numbers. */
const ALIGN_ROWS = 100;

/** Prints rows that came as arrays, and what a write changed. */
export async function printResult(screen: Screen, { columns, rows, meta }: ResultSet): Promise<void> {
  const values = rows as unknown[][];
  if (columns.length > 0) await printRows(screen, columns, values);
  const parts = [columns.length > 0 ? counted(values.length, "row") : ""];
  if (meta.changes > 0) parts.push(`${counted(meta.changes, "row")} changed`);
  else if (columns.length === 0) parts.push("done");
  const text = `${parts.filter(Boolean).join(", ")} in ${durationText(meta.duration)}`;
  screen.note(screen.noteStyle("dim", text));
}

async function printRows(
  screen: Screen,
  names: readonly string[],
  rows: readonly unknown[][],
): Promise<void> {
  const columns = names.map((name, i): Column => {
    const some = rows.slice(0, ALIGN_ROWS).map((row) => row[i]);
    const numeric = some.some(isNumber) && some.every((value) => value === null || isNumber(value));
    return { header: oneLine(name), align: numeric ? "right" : "left" };
  });
  const texts = rows.map((row) => row.map(valueText));
  const styleCell = (text: string, row: number, column: number): string =>
    rows[row]?.[column] === null ? screen.style("dim", text) : text;
  if (fits(columns, texts, screen.width)) {
    const styleHeader = (text: string): string => screen.style("bold", text);
    const lines = tableLines(columns, texts, { width: screen.width, styleCell, styleHeader });
    return screen.print(lines.join("\n"));
  }
  for (const [at, row] of texts.entries()) {
    const pairs = row.map((text, i) => [columns[i]?.header ?? "", text] as const);
    await screen.print(screen.style("dim", `── row ${at + 1} `.padEnd(Math.min(screen.width, 60), "─")));
    await screen.print(pairLines(pairs, (name) => screen.style("bold", name)).join("\n"));
  }
}

function valueText(value: unknown): string {
  if (value === null) return "NULL";
  if (value instanceof Uint8Array) {
    const shown = Array.from(value.subarray(0, BLOB_BYTES), (byte) =>
      byte.toString(16).padStart(2, "0"),
    ).join("");
    return value.length > BLOB_BYTES ? `x'${shown}…' (${value.length} bytes)` : `x'${shown}'`;
  }
  return String(value);
}

function isNumber(value: unknown): boolean {
  return typeof value === "number" || typeof value === "bigint";
}
