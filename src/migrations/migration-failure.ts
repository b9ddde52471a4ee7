// Owns what is said about a migration that failed: the file, the statement, its line, and SQLite's reason.
// Leaves alone the errors that are not the file's fault.
import type { Handle } from "../drivers/driver.ts";
import { TenantryError, isTenantryError } from "../tenantry-error.ts";
import type { ErrorCode } from "../tenantry-error.ts";
import type { Migration } from "./migration-set.ts";
import { statementsOf } from "./migration-text.ts";
import type { MigrationStatement } from "./migration-text.ts";

/** The codes that say that the SQL is at fault. A full disk or a lock is not, and may have passed next time. */
const FAULTS_OF_THE_FILE: ReadonlySet<ErrorCode> = new Set([
  "SQL_ERROR",
  "SQL_REFUSED",
  "SQL_TOO_LONG",
  "CONSTRAINT",
  "TYPE_ERROR",
  // Foreign keys cannot be switched off on this driver: trying again would not help.
  "UNSUPPORTED",
]);
/** As much of a statement as a message repeats, in characters. */
const MAX_QUOTED_SQL = 120;

/** The error to throw for `error`, which `migration` met: `MIGRATION_FAILED`, or `error` itself. */
export async function migrationFailed(
  handle: Handle,
  migration: Migration,
  error: unknown,
): Promise<unknown> {
  if (!isTenantryError(error) || !FAULTS_OF_THE_FILE.has(error.code)) return error;
  const culprit = await findCulprit(handle, migration, error.message);
  const where = culprit === undefined ? "" : ` in line ${culprit.line} (${excerpt(culprit.sql)})`;
  return new TenantryError(
    "MIGRATION_FAILED",
    `Migration "${migration.name}" failed${where}: ${sqliteMessage(error.message)}.`,
    {
      cause: error,
      hint: hintFor(error),
      ...(error.sqliteCode === undefined ? {} : { sqliteCode: error.sqliteCode }),
    },
  );
}

function hintFor({ code, message, hint }: TenantryError): string {
  if (/ already exists/.test(message))
    return "If this database had the schema before it had a journal, journal its files with baseline() instead.";
  // What to write instead is for who has refused it to say.
  if (code === "UNSUPPORTED" && hint !== undefined) return `Nothing of this file was kept. ${hint}`;
  return "Nothing of this file was kept. Correct it, or the data that it met, and migrate again.";
}

/**
 * SQLite does not say which statement of a script failed. Runs them one by one, in a transaction that is
 * always rolled back, up to the one that fails for the same reason.
 */
async function findCulprit(
  handle: Handle,
  { sql }: Migration,
  reason: string,
): Promise<MigrationStatement | undefined> {
  let culprit: MigrationStatement | undefined;
  const rollback = new Error("The search for a failed statement is over.");
  try {
    await handle.transaction("write", async (tx) => {
      for (const statement of statementsOf(sql)) {
        try {
          await tx.run({ sql: statement.sql, params: [] });
        } catch (error) {
          if (error instanceof Error && error.message === reason) culprit = statement;
          break;
        }
      }
      throw rollback;
    });
  } catch {
    // A driver without transactions, or a database that has become busy: the failure is reported without a line.
  }
  return culprit;
}

function excerpt(sql: string): string {
  const line = sql.replaceAll(/\s+/g, " ").trim();
  return line.length > MAX_QUOTED_SQL ? `${line.slice(0, MAX_QUOTED_SQL)}…` : line;
}

/** SQLite's own words, without what D1's error format puts around them, and without a full stop. */
function sqliteMessage(message: string): string {
  return message
    .replace(/^D1_ERROR: /, "")
    .replace(/: SQLITE_[A-Z_]+(?: \(extended: [A-Z_]+\))?$/, "")
    .replace(/\.$/, "");
}
