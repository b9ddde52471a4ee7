// Owns the one error class and the closed list of its codes.
// Does not know HTTP: `http/error-status.ts` maps each code to a status.

/** Every way in which Tenantry refuses or fails, described in `docs/errors.md`. */
export const ERROR_CODES = [
  // the caller's words
  "INVALID_OPTION",
  "INVALID_ARGUMENT",
  "INVALID_TENANT_ID",
  "INVALID_JSON",
  "UNSUPPORTED_MEDIA_TYPE",
  "BODY_TOO_LARGE",
  "NOT_FOUND",
  "METHOD_NOT_ALLOWED",
  "NOT_ACCEPTABLE",
  "TENANT_REQUIRED",
  "TENANT_MISMATCH",
  "NO_TENANT_SCOPE",
  "WRONG_TENANT",
  // rights
  "UNAUTHENTICATED",
  "FORBIDDEN",
  "CROSS_SITE_REFUSED",
  "TOO_MANY_REQUESTS",
  // tenants and their states
  "TENANT_NOT_FOUND",
  "TENANT_EXISTS",
  "ALIAS_EXISTS",
  "TENANT_SUSPENDED",
  "TENANT_BLOCKED",
  "TENANT_QUARANTINED",
  "TENANT_BUSY",
  "TENANT_STATE",
  // databases and handles
  "DRIVER_MISSING",
  "DATABASE_MISSING",
  "DATABASE_EXISTS",
  "DATABASE_CORRUPT",
  "DATABASE_BUSY",
  "DATABASE_READ_ONLY",
  "DATABASE_FULL",
  "DATABASE_IO",
  "DATABASE_UNREACHABLE",
  "DATABASE_REFUSED",
  "DATABASE_THROTTLED",
  "CACHE_EXHAUSTED",
  // executors
  "STATEMENT_TIMEOUT",
  "OUTCOME_UNKNOWN",
  "TENANT_THROTTLED",
  "OVERLOADED",
  "IDEMPOTENCY_MISMATCH",
  "EXECUTOR_FAILED",
  "CLOSED",
  // SQL
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
  "RESPONSE_TOO_LARGE",
  "TOO_MANY_ROWS",
  "TRANSACTION_TIMEOUT",
  "TRANSACTION_CLOSED",
  "STREAM_EXPIRED",
  "UNSUPPORTED",
  // rows
  "TABLE_NOT_FOUND",
  "COLUMN_NOT_FOUND",
  "INVALID_FILTER",
  "FILTER_REQUIRED",
  "RANGE_NOT_SATISFIABLE",
  "NOT_SINGULAR",
  // migrations
  "MIGRATIONS_INVALID",
  "MIGRATION_FAILED",
  "MIGRATION_DRIFTED",
  "MIGRATION_MISSING",
  // import and copies
  "IMPORT_INVALID",
  "COPY_REFUSED",
  "COPY_DIFFERS",
  // backups
  "BACKUPS_UNAVAILABLE",
  "SNAPSHOT_NOT_FOUND",
  "NOTHING_REPLACED",
  "REPLICA_EMPTY",
  "REPLICA_RANGE",
  "REPLICA_DAMAGED",
  "HYDRATING",
  "ERASE_INCOMPLETE",
  "NOT_REPLICATED",
  "REPLICA_TAKEN",
  // anything that is our own fault
  "INTERNAL",
] as const;

/** One of {@link ERROR_CODES}. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** What an error carries besides its message. */
export interface TenantryErrorDetails {
  /** The tenant it is about. Never shown to a caller without the right to see that tenant. */
  readonly tenant?: string;
  /** What the person can do next, as a sentence. */
  readonly hint?: string;
  /** Seconds after which trying again makes sense; becomes `Retry-After`. */
  readonly retryAfterSeconds?: number;
  /** SQLite's own result code, extended where it gave one, such as `SQLITE_CONSTRAINT_UNIQUE`. */
  readonly sqliteCode?: string;
  readonly cause?: unknown;
}

/**
 * The one error class: what went wrong, of which tenant, and what to do next.
 *
 * @example
 * throw new TenantryError("DATABASE_MISSING", 'Tenant "acme" has no database file.', {
 *   tenant: "acme",
 *   hint: 'Put the file back, or delete the tenant with "tenantry tenants delete acme".',
 * });
 */
export class TenantryError extends Error {
  override readonly name = "TenantryError";
  readonly code: ErrorCode;
  readonly tenant?: string;
  readonly hint?: string;
  readonly retryAfterSeconds?: number;
  readonly sqliteCode?: string;

  constructor(code: ErrorCode, message: string, details: TenantryErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    if (details.tenant !== undefined) this.tenant = details.tenant;
    if (details.hint !== undefined) this.hint = details.hint;
    if (details.retryAfterSeconds !== undefined) this.retryAfterSeconds = details.retryAfterSeconds;
    if (details.sqliteCode !== undefined) this.sqliteCode = details.sqliteCode;
  }
}

/** Whether `error` is a {@link TenantryError}, of `code` when one is given. */
export function isTenantryError(error: unknown, code?: ErrorCode): error is TenantryError {
  return error instanceof TenantryError && (code === undefined || error.code === code);
}
