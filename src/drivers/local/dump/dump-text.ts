// Owns a whole database as SQL text, as the sqlite3 shell's .dump writes it, and more exactly than that.
// Runs within a transaction of its caller's, one piece at a time, whenever its caller wants the next.
import { isUtf8 } from "node:buffer";
import type Database from "better-sqlite3";
import { quotedName } from "../../../sql/quoted-name.ts";
import { quoteText, type SqliteValue, sqlLiteral, textOfBytes } from "../../../sql/sql-literal.ts";
import { type DumpTable, dumpTable } from "./dump-table.ts";

const TABLES = `SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND sql NOT NULL
  ORDER BY tbl_name = 'sqlite_sequence', rowid`;
const OTHERS = `SELECT sql FROM sqlite_schema WHERE sql NOT NULL AND type IN ('index', 'trigger', 'view')
  ORDER BY type COLLATE NOCASE DESC, rowid`;

/** What better-sqlite3 puts where a text's bytes are not UTF-8. */
const REPLACED = "\uFFFD";

/**
 * The database as text, in pieces of a statement each. `sqlite` must be in a transaction, or the pieces are not of
 * one moment; and must not be used for anything but reading before the end.
 */
export function* dumpText(sqlite: Database.Database): Generator<string, void, undefined> {
  const encoding = sqlite.pragma("encoding", { simple: true }) as string;
  if (encoding !== "UTF-8") yield `PRAGMA encoding=${quoteText(encoding)};\n`;
  yield "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n";
  const tables = sqlite.prepare(TABLES).all() as { name: string; sql: string }[];
  let writesSchema = false;
  for (const { name, sql } of tables) {
    if (/^CREATE\s+VIRTUAL\s+TABLE/i.test(sql)) {
      if (!writesSchema) yield "PRAGMA writable_schema=ON;\n";
      writesSchema = true;
      yield virtualTable(name, sql);
      continue;
    }
    if (name === "sqlite_sequence") yield "DELETE FROM sqlite_sequence;\n";
    else if (name === "sqlite_stat1") yield "ANALYZE sqlite_schema;\n";
    // Samples of values for the planner, which not every SQLite has a table for.
    else if (name.startsWith("sqlite_")) continue;
    // A virtual table makes some of its tables by itself when it is read again.
    else yield `${sql.replace(/^CREATE TABLE (?=['"])/, "CREATE TABLE IF NOT EXISTS ")};\n`;
    yield* rows(sqlite, dumpTable(sqlite, name), encoding === "UTF-8");
  }
  for (const { sql } of sqlite.prepare(OTHERS).all() as { sql: string }[]) yield `${sql};\n`;
  if (writesSchema) yield "PRAGMA writable_schema=OFF;\n";
  for (const pragma of ["user_version", "application_id"]) {
    const value = sqlite.pragma(pragma, { simple: true }) as number;
    if (value !== 0) yield `PRAGMA ${pragma}=${value};\n`;
  }
  yield "COMMIT;\n";
}

/** Making it anew would make its tables, too, with nothing in them. */
function virtualTable(name: string, sql: string): string {
  const quoted = quoteText(name);
  return `INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('table',${quoted},${quoted},0,${quoteText(sql)});\n`;
}

function* rows(
  sqlite: Database.Database,
  table: DumpTable,
  isUtf8Database: boolean,
): Generator<string, void, undefined> {
  const insert = `INSERT INTO ${quotedName(table.name)}${table.insertColumns} VALUES(`;
  if (!table.key || !isUtf8Database) {
    for (const row of prepare(sqlite, exactSelect(table, "")).iterate()) {
      yield `${insert}${exactLiterals(row, isUtf8Database)});\n`;
    }
    return;
  }
  const exact = prepare(sqlite, exactSelect(table, ` WHERE ${table.key} = ?`));
  const select = `SELECT ${[table.key, ...table.select].join(", ")} FROM ${quotedName(table.name)}`;
  for (const [key, ...values] of prepare(sqlite, select).iterate()) {
    const text = values.some((value) => typeof value === "string" && value.includes(REPLACED))
      ? exactLiterals(exact.get(key) as SqliteValue[], true)
      : values.map(sqlLiteral).join(",");
    yield `${insert}${text});\n`;
  }
}

function prepare(sqlite: Database.Database, sql: string): Database.Statement<unknown[], SqliteValue[]> {
  return sqlite.prepare<unknown[], SqliteValue[]>(sql).raw().safeIntegers();
}

/** Each value with its type, and text as its bytes: it need not be what a JavaScript string can be. */
function exactSelect({ name, select }: DumpTable, where: string): string {
  const columns = select.map(
    (column) => `typeof(${column}), iif(typeof(${column}) = 'text', CAST(${column} AS BLOB), ${column})`,
  );
  return `SELECT ${columns.join(", ")} FROM ${quotedName(name)}${where}`;
}

function exactLiterals(row: readonly SqliteValue[], isUtf8Database: boolean): string {
  const literals: string[] = [];
  for (let at = 0; at < row.length; at += 2) {
    const value = row[at + 1] as SqliteValue;
    if (row[at] !== "text") literals.push(sqlLiteral(value));
    else if (!isUtf8Database || !isUtf8(value as Uint8Array)) literals.push(textOfBytes(value as Uint8Array));
    else literals.push(sqlLiteral(Buffer.from(value as Uint8Array).toString()));
  }
  return literals.join(",");
}
