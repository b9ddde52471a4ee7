// Owns how results look in the protocol's JSON. They are written as text at once: building objects for every
// value, only to have them read again, would take longer than the statement did.
import type { ResultSet, Written } from "../drivers/driver.ts";
import type { Inspection } from "../sql/inspect-statement.ts";
import type { HranaError } from "./hrana-error.ts";
import type { JsonText } from "./json-text.ts";
import type { ResultRows } from "./row-writer.ts";
import { valueText } from "./value.ts";

/** What a statement did. */
export interface Done {
  readonly result: ResultSet;
  readonly inspection: Pick<Inspection, "verb" | "explain">;
  readonly wantRows: boolean;
  /** Where its rows went, if not into the result. */
  readonly sink: ResultRows | undefined;
}

/** What a write did that was run again. */
export interface DoneAgain {
  readonly written: Written;
  readonly inspection: Done["inspection"];
}

/** `StmtResult`. */
export function resultText(done: Done | DoneAgain): JsonText {
  if ("written" in done) return writtenText(done);
  const { columns, meta } = done.result;
  const figures = figuresText(meta.rows_read, meta.rows_written, meta.duration);
  const end = endText(done);
  if (columns.length === 0) return `{"cols":[],"rows":[],${end}${figures}`;
  let text = `{"cols":${columnsText(done.result)},"rows":[`;
  if (!done.wantRows) return `${text}],${end}${figures}`;
  const many = done.sink?.many;
  if (many) return [text, ...many, `],${end}${figures}`];
  // A driver that has its rows from elsewhere, and what writes, give them themselves.
  const rows = done.result.rows.length > 0 ? done.result.rows : (done.sink?.few ?? []);
  for (let index = 0; index < rows.length; index++) {
    text += index === 0 ? rowText(rows[index] as unknown[]) : `,${rowText(rows[index] as unknown[])}`;
  }
  return `${text}],${end}${figures}`;
}

function writtenText({ written: { changes, lastRowId, duration }, inspection }: DoneAgain): string {
  if (changes === 1 && insertsRows(inspection))
    return `${INSERTED_ONE}${lastRowId}"${figuresText(0, 1, duration)}`;
  return `{"cols":[],"rows":[],${countText(changes, lastRowId, inspection)}${figuresText(0, changes, duration)}`;
}

/** By microseconds, of what most of a batch's statements are: writes of one row. */
const figuresOfOneRow: string[] = [];
const REMEMBERED_MICROS = 1000;
/** What the result of such a write begins with, up to the row's id. */
const INSERTED_ONE = '{"cols":[],"rows":[],"affected_row_count":1,"last_insert_rowid":"';

function figuresText(read: number, written: number, duration: number): string {
  // To microseconds: the other digits are noise, and take long to write.
  const micros = Math.round(duration * 1000);
  if (read === 0 && written === 1 && micros < REMEMBERED_MICROS) {
    return (figuresOfOneRow[micros] ??= writeFigures(0, 1, micros));
  }
  return writeFigures(read, written, micros);
}

function writeFigures(read: number, written: number, micros: number): string {
  return `,"rows_read":${read},"rows_written":${written},"query_duration_ms":${micros / 1000}}`;
}

/** The `CursorEntry`s of a step that was run. */
export function* entriesOf(step: number, done: Done | DoneAgain | HranaError): Generator<string> {
  if ("code" in done) return yield errorEntry(step, done);
  if ("written" in done) {
    const { written, inspection } = done;
    yield `{"type":"step_begin","step":${step},"cols":[]}`;
    return yield `{"type":"step_end",${countText(written.changes, written.lastRowId, inspection)}}`;
  }
  yield beginEntry(step, done.result);
  if (done.wantRows) for (const row of done.result.rows) yield rowEntry(row as unknown[]);
  yield endEntry(done);
}

/** The `CursorEntry`s of a step that is read in pieces. */
export function errorEntry(step: number, error: HranaError): string {
  return `{"type":"step_error","step":${step},"error":${JSON.stringify(error)}}`;
}

export function beginEntry(step: number, result: ResultSet): string {
  return `{"type":"step_begin","step":${step},"cols":${columnsText(result)}}`;
}

export function rowEntry(row: readonly unknown[]): string {
  return `{"type":"row","row":${rowText(row)}}`;
}

export function endEntry(done: Done): string {
  return `{"type":"step_end",${endText(done)}}`;
}

/** A row as text. */
export function rowText(row: readonly unknown[]): string {
  let text = "[";
  for (let index = 0; index < row.length; index++) {
    text += index === 0 ? valueText(row[index]) : `,${valueText(row[index])}`;
  }
  return `${text}]`;
}

/** Of columns as a driver gives them: it may give the same list for every run of a statement. */
const columnTexts = new WeakMap<readonly string[], { readonly types: unknown; readonly text: string }>();

function columnsText(result: ResultSet): string {
  const types = result.details?.declaredTypes;
  const known = columnTexts.get(result.columns);
  if (known && known.types === types) return known.text;
  const text = writeColumns(result);
  columnTexts.set(result.columns, { types, text });
  return text;
}

function writeColumns({ columns, details }: ResultSet): string {
  let text = "[";
  for (let index = 0; index < columns.length; index++) {
    const type = details?.declaredTypes[index] ?? null;
    text += `${index === 0 ? "" : ","}{"name":${nameText(columns[index] as string)},"decltype":${type === null ? "null" : nameText(type)}}`;
  }
  return `${text}]`;
}

const PLAIN_NAME = /^[\w ]*$/;

/** Most names need no look at each of their characters: the columns took as long as the row below them. */
function nameText(name: string): string {
  return PLAIN_NAME.test(name) ? `"${name}"` : JSON.stringify(name);
}

function endText({ result: { details, meta }, inspection }: Done): string {
  return countText(details?.changes ?? meta.changes, details?.lastRowId ?? meta.last_row_id, inspection);
}

/** As libSQL's server has it: rows only of what changes rows, a rowid only of what inserts. */
function countText(changes: number, rowId: number | bigint, inspection: Done["inspection"]): string {
  const { verb, explain } = inspection;
  const inserts = insertsRows(inspection);
  const counts = inserts || (!explain && (verb === "UPDATE" || verb === "DELETE"));
  const count = counts ? changes : 0;
  return inserts
    ? `"affected_row_count":${count},"last_insert_rowid":"${rowId}"`
    : `"affected_row_count":${count},"last_insert_rowid":null`;
}

function insertsRows({ verb, explain }: Done["inspection"]): boolean {
  return !explain && (verb === "INSERT" || verb === "REPLACE");
}
