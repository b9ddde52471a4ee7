// Owns which columns of a table a dump reads and writes, so that its rows, and their rowids, come back as they were.
// Reads no rows.
import type Database from "better-sqlite3";
import { quotedName } from "../../../sql/quoted-name.ts";

/** A table, as a dump reads and writes it. */
export interface DumpTable {
  readonly name: string;
  /** What finds a row again; undefined where nothing short does. */
  readonly key: string | undefined;
  /** What is read of each row, in the order in which it is written. */
  readonly select: readonly string[];
  /** The columns behind the table's name in an INSERT; "" where they go without saying. */
  readonly insertColumns: string;
}

interface Column {
  readonly name: string;
  readonly type: string;
  readonly pk: number;
  /** 0 for a column that holds what was written to it. */
  readonly hidden: number;
}

const ROWID_NAMES: readonly string[] = ["rowid", "_rowid_", "oid"];

/** What there is to know about a table that is no virtual one. */
export function dumpTable(sqlite: Database.Database, name: string): DumpTable {
  const all = sqlite
    .prepare("SELECT name, type, pk, hidden FROM pragma_table_xinfo(?)")
    .all(name) as Column[];
  const columns = all.filter(({ hidden }) => hidden === 0).map((column) => quotedName(column.name));
  const withoutRowid = sqlite
    .prepare("SELECT wr FROM pragma_table_list(?) WHERE schema = 'main'")
    .pluck()
    .get(name);
  if (withoutRowid) return { name, key: undefined, select: columns, insertColumns: "" };
  const alias = rowidAlias(sqlite, name, all);
  if (alias !== undefined) return { name, key: quotedName(alias), select: columns, insertColumns: "" };
  const taken = new Set(all.map((column) => column.name.toLowerCase()));
  const rowid = ROWID_NAMES.find((one) => !taken.has(one));
  if (rowid === undefined) return { name, key: undefined, select: columns, insertColumns: "" };
  const select = [rowid, ...columns];
  return { name, key: rowid, select, insertColumns: `(${select.join(",")})` };
}

/** The column that is the rowid: `INTEGER PRIMARY KEY`, unless an index had to be made for it. */
function rowidAlias(sqlite: Database.Database, name: string, columns: readonly Column[]): string | undefined {
  const [key, ...others] = columns.filter(({ pk }) => pk > 0);
  if (!key || others.length > 0 || !/^integer$/i.test(key.type)) return undefined;
  const index = sqlite.prepare("SELECT 1 FROM pragma_index_list(?) WHERE origin = 'pk'").get(name);
  return index === undefined ? key.name : undefined;
}
