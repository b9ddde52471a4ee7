// Owns dividing an INSERT of many rows where a database takes few parameters: into several that do the same, or not
// at all. Runs none of them.
import { keywordOf, nextToken, type Token } from "../sql/sql-token.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import type { ResultSet, Statement } from "./driver.ts";
import { NO_META } from "./empty-result.ts";

/** Parameters of one statement on D1 and in a Durable Object. */
export const D1_MAX_PARAMETERS = 100;

/** What an INSERT may do with a row that is in the way, row by row; the others end the statement half-way. */
const ROW_BY_ROW: ReadonlySet<string> = new Set(["REPLACE", "IGNORE", "ABORT"]);

/** Words that are values by themselves. Any other could be a column, a function or a time. */
const VALUE_WORDS: ReadonlySet<string> = new Set(["NULL", "TRUE", "FALSE"]);

/** What may stand behind the rows: it is about each of them. `UNION` and the like are about all. */
const AFTER_ROWS: ReadonlySet<string> = new Set(["ON", "RETURNING"]);

/** A row of VALUES, in its brackets, and how many parameters it has. */
interface Row {
  readonly text: string;
  readonly params: number;
}

/**
 * The statements that, one after the other in a transaction, do what `statement` does: an `INSERT … VALUES` whose
 * values are literals and `?`, in pieces of at most `maxParams` parameters. Undefined where it has no more than those,
 * and where it cannot be divided exactly: other statements, numbered or named parameters, values that are computed,
 * `OR FAIL`, parameters behind the rows, a row that has too many by itself.
 */
export function splitInsert(
  { sql, params }: Statement,
  maxParams = D1_MAX_PARAMETERS,
): Statement[] | undefined {
  if (params.length <= maxParams) return undefined;
  const read = readInsert(sql);
  if (read === undefined || read.rows.reduce((sum, row) => sum + row.params, 0) !== params.length)
    return undefined;
  const { head, rows, tail } = read;
  if (rows.some((row) => row.params > maxParams)) return undefined;
  const pieces: Statement[] = [];
  let texts: string[] = [];
  let count = 0;
  let from = 0;
  const flush = (): void => {
    pieces.push({ sql: `${head}${texts.join(",")}${tail}`, params: params.slice(from, from + count) });
    from += count;
    texts = [];
    count = 0;
  };
  for (const row of rows) {
    if (count + row.params > maxParams) flush();
    texts.push(row.text);
    count += row.params;
  }
  flush();
  return pieces;
}

/** What the statement gave, of what its pieces gave. */
export function joinResults<R extends ResultSet>(results: readonly R[]): R {
  const [first] = results as readonly [R, ...R[]];
  const last = results.at(-1) as R;
  const sum = (of: "duration" | "changes" | "rows_read" | "rows_written"): number =>
    results.reduce((all, { meta }) => all + meta[of], 0);
  return {
    ...first,
    rows: results.flatMap(({ rows }) => rows as never[]),
    meta: {
      ...NO_META,
      ...last.meta,
      duration: sum("duration"),
      changes: sum("changes"),
      rows_read: sum("rows_read"),
      rows_written: sum("rows_written"),
      changed_db: results.some(({ meta }) => meta.changed_db),
    },
  };
}

/** The error of a piece, with what its sender cannot know: that it was one. */
export function ofPieces(error: unknown): unknown {
  if (!isTenantryError(error, "CONSTRAINT") || !/foreign key/i.test(error.message)) return error;
  return new TenantryError(error.code, error.message, {
    ...error,
    hint: `The statement has more than ${D1_MAX_PARAMETERS} parameters, and was run in several: a row that another refers to has to come before it.`,
    cause: error.cause,
  });
}

function readInsert(
  sql: string,
): { readonly head: string; readonly rows: readonly Row[]; readonly tail: string } | undefined {
  const after = (token: Token): Token | undefined => nextToken(sql, token.start + token.text.length);
  const depthOf = ({ text }: Token): number => (text === "(" ? 1 : text === ")" ? -1 : 0);
  let token = nextToken(sql, 0);
  let before = keywordOf(token);
  if (before !== "INSERT" && before !== "REPLACE") return undefined;
  // `INSERT OR …`, the table, its columns: up to the first VALUES outside of brackets.
  for (let depth = 0, word = ""; depth > 0 || word !== "VALUES"; before = word) {
    token = token && after(token);
    word = keywordOf(token);
    if (token === undefined || token.type === "variable") return undefined;
    if (before === "OR" && !ROW_BY_ROW.has(word)) return undefined;
    if (depth === 0 && (word === "SELECT" || word === "WITH" || word === "DEFAULT")) return undefined;
    depth += depthOf(token);
  }
  token = token && after(token);
  const head = sql.slice(0, token?.start);
  const rows: Row[] = [];
  for (;;) {
    if (token?.text !== "(") return undefined;
    const { start } = token;
    let params = 0;
    let last: Token = token;
    for (let depth = 1; depth > 0; depth += depthOf(last)) {
      const value = after(last);
      if (value === undefined || !isValue(value)) return undefined;
      if (value.type === "variable") params++;
      last = value;
    }
    rows.push({ text: sql.slice(start, last.start + 1), params });
    token = after(last);
    if (token?.text !== ",") break;
    token = after(token);
  }
  if (token === undefined) return { head, rows, tail: "" };
  const tail = token.type === "semicolon" ? after(token) : token;
  if (tail === undefined) return { head, rows, tail: "" };
  if (tail !== token || !AFTER_ROWS.has(keywordOf(tail))) return undefined;
  for (let part: Token | undefined = tail; part; part = after(part)) {
    if (part.type === "variable") return undefined;
  }
  return { head, rows, tail: ` ${sql.slice(tail.start)}` };
}

/** Whether a token within a row can only be of a value that is the same in any statement. */
function isValue(token: Token): boolean {
  switch (token.type) {
    case "variable":
      return token.text === "?";
    case "word":
      return VALUE_WORDS.has(keywordOf(token));
    case "semicolon":
    case "illegal":
    case "quoted":
      return false;
    default:
      return true;
  }
}
