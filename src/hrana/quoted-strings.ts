// Owns what libSQL's SQLite takes for a string though it stands in double quotes: a name that is no column's. The
// SQLite here refuses it, and says so by name; statements that clients have sent for years shall run all the same.
// Runs nothing.
import { nameOf, nextToken } from "../sql/sql-token.ts";
import { isTenantryError } from "../tenantry-error.ts";

/** How many names of one statement are looked at: each costs an attempt to read and prepare it. */
export const MAX_QUOTED_STRINGS = 32;
/** UTF-16 units that all attempts at one statement may read: of a long one fewer names are looked at. */
const MAX_UNITS_READ = 200_000;

const NO_COLUMN = /no such column: "([\s\S]*)" - should this be a string literal in single-quotes\?/;

/**
 * `sql` with the name that it failed for as a string; undefined where it failed for something else, or too often.
 * @param attempts how many names have been looked at before
 */
export function withQuotedString(sql: string, error: unknown, attempts: number): string | undefined {
  if (attempts >= MAX_QUOTED_STRINGS || attempts * sql.length > MAX_UNITS_READ) return undefined;
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
