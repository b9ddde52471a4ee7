// Owns the translation of what `@libsql/client` throws: into a TenantryError with D1's message where it is about
// SQL, into a fault where it is about the way. Does not know which tenant it was.
import { type ErrorCode, TenantryError } from "../../tenantry-error.ts";
import { d1Error } from "../d1-error.ts";
import { RemoteFault } from "../remote/remote-fault.ts";

/**
 * By the library's code, which may be an extended one of SQLite. What is not here and begins with `SQLITE_` is the
 * caller's SQL.
 */
const BY_CODE: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  SQLITE_BUSY: ["DATABASE_BUSY", "Somebody else is writing to it. Try again."],
  SQLITE_LOCKED: ["DATABASE_BUSY", "Another statement is using it. Try again."],
  TRANSACTION_BUSY: ["DATABASE_BUSY", "Somebody else is writing to it. Try again."],
  SQLITE_CORRUPT: ["DATABASE_CORRUPT", "Restore it from a backup."],
  SQLITE_NOTADB: ["DATABASE_CORRUPT", "It is not a SQLite database. Restore it from a backup."],
  SQLITE_FULL: ["DATABASE_FULL", "Raise the database's size limit, or remove rows."],
  SQLITE_READONLY: ["DATABASE_READ_ONLY", "Look at who owns the file, or whether writes are blocked."],
  SQLITE_PERM: ["DATABASE_READ_ONLY", "Look at who owns the file and its folder."],
  SQLITE_CANTOPEN: ["DATABASE_IO", "Look at the file and its folder's permissions."],
  SQLITE_IOERR: ["DATABASE_IO", "Look at the disk."],
  SQLITE_CONSTRAINT: ["CONSTRAINT", ""],
  SQLITE_AUTH: ["SQL_REFUSED", "The remote does not allow this statement."],
  SQL_REFUSED: ["SQL_REFUSED", "The remote does not allow this statement."],
  READ_ONLY: ["READ_ONLY", "The driver's token only reads."],
  BLOCKED: ["DATABASE_REFUSED", "Its owner has blocked this, or the driver's token has not the right."],
  SQL_NO_STATEMENT: ["SQL_NO_STATEMENT", ""],
  SQL_MANY_STATEMENTS: ["SQL_MANY_STATEMENTS", "Send one statement at a time, or several with batch()."],
  ARGS_INVALID: ["PARAMETER_COUNT", ""],
  RESPONSE_TOO_LARGE: ["RESPONSE_TOO_LARGE", "Name fewer columns, or add a LIMIT."],
  TRANSACTION_TIMEOUT: ["TRANSACTION_TIMEOUT", "Keep transactions short."],
  TRANSACTION_CLOSED: ["TRANSACTION_CLOSED", "It had been rolled back: begin anew."],
  STREAM_EXPIRED: ["TRANSACTION_CLOSED", "It was idle for too long, and rolled back: begin anew."],
  STREAM_CLOSED: ["TRANSACTION_CLOSED", "It had been rolled back: begin anew."],
  CLIENT_CLOSED: ["CLOSED", ""],
};

/** libSQL's words around SQLite's. */
const PREFIX = /^(?:SQLite error|SQL string could not be parsed|SQL input error|SQLite input error): /;

/** The extended codes that a message gives away; a UNIQUE one may be the primary key's as well. */
const EXTENDED: readonly (readonly [RegExp, string])[] = [
  [/^NOT NULL constraint/, "SQLITE_CONSTRAINT_NOTNULL"],
  [/^CHECK constraint/, "SQLITE_CONSTRAINT_CHECK"],
  [/^FOREIGN KEY constraint/, "SQLITE_CONSTRAINT_FOREIGNKEY"],
  [/^UNIQUE constraint/, "SQLITE_CONSTRAINT_UNIQUE"],
  [/^cannot store /, "SQLITE_CONSTRAINT_DATATYPE"],
];

/** What the library threw, as a fault or an error of ours; both pass through. */
export function fromLibsql(error: unknown): RemoteFault | TenantryError {
  const ours = oursWithin(error);
  if (ours) return ours;
  if (!(error instanceof Error)) return new TenantryError("INTERNAL", String(error), { cause: error });
  const code = ("code" in error && typeof error.code === "string" && error.code) || undefined;
  const words = wordsOf(error);
  const aboutSql = code !== undefined && /^SQL(?:ITE)?_/.test(code);
  if (!aboutSql && (code?.startsWith("AUTH_") || /\b401\b|unauthori[sz]ed/i.test(words))) {
    return new RemoteFault("refused", "refuses our credentials", { cause: error });
  }
  if (code === undefined) {
    // An answer that is no JSON, or ends in its midst; a replica whose primary does not answer.
    return new RemoteFault("unreachable", "gave an answer that is not one of libSQL's", {
      mayHaveRun: true,
      cause: error,
    });
  }
  if (code === "SQL_PARSE_ERROR" || code === "SQL_INPUT_ERROR") {
    return d1Error("SQL_ERROR", `${words}: SQLITE_ERROR`, {
      sqliteCode: "SQLITE_ERROR",
      cause: asCause(words, error),
    });
  }
  const [ours2, hint] = BY_CODE[code] ?? BY_CODE[/^SQLITE_[A-Z]+/.exec(code)?.[0] ?? ""] ?? [undefined, ""];
  if (ours2 === undefined && !/^SQLITE_(?!UNKNOWN)/.test(code)) {
    return new RemoteFault("unreachable", `gave an answer that is not one of libSQL's (${code})`, {
      mayHaveRun: true,
      cause: error,
    });
  }
  return sqlError(ours2 ?? "SQL_ERROR", code, words, hint, error);
}

function sqlError(
  code: ErrorCode,
  libsqlCode: string,
  words: string,
  hint: string,
  error: Error,
): TenantryError {
  const details = { ...(hint !== "" && { hint }), cause: asCause(words, error) };
  if (!libsqlCode.startsWith("SQLITE_")) {
    if (code === "PARAMETER_COUNT") {
      return d1Error(code, "Wrong number of parameter bindings for SQL query.", details);
    }
    return d1Error(code, code === "SQL_NO_STATEMENT" ? "No SQL statements detected." : words, details);
  }
  const given =
    "extendedCode" in error && String(error.extendedCode).startsWith("SQLITE_")
      ? String(error.extendedCode)
      : undefined;
  const extended = given ?? EXTENDED.find(([pattern]) => pattern.test(words))?.[1] ?? libsqlCode;
  return d1Error(
    code,
    `${words}: ${libsqlCode}${given && given !== libsqlCode ? ` (extended: ${given})` : ""}`,
    {
      sqliteCode: extended,
      ...details,
      ...(code === "DATABASE_BUSY" && { retryAfterSeconds: 1 }),
    },
  );
}

/** SQLite's own words: `SQLITE_CONSTRAINT: SQLite error: UNIQUE constraint failed: t.a` has them last. */
function wordsOf(error: Error): string {
  const inner =
    error.cause instanceof Error ? error.cause.message : error.message.replace(/^[A-Z_0-9]+: /, "");
  return inner.replace(PREFIX, "").replace(/ \((at offset \d+)\)$/, " $1");
}

/** Code for D1 reads `error.cause.message`; the library's own error stays behind it. */
function asCause(words: string, error: Error): Error {
  return new Error(words, { cause: error });
}

/** Whatever our own `fetch` threw, which the library may have wrapped. */
function oursWithin(error: unknown): RemoteFault | TenantryError | undefined {
  let at = error;
  for (let depth = 0; depth < 5 && at instanceof Error; depth++) {
    if (at instanceof RemoteFault || at instanceof TenantryError) return at;
    at = at.cause;
  }
  return undefined;
}
