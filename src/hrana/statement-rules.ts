// Owns what is known of a stream's statements before they run: whether they are admitted, and where they may run.
// Runs none.
import type { Guard } from "../sql/guard.ts";
import { type Inspection, isVerb } from "../sql/inspect-statement.ts";
import { keywordOf, nextToken } from "../sql/sql-token.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import type { Stmt, StreamRequest } from "./stream-request.ts";

const ADMIT = { allowTransactions: true };

/** What a statement is, for a caller who may send it. @throws {TenantryError} as the guard does, and `FORBIDDEN` */
export function admitStatement(
  sql: string,
  { guard, authorize }: { readonly guard: Guard; readonly authorize: (needs: Inspection["needs"]) => void },
): Inspection {
  const inspection = inspectForStream(sql, guard);
  authorize(inspection.needs);
  return inspection;
}

/** Words at the beginning of statements that SQLite has and the guard refuses. */
const REFUSED_VERBS: ReadonlySet<string> = new Set(["ATTACH", "DETACH", "VACUUM", "PRAGMA", "EXPLAIN"]);

/** What the guard says of a statement; of what is no SQL at all, SQLite's own words. */
export function inspectForStream(sql: string, guard: Guard): Inspection {
  try {
    return guard.admit(sql, ADMIT);
  } catch (error) {
    if (!isTenantryError(error, "SQL_REFUSED")) throw error;
    const first = nextToken(sql, 0);
    const word = keywordOf(first);
    if (!first || word === "WITH" || isVerb(word) || REFUSED_VERBS.has(word)) throw error;
    throw new TenantryError("SQL_ERROR", `near "${first.text.slice(0, 60)}": syntax error`, {
      sqliteCode: "SQLITE_ERROR",
      cause: error,
    });
  }
}

const TELLS_CONNECTION = /last_insert_rowid|changes/i;

/**
 * Whether the statements, outside a transaction, cannot tell on which connection they run. The second of two is
 * what some clients ask besides; of more than two, each would wait for a turn of its own.
 */
export function sharesConnection(requests: readonly StreamRequest[]): boolean {
  const statements: Stmt[] = [];
  for (const request of requests) {
    if (request.type === "sequence") return false;
    if (request.type === "execute") statements.push(request.stmt);
    else if (request.type === "batch") for (const { stmt } of request.batch) statements.push(stmt);
  }
  if (statements.length <= 1) return true;
  const second = statements[1]?.sql;
  return statements.length === 2 && typeof second === "string" && !TELLS_CONNECTION.test(second);
}

const FOREIGN_KEYS =
  /^\s*PRAGMA\s+(?:main\s*\.\s*)?foreign_keys\s*(?:=\s*(on|off|true|false|yes|no|0|1)|\(\s*(on|off|true|false|yes|no|0|1)\s*\))\s*;?\s*$/i;

/** What `PRAGMA foreign_keys = …` sets; undefined for any other statement. */
export function foreignKeysSetting(sql: string): { readonly on: boolean } | undefined {
  if (sql.length > 100) return undefined;
  const match = FOREIGN_KEYS.exec(sql);
  if (!match) return undefined;
  return { on: /^(?:on|true|yes|1)$/i.test((match[1] ?? match[2]) as string) };
}
