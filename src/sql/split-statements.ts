// Owns where a statement ends, by the same little machine as SQLite's sqlite3_complete().
// Does not know what a statement does: that is inspect-statement.ts.
import { TenantryError } from "../tenantry-error.ts";
import { keywordOf, nextToken, type Token } from "./sql-token.ts";

/** One statement of a text. */
export interface StatementTokens {
  /** Its tokens without the closing semicolon; at least one. */
  readonly tokens: readonly Token[];
  /** Where the text after it begins, behind its semicolon. */
  readonly next: number;
}

/** Characters in which a trigger's first words stand, with the comments before them. */
const TRIGGER_WORDS_LENGTH = 10_000;

/**
 * The first statement at or after `from`, or `undefined` when nothing but white space, comments and semicolons
 * is left. A trigger's body belongs to its statement, up to `; END`.
 */
export function readStatement(sql: string, from: number): StatementTokens | undefined {
  const tokens: Token[] = [];
  let at = from;
  for (;;) {
    const token = nextToken(sql, at);
    if (token === undefined) return tokens.length === 0 ? undefined : { tokens, next: sql.length };
    at = token.start + token.text.length;
    if (token.type !== "semicolon") {
      tokens.push(token);
    } else if (tokens.length > 0) {
      if (!isTrigger(tokens) || endsTrigger(tokens)) return { tokens, next: at };
      tokens.push(token);
    }
  }
}

/**
 * The statements of `sql` in order, each without comments around it and without its semicolon; empty ones are
 * left out. What SQLite could not read stays in its statement, for SQLite to report.
 *
 * @throws {TenantryError} `SQL_REFUSED` for a NUL, at which SQLite would stop reading without a word.
 *
 * @example
 * splitStatements("CREATE TABLE a (b); -- first\nINSERT INTO a VALUES (';')");
 * // ["CREATE TABLE a (b)", "INSERT INTO a VALUES (';')"]
 */
export function splitStatements(sql: string): string[] {
  refuseNul(sql);
  const statements: string[] = [];
  let statement = readStatement(sql, 0);
  while (statement !== undefined) {
    const first = statement.tokens[0];
    const last = statement.tokens.at(-1);
    if (first && last) statements.push(sql.slice(first.start, last.start + last.text.length));
    statement = readStatement(sql, statement.next);
  }
  return statements;
}

/** Whether `sql`, which ends with a semicolon, ends a statement there, and not within a trigger's body. */
export function isCompleteStatement(sql: string): boolean {
  // Most texts are no triggers, and need not be read to be sure of that.
  if (!/\bTRIGGER\b/i.test(sql.slice(0, TRIGGER_WORDS_LENGTH))) return true;
  const statement = readStatement(sql, 0);
  return statement === undefined || !isTrigger(statement.tokens) || endsTrigger(statement.tokens);
}

/** @throws {TenantryError} `SQL_REFUSED` when `sql` holds a NUL. */
export function refuseNul(sql: string): void {
  if (!sql.includes("\0")) return;
  throw new TenantryError("SQL_REFUSED", "The SQL holds a NUL character.", {
    hint: "Bind such a value as a parameter, or write it as char(0).",
  });
}

/** How many of the first tokens are `EXPLAIN` or `EXPLAIN QUERY PLAN`: 0, 1 or 3. */
export function explainLength(tokens: readonly Token[]): 0 | 1 | 3 {
  if (keywordOf(tokens[0]) !== "EXPLAIN") return 0;
  return keywordOf(tokens[1]) === "QUERY" && keywordOf(tokens[2]) === "PLAN" ? 3 : 1;
}

function isTrigger(tokens: readonly Token[]): boolean {
  const at = explainLength(tokens);
  if (keywordOf(tokens[at]) !== "CREATE") return false;
  const second = keywordOf(tokens[at + 1]);
  return (
    second === "TRIGGER" ||
    ((second === "TEMP" || second === "TEMPORARY") && keywordOf(tokens[at + 2]) === "TRIGGER")
  );
}

function endsTrigger(tokens: readonly Token[]): boolean {
  return keywordOf(tokens.at(-1)) === "END" && tokens.at(-2)?.type === "semicolon";
}
