// Owns the translation of what better-sqlite3 throws into a TenantryError with D1's message.
// Does not know which tenant it was: the manager adds that.
import { type ErrorCode, TenantryError } from "../../tenantry-error.ts";
import { d1Error } from "../d1-error.ts";
import { wrongCount } from "./parameter-names.ts";

const BUSY_RETRY_AFTER_SECONDS = 1;

/** By SQLite's base result code; what is not here is the caller's SQL. */
const BY_RESULT_CODE: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  SQLITE_BUSY: ["DATABASE_BUSY", "Another process is writing to it. Try again."],
  SQLITE_LOCKED: ["DATABASE_BUSY", "Another statement is using it. Try again."],
  SQLITE_CORRUPT: ["DATABASE_CORRUPT", "Restore it from a snapshot or a backup."],
  SQLITE_NOTADB: [
    "DATABASE_CORRUPT",
    "The file is not a SQLite database. Restore it from a snapshot or a backup.",
  ],
  SQLITE_FULL: [
    "DATABASE_FULL",
    "Free some disk space, or raise the size limit of the tenant (maxBytes) or of all (maxDatabaseBytes).",
  ],
  SQLITE_READONLY: [
    "DATABASE_READ_ONLY",
    "Check who owns the file and its folder, and how the disk is mounted.",
  ],
  SQLITE_PERM: ["DATABASE_READ_ONLY", "Check who owns the file and its folder, and how the disk is mounted."],
  SQLITE_CANTOPEN: ["DATABASE_IO", "Check the file, its folder's permissions, and the limit of open files."],
  SQLITE_IOERR: ["DATABASE_IO", "Check the disk."],
  SQLITE_CONSTRAINT: ["CONSTRAINT", ""],
};

/** Whether `error` is SQLite saying that somebody else holds a lock. */
export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error);
  // A snapshot that is too old stays too old: waiting does not help it.
  return code !== undefined && /^SQLITE_(?:BUSY|LOCKED)/.test(code) && code !== "SQLITE_BUSY_SNAPSHOT";
}

/** The TenantryError for anything that a better-sqlite3 call threw; a TenantryError passes through. */
export function fromSqlite(error: unknown): TenantryError {
  if (error instanceof TenantryError) return error;
  if (!(error instanceof Error)) return new TenantryError("INTERNAL", String(error), { cause: error });
  const code = sqliteCode(error);
  if (code === undefined) return fromBinding(error);
  const base = /^SQLITE_[A-Z]+/.exec(code)?.[0] ?? code;
  const [ours, hint] = BY_RESULT_CODE[base] ?? (["SQL_ERROR", ""] as const);
  return d1Error(ours, `${error.message}: ${base}${code === base ? "" : ` (extended: ${code})`}`, {
    sqliteCode: code,
    cause: error,
    ...(hint && { hint }),
    ...(ours === "DATABASE_BUSY" && { retryAfterSeconds: BUSY_RETRY_AFTER_SECONDS }),
  });
}

/** What better-sqlite3 itself refuses, before SQLite is asked. */
function fromBinding(error: Error): TenantryError {
  const { message } = error;
  const details = { cause: error };
  if (message.includes("more than one statement")) {
    return d1Error("SQL_MANY_STATEMENTS", "The SQL holds more than one statement.", {
      ...details,
      hint: "Send one statement at a time, or several with batch().",
    });
  }
  if (message.includes("contains no statements")) {
    return d1Error("SQL_NO_STATEMENT", "No SQL statements detected.", details);
  }
  if (message.includes("parameter")) return wrongCount(`${message}.`);
  if (error instanceof TypeError && message.includes("bind")) {
    return d1Error("TYPE_ERROR", message, details, "D1_TYPE_ERROR");
  }
  if (message.includes("connection is not open")) {
    return new TenantryError("CLOSED", "The database connection is closed.", details);
  }
  return new TenantryError("INTERNAL", message, details);
}

function sqliteCode(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && code.startsWith("SQLITE_") ? code : undefined;
}
