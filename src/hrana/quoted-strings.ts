// Owns what libSQL's SQLite takes for a string though it stands in double quotes: a name that is no column's. The
// SQLite here refuses it, and says so by name; statements that clients have sent for years shall run all the same.
// Runs nothing.
import { nameOf, nextToken } from "../sql/sql-token.ts";
import { isTenantryError } from "../tenantry-error.ts";

/** How many names of one statement are looked at: each costs an attempt to prepare it. */
export const MAX_QUOTED_STRINGS = 32;

const NO_COLUMN = /no such column: "([\s\S]*)" - should this be a string literal in single-quotes\?/;

/** `sql` with the name that it failed for as a string; undefined where it failed for something else. */
export function withQuotedString(sql: string, error: unknown): string | undefined {
  if (!isTenantryError(error, "SQL_ERROR")) return undefined;
  const name = NO_COLUMN.exec(error.message)?.[1];
  if (name === undefined) return undefined;
  let meant = "";
  let at = 0;
  for (let token = nextToken(sql, 0); token; token = nextToken(sql, token.start + token.text.length)) {
    if (token.type !== "quoted" || !token.text.startsWith('"') || nameOf(token) !== name) continue;
    meant += `${sql.slice(at, token.start)}'${name.replaceAll("'", "''")}'`;
    at = token.start + token.text.length;
  }
  return at === 0 ? undefined : meant + sql.slice(at);
}
