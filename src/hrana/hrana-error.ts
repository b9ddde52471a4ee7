// Owns how an error looks to a Hrana client: libSQL's codes and words, as its clients' users compare them.
// Does not decide what is a statement's error and what ends the whole request: isOfStatement() reads a table.
import { type ErrorCode, TenantryError } from "../tenantry-error.ts";

/** An error as the protocol has it. */
export interface HranaError {
  readonly message: string;
  readonly code: string;
}

/** Errors of one statement, which the others of its request survive. Any other ends the stream. */
const OF_STATEMENT: ReadonlySet<ErrorCode> = new Set([
  "SQL_ERROR",
  "SQL_REFUSED",
  "SQL_TOO_LONG",
  "SQL_MANY_STATEMENTS",
  "SQL_NO_STATEMENT",
  "CONSTRAINT",
  "TYPE_ERROR",
  "TOO_MANY_PARAMETERS",
  "PARAMETER_COUNT",
  "READ_ONLY",
  "FORBIDDEN",
  "TENANT_BLOCKED",
  "RESPONSE_TOO_LARGE",
  "TOO_MANY_ROWS",
  "TRANSACTION_TIMEOUT",
  "DATABASE_BUSY",
  "DATABASE_FULL",
  "DATABASE_READ_ONLY",
  "DATABASE_IO",
  "DATABASE_CORRUPT",
]);

/** An error that only the protocol knows, such as an SQL id that is not stored. */
export class StatementError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** The error of a statement for its client. @throws `error` where it is not the statement's */
export function errorOfStatement(error: unknown): HranaError {
  if (error instanceof StatementError) return { message: error.message, code: error.code };
  if (error instanceof TenantryError && OF_STATEMENT.has(error.code)) return hranaError(error);
  throw error;
}

/** The error for a Hrana client, in libSQL's words where it has some. */
export function hranaError(error: TenantryError): HranaError {
  const { code, sqliteCode, cause } = error;
  switch (code) {
    case "SQL_NO_STATEMENT":
      return { message: "SQL string does not contain any statement", code };
    case "SQL_MANY_STATEMENTS":
      return { message: "SQL string contains more than one statement", code };
    case "PARAMETER_COUNT":
    case "TYPE_ERROR":
    case "TOO_MANY_PARAMETERS":
      return { message: `Arguments do not match SQL parameters: ${ownWords(error)}`, code: "ARGS_INVALID" };
    case "READ_ONLY":
    case "FORBIDDEN":
      return { message: `Operation was blocked: ${error.message}`, code: "BLOCKED" };
    case "TENANT_BLOCKED":
      // The reason alone, as libSQL's server says it.
      return {
        message: `Operation was blocked${cause instanceof Error ? `: ${cause.message}` : ""}`,
        code: "BLOCKED",
      };
    case "RESPONSE_TOO_LARGE":
    case "TOO_MANY_ROWS":
      return { message: `Response is too large: ${error.message}`, code: "RESPONSE_TOO_LARGE" };
    case "TRANSACTION_TIMEOUT":
      return { message: `Transaction timed out: ${error.message}`, code };
    case "UNAUTHENTICATED":
      return { message: error.message, code: authCode(error.message) };
    case "SQL_ERROR":
      return sqlError(error);
    case "DATABASE_BUSY":
      return { message: `SQLite error: ${ownWords(error)}`, code: baseCode(sqliteCode ?? "SQLITE_BUSY") };
    default:
      if (sqliteCode === undefined) return { message: error.message, code };
      return { message: `SQLite error: ${ownWords(error)}`, code: baseCode(sqliteCode) };
  }
}

function sqlError(error: TenantryError): HranaError {
  const words = ownWords(error);
  if (/^near "|^incomplete input|^unrecognized token/.test(words)) {
    return { message: `SQL string could not be parsed: ${words}`, code: "SQL_PARSE_ERROR" };
  }
  if (/^no such (?:column|function)|^wrong number of arguments|^misuse of /.test(words)) {
    return { message: `SQL input error: ${words}`, code: "SQL_INPUT_ERROR" };
  }
  return { message: `SQLite error: ${words}`, code: baseCode(error.sqliteCode ?? "SQLITE_ERROR") };
}

/** The message before D1's words were put around it. */
function ownWords({ message, cause }: TenantryError): string {
  return cause instanceof Error && message.startsWith("D1_") ? cause.message : message;
}

/** `SQLITE_CONSTRAINT_UNIQUE` is `SQLITE_CONSTRAINT` here. */
function baseCode(sqliteCode: string): string {
  return /^SQLITE_[A-Z]+/.exec(sqliteCode)?.[0] ?? sqliteCode;
}

function authCode(message: string): string {
  if (message.includes("needs credentials")) return "AUTH_JWT_MISSING";
  return message.includes("expired") ? "AUTH_JWT_EXPIRED" : "AUTH_JWT_INVALID";
}
