// Owns a script as the statements of one batch, which is the only transaction that every remote driver has.
// Runs nothing.
import { splitStatements } from "../../sql/split-statements.ts";
import { TenantryError } from "../../tenantry-error.ts";
import type { Script, Statement } from "../driver.ts";

const DONE = "tenantry:done";
const ORPHANS = "tenantry:orphans";

/**
 * The statements that do what `script` says, all or none. Where the script has been run already, or leaves a
 * row without its parent, the batch fails in a statement of its own: {@link scriptOutcome} tells which. A
 * condition has to fail in SQL, because nobody else can run code between two statements of a batch.
 */
export function scriptStatements({ sql, after, unless, foreignKeys }: Script): Statement[] {
  return [
    ...(unless ? [failsWhere(unless, DONE)] : []),
    ...splitStatements(sql).map((text) => ({ sql: text, params: [] })),
    ...after,
    ...(foreignKeys === "off"
      ? [failsWhere({ sql: "SELECT 1 FROM pragma_foreign_key_check", params: [] }, ORPHANS)]
      : []),
  ];
}

/** What the error of such a batch means: `false` where the script had been run before. @throws otherwise */
export function scriptOutcome(error: unknown): false {
  const { message } = error as Error;
  if (message.includes(DONE)) return false;
  if (message.includes(ORPHANS)) {
    throw new TenantryError(
      "CONSTRAINT",
      "D1_ERROR: FOREIGN KEY constraint failed: rows refer to rows that are not there: SQLITE_CONSTRAINT",
      { sqliteCode: "SQLITE_CONSTRAINT_FOREIGNKEY", cause: error },
    );
  }
  throw error;
}

/** A path that SQLite refuses where there is a row; its error names the path. */
function failsWhere({ sql, params }: Statement, mark: string): Statement {
  return { sql: `SELECT json_extract('{}', CASE WHEN EXISTS (${sql}) THEN '${mark}' ELSE '$' END)`, params };
}
