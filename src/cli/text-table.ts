// Owns the layout of rows: a table where it fits, one value a line where it does not.
// Does not know where rows come from, nor where they go.
import Table from "cli-table3";
import { displayWidth, fitted, oneLine } from "./display-text.ts";

/** A column of a table. */
export interface Column {
  readonly header: string;
  /** @default "left" */
  readonly align?: "left" | "right";
  /** Never cut: what people copy. @default false */
  readonly whole?: boolean;
}

/** How a table is to look. */
export interface TableOptions {
  /** Columns of the terminal. */
  readonly width: number;
  /** Styles a cell's text, whose width it must not change. @default plain */
  readonly styleCell?: (text: string, row: number, column: number) => string;
  /** @default plain */
  readonly styleHeader?: (text: string) => string;
}

const GAP = "  ";

/** To what a column of a table is cut at most. */
const LEAST_WIDTH = 10;

/** Rows that are laid out together. */
const ROWS_AT_ONCE = 200;

const NO_BORDERS = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: GAP,
};

/** Whether a table of these can be shown without cutting a column below ten characters. */
export function fits(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
): boolean {
  const widths = naturalWidths(columns, rows);
  const least = widths.map((natural, i) => (columns[i]?.whole ? natural : Math.min(natural, LEAST_WIDTH)));
  return total(least) <= width;
}

/** A table as lines, the header first. Cells are shown on one line, and cut where the terminal is narrow. */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  { width, styleCell = (text) => text, styleHeader = (text) => text }: TableOptions,
): string[] {
  const widths = narrowed(columns, naturalWidths(columns, rows), width);
  const lines = (head: string[], from: number, to: number): string[] => {
    const table = new Table({
      head,
      colWidths: widths,
      colAligns: columns.map(({ align = "left" }) => align),
      chars: NO_BORDERS,
      style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
    });
    for (const [i, row] of rows.slice(from, to).entries()) {
      table.push(row.map((text, at) => styleCell(fitted(oneLine(text), widths[at] ?? 0), from + i, at)));
    }
    return table
      .toString()
      .split("\n")
      .map((line) => line.trimEnd());
  };
  const header = columns.map(({ header }, i) => styleHeader(fitted(header, widths[i] ?? 0)));
  const all = lines(header, 0, ROWS_AT_ONCE);
  // The layout takes time by the square of the rows.
  for (let from = ROWS_AT_ONCE; from < rows.length; from += ROWS_AT_ONCE) {
    for (const line of lines([], from, from + ROWS_AT_ONCE)) all.push(line);
  }
  return all;
}

/** Pairs of a name and a value as lines, the values aligned. */
export function pairLines(
  pairs: readonly (readonly [name: string, value: string])[],
  styleName: (text: string) => string = (text) => text,
): string[] {
  const width = Math.max(0, ...pairs.map(([name]) => displayWidth(name)));
  return pairs.map(
    ([name, value]) => `${styleName(name)}${" ".repeat(width - displayWidth(name))}${GAP}${oneLine(value)}`,
  );
}

function naturalWidths(columns: readonly Column[], rows: readonly (readonly string[])[]): number[] {
  const widths = columns.map(({ header }) => displayWidth(header));
  for (const row of rows) {
    for (const [i, text] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, displayWidth(oneLine(text)));
  }
  return widths;
}

/** The widest columns give way, until all fit or none can any more. */
function narrowed(columns: readonly Column[], natural: readonly number[], width: number): number[] {
  let cap = Math.max(0, ...natural);
  const capped = (): number[] =>
    natural.map((each, i) => (columns[i]?.whole ? each : Math.min(each, Math.max(cap, LEAST_WIDTH))));
  while (cap > LEAST_WIDTH && total(capped()) > width) cap--;
  return capped();
}

function total(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, 0) + GAP.length * Math.max(0, widths.length - 1);
}
