// Owns the translation of what D1, or a Durable Object's storage, says of SQL into a TenantryError.
// Does not know where the statement came from.
import { type ErrorCode, TenantryError } from "../tenantry-error.ts";
import { d1Error } from "./d1-error.ts";

/** By SQLite's primary result code; what is not here is the caller's SQL. */
const BY_RESULT_CODE: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  SQLITE_BUSY: ["DATABASE_BUSY", "Try again."],
  SQLITE_LOCKED: ["DATABASE_BUSY", "Try again."],
  SQLITE_CORRUPT: ["DATABASE_CORRUPT", "Restore it by a bookmark from before."],
  SQLITE_FULL: ["DATABASE_FULL", "A database holds at most 10 GB. Delete rows, or move the tenant."],
  SQLITE_IOERR: ["DATABASE_IO", "Try again."],
  SQLITE_CONSTRAINT: ["CONSTRAINT", ""],
  SQLITE_AUTH: ["SQL_REFUSED", "The runtime does not allow this."],
};

/** D1's limits and refusals, by the words in which they are told. */
const BY_WORDS: readonly (readonly [words: string, readonly [ErrorCode, string]])[] = [
  [
    "too many SQL variables",
    [
      "TOO_MANY_PARAMETERS",
      "A statement takes at most 100 parameters here. Send rows in several statements, or as one JSON text read by json_each(?).",
    ],
  ],
  [
    "statement too long",
    ["SQL_TOO_LONG", "A statement has at most 100,000 bytes here. Bind values as parameters."],
  ],
  ["not authorized", ["SQL_REFUSED", "The runtime does not allow this."]],
  ["string or blob too big", ["SQL_ERROR", "A value, and a row, has at most 2 MB here."]],
];

const WORDS = /^(.*?): (SQLITE_[A-Z]+)(?: \(extended: (SQLITE_[A-Z_]+)\))?$/s;
const TRANSACTION = /^To execute a transaction, please use /;

/** The TenantryError for anything that SQL has thrown, in D1's words; a TenantryError passes through. */
export function fromD1(error: unknown): TenantryError {
  if (error instanceof TenantryError) return error;
  const message = error instanceof Error ? error.message.replace(/^D1_(?:EXEC_)?ERROR: /, "") : String(error);
  const [, , primary, extended] = WORDS.exec(message) ?? [];
  if (primary !== undefined) {
    const [code, hint] = BY_WORDS.find(([words]) => message.startsWith(words))?.[1] ??
      BY_RESULT_CODE[primary] ?? ["SQL_ERROR", ""];
    return d1Error(code, message, {
      sqliteCode: extended ?? primary,
      ...(hint && { hint }),
      ...(code === "DATABASE_BUSY" && { retryAfterSeconds: 1 }),
    });
  }
  if (message.startsWith("Wrong number of parameter bindings")) return d1Error("PARAMETER_COUNT", message);
  if (message === "No SQL statements detected." || message.includes("did not contain a statement")) {
    return d1Error("SQL_NO_STATEMENT", message);
  }
  if (TRANSACTION.test(message)) return d1Error("SQL_REFUSED", message, { sqliteCode: "SQLITE_AUTH" });
  return new TenantryError("INTERNAL", message, { cause: error });
}
