// Owns the wall between SQL that comes from callers over HTTP and the tenant's database: size, number and kind
// of statement, and a cache of what was found. Does not know who the caller is: `needs` says what to ask for.
import { TenantryError } from "../tenantry-error.ts";
import { inspectStatement, type Inspection } from "./inspect-statement.ts";
import { RecentMap } from "../recent-map.ts";

/** Longest SQL text in bytes of UTF-8: D1's limit. */
export const DEFAULT_MAX_SQL_BYTES = 100_000;
/** How many texts a guard remembers. */
export const DEFAULT_GUARD_CACHE_MAX = 2_000;
/** How much text a guard remembers, in UTF-16 units. */
export const DEFAULT_GUARD_CACHE_MAX_UNITS = 4_000_000;

/** What may pass for one statement. */
export interface AdmitOptions {
  /** Admit `BEGIN`, `COMMIT`, `END`, `ROLLBACK`, `SAVEPOINT` and `RELEASE`: for pinned connections. @default false */
  readonly allowTransactions?: boolean;
}

export interface GuardStatementOptions extends AdmitOptions {
  /** Longest SQL text in bytes of UTF-8. @default 100_000 */
  readonly maxSqlBytes?: number;
}

export interface GuardOptions {
  /** Longest SQL text in bytes of UTF-8, at least 1. @default 100_000 */
  readonly maxSqlBytes?: number;
  /** How many inspected texts to remember, at least 1. @default 2_000 */
  readonly cacheMax?: number;
  /** Let statements write to internal tables: for who makes or mends a whole database. @default false */
  readonly internalTables?: boolean;
}

/** Admits or refuses callers' SQL, and remembers what it admitted by its text. */
export interface Guard {
  /** @throws {TenantryError} As {@link guardStatement} does. */
  admit(sql: string, options?: AdmitOptions): Inspection;
}

/**
 * Admits one statement that comes from a caller, or throws.
 *
 * @throws {TenantryError} `SQL_TOO_LONG`, `SQL_NO_STATEMENT`, `SQL_MANY_STATEMENTS`, `SQL_REFUSED`, and
 * `SQL_ERROR` for a token that SQLite could not read.
 */
export function guardStatement(sql: string, options: GuardStatementOptions = {}): Inspection {
  const { maxSqlBytes = DEFAULT_MAX_SQL_BYTES, allowTransactions = false } = options;
  refuseLength(sql, maxSqlBytes);
  const inspection = inspectStatement(sql);
  refuseKind(inspection, allowTransactions);
  return inspection;
}

/**
 * A guard with a bounded memory: of a text that it has seen it knows the answer in well under a microsecond.
 *
 * @throws {TenantryError} `INVALID_OPTION`.
 */
export function createGuard(options: GuardOptions = {}): Guard {
  const {
    maxSqlBytes = DEFAULT_MAX_SQL_BYTES,
    cacheMax = DEFAULT_GUARD_CACHE_MAX,
    internalTables = false,
  } = options;
  refuseOption("maxSqlBytes", maxSqlBytes);
  refuseOption("cacheMax", cacheMax);
  const seen = new RecentMap<string, Inspection>({
    maxEntries: cacheMax,
    maxSize: DEFAULT_GUARD_CACHE_MAX_UNITS,
    sizeOf: (_, sql) => sql.length,
  });

  return {
    admit(sql, { allowTransactions = false } = {}) {
      let inspection = seen.get(sql);
      if (inspection === undefined) {
        refuseLength(sql, maxSqlBytes);
        inspection = inspectStatement(sql, { internalTables });
        if (inspection.kind !== "refused") seen.set(sql, inspection);
      }
      refuseKind(inspection, allowTransactions);
      return inspection;
    },
  };
}

function refuseKind(inspection: Inspection, allowTransactions: boolean): void {
  if (inspection.refusal !== undefined) {
    throw new TenantryError("SQL_REFUSED", inspection.refusal.message, { hint: inspection.refusal.hint });
  }
  if (inspection.kind === "transaction" && !allowTransactions) {
    throw new TenantryError(
      "SQL_REFUSED",
      `${inspection.verb} is refused here: requests share a connection.`,
      {
        hint: "Send the statements of a transaction together to /batch.",
      },
    );
  }
}

function refuseLength(sql: string, maxSqlBytes: number): void {
  // A UTF-16 unit becomes at most three bytes, so most texts need no counting.
  if (sql.length * 3 <= maxSqlBytes) return;
  if (sql.length <= maxSqlBytes && new TextEncoder().encode(sql).length <= maxSqlBytes) return;
  throw new TenantryError("SQL_TOO_LONG", `The SQL is longer than ${maxSqlBytes} bytes.`, {
    hint: "Bind values as parameters, and send many rows as a batch.",
  });
}

function refuseOption(name: string, value: number): void {
  if (Number.isInteger(value) && value >= 1) return;
  throw new TenantryError("INVALID_OPTION", `${name} is a whole number of at least 1, not ${value}.`, {
    hint: `Leave ${name} out for its default.`,
  });
}
