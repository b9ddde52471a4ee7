// Owns a table's rows on their way: read in pages of bounded size, written as statements of bounded length.
// Knows no schema but the table's own.
import type { SqlRunner, Statement } from "../drivers/driver.ts";
import { readPage } from "../database/read-page.ts";
import { exactColumn, exactLiteral } from "../sql/exact-value.ts";
import { quotedName } from "../sql/quoted-name.ts";
import type { PlannedTable } from "./copy-plan.ts";

const FIRST_PAGE_ROWS = 100;
const MAX_PAGE_ROWS = 5_000;
/** Bytes that a page should come to. */
const PAGE_BYTES = 1024 * 1024;

/** Characters of one value in a statement's text; what is longer goes as a parameter. */
const MAX_LITERAL = 20_000;
/** Parameters of one statement: D1's limit, and a row's long values are few. */
const MAX_PARAMS = 100;

const utf8 = new TextEncoder();

/** One page: its rows as statements, and how many they are. */
export interface RowPage {
  readonly rows: number;
  readonly bytes: number;
  readonly statements: readonly Statement[];
}

/** The rows of a table, page by page, as statements that insert them elsewhere. */
export async function* rowPages(
  db: SqlRunner,
  table: PlannedTable,
  maxStatementBytes: number,
): AsyncGenerator<RowPage, void, undefined> {
  const { name, columns, key } = table;
  // A rowid is kept, also where it is no column: others may refer to it.
  const inserted = table.rowid === null ? columns : [table.rowid, ...columns];
  const keys = key.map(quotedName).join(", ");
  const select = `SELECT ${[...inserted.map(exactColumn), ...key.map(quotedName)].join(", ")} FROM ${quotedName(name)}`;
  const next = `WHERE (${keys}) > (${key.map(() => "?").join(", ")})`;
  const head = `INSERT INTO ${quotedName(name)} (${inserted.map(quotedName).join(", ")}) VALUES `;
  let last: readonly unknown[] | undefined;
  for (let limit = FIRST_PAGE_ROWS; ;) {
    const before = last;
    const { rows, limit: asked } = await readPage(db, limit, (most) => ({
      sql: `${select} ${before ? next : ""} ORDER BY ${keys} LIMIT ${most}`,
      params: before ?? [],
    }));
    const values = rows.map((row) => row.slice(0, inserted.length));
    const statements = insertStatements(head, values, maxStatementBytes);
    const bytes = statements.reduce((sum, { sql, params }) => sum + sql.length + lengthOf(params), 0);
    if (rows.length > 0) yield { rows: rows.length, bytes, statements };
    last = rows.at(-1)?.slice(inserted.length);
    if (rows.length < asked || last === undefined) return;
    limit = Math.max(1, Math.min(MAX_PAGE_ROWS, Math.floor((asked * PAGE_BYTES) / (bytes + 1))));
  }
}

/** How many rows a table has. */
export async function countRows(db: SqlRunner, table: string): Promise<number> {
  const { rows } = await db.run(
    { sql: `SELECT count(*) FROM ${quotedName(table)}`, params: [] },
    { rows: "arrays" },
  );
  return (rows as [number][])[0]?.[0] ?? 0;
}

function insertStatements(head: string, rows: readonly unknown[][], maxBytes: number): Statement[] {
  const statements: Statement[] = [];
  let texts: string[] = [];
  let params: string[] = [];
  let length = head.length;
  const flush = (): void => {
    if (texts.length > 0) statements.push({ sql: head + texts.join(","), params });
    texts = [];
    params = [];
    length = head.length;
  };
  for (const row of rows) {
    // A row's own share of a statement, so that one with many long values still fits.
    const share = Math.min(MAX_LITERAL, Math.floor((maxBytes - head.length - 100) / (row.length * 3)));
    const values = row.map((value) => exactLiteral(value, share));
    const long = values.flatMap(({ param }) => (param === undefined ? [] : [param]));
    const text = `(${values.map(({ sql }) => sql).join(",")})`;
    const bytes = utf8.encode(text).length + 1;
    if (length + bytes > maxBytes || params.length + long.length > MAX_PARAMS) flush();
    texts.push(text);
    params.push(...long);
    length += bytes;
  }
  flush();
  return statements;
}

function lengthOf(params: readonly unknown[]): number {
  return params.reduce<number>((sum, param) => sum + String(param).length, 0);
}
