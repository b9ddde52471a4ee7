// Owns D1's API over anything that runs statements: one for every driver, so that code written for D1 runs
// unchanged on all of them. What D1 does, measured in workerd, is the rule (docs/d1-semantics.md).
import type {
  BookmarkedRunner,
  ExecResult,
  ResultSet,
  RunOptions,
  SqlRunner,
  Statement,
  StatementMeta,
  TransactionMode,
} from "../drivers/driver.ts";
import { TenantryError } from "../tenantry-error.ts";
import { d1Error } from "../drivers/d1-error.ts";
import { assertParameter } from "../drivers/parameter.ts";

/** D1's result of one statement. */
export interface StatementResult<T = Record<string, unknown>> {
  success: true;
  meta: StatementMeta & Record<string, unknown>;
  results: T[];
}

/** D1's prepared statement. `bind()` returns a new one. */
export interface TenantStatement {
  /** Positional parameters. @throws {TenantryError} `TYPE_ERROR` */
  bind(...values: unknown[]): TenantStatement;
  /** The first row's column of that name; null when there is no row. */
  first<T = unknown>(column: string): Promise<T | null>;
  /** The first row; null when there is none. */
  first<T = Record<string, unknown>>(): Promise<T | null>;
  run<T = Record<string, unknown>>(): Promise<StatementResult<T>>;
  all<T = Record<string, unknown>>(): Promise<StatementResult<T>>;
  /** Rows as arrays, the column names first. */
  raw<T = unknown[]>(options: { columnNames: true }): Promise<[string[], ...T[]]>;
  /** Rows as arrays. */
  raw<T = unknown[]>(options?: { columnNames?: false }): Promise<T[]>;
}

/** D1's session: reads of one see its earlier writes, also on replicas. */
export interface TenantDatabaseSession {
  prepare(sql: string): TenantStatement;
  batch<T = unknown>(statements: TenantStatement[]): Promise<StatementResult<T>[]>;
  /** Where this session has read or written up to; null where the driver has one copy only. */
  getBookmark(): string | null;
}

/** Statements and batches: what a transaction's function gets. */
export interface TenantTransaction {
  prepare(sql: string): TenantStatement;
  batch<T = unknown>(statements: TenantStatement[]): Promise<StatementResult<T>[]>;
}

/**
 * A tenant's database: structurally a `D1Database`, so that `drizzle-orm/d1`, `kysely-d1` and Prisma's D1
 * adapter take it, with interactive transactions where the driver has them.
 *
 * @example
 * const db = tenantry.database("acme");
 * const customer = await db.prepare("SELECT * FROM customers WHERE id = ?").bind(1).first();
 */
export interface TenantDatabase {
  prepare(sql: string): TenantStatement;
  /** All of the statements in one transaction, or none. */
  batch<T = unknown>(statements: TenantStatement[]): Promise<StatementResult<T>[]>;
  /** Several statements without parameters, all or none. */
  exec(sql: string): Promise<ExecResult>;
  withSession(constraintOrBookmark?: string): TenantDatabaseSession;
  /** Removed from D1 as well. @throws {TenantryError} `UNSUPPORTED`, always */
  dump(): Promise<ArrayBuffer>;
  /**
   * An interactive transaction: commits when `fn` fulfils, rolls back when it rejects or takes longer than
   * `timeoutMs`.
   * @throws {TenantryError} `UNSUPPORTED` (on D1 and Durable Objects: use `batch()`), `TRANSACTION_TIMEOUT`
   */
  transaction<T>(
    mode: TransactionMode,
    fn: (tx: TenantTransaction) => Promise<T>,
    options?: { readonly timeoutMs?: number },
  ): Promise<T>;
}

/** What a {@link TenantDatabase} is made over: a manager's tenant, or a handle. */
export interface DatabaseRunner extends SqlRunner {
  transaction<T>(
    mode: TransactionMode,
    fn: (tx: SqlRunner) => Promise<T>,
    options?: { readonly timeoutMs?: number },
  ): Promise<T>;
  /** The same, reading from copies that are no older than a bookmark; where it is missing there are none. */
  withBookmark?(from: string): BookmarkedRunner;
}

/** Where D1's sessions begin that are not told otherwise. */
export const DEFAULT_SESSION_START = "first-unconstrained";

/** D1's API over `runner`. */
export function tenantDatabase(runner: DatabaseRunner): TenantDatabase {
  return new PortableDatabase(runner);
}

class PortableDatabase implements TenantDatabase {
  readonly #runner: DatabaseRunner;

  constructor(runner: DatabaseRunner) {
    this.#runner = runner;
  }

  prepare(sql: string): TenantStatement {
    return new PortableStatement(this.#runner, sql, NO_PARAMETERS);
  }

  batch<T>(statements: TenantStatement[]): Promise<StatementResult<T>[]> {
    return runBatch<T>(this.#runner, statements);
  }

  async exec(sql: string): Promise<ExecResult> {
    try {
      return await this.#runner.exec(sql);
    } catch (error) {
      throw execError(error);
    }
  }

  withSession(constraintOrBookmark: string = DEFAULT_SESSION_START): TenantDatabaseSession {
    const runner = this.#runner.withBookmark?.(constraintOrBookmark);
    if (runner) {
      return {
        prepare: (sql) => new PortableStatement(runner, sql, NO_PARAMETERS),
        batch: (statements) => runBatch(runner, statements),
        getBookmark: () => runner.bookmark(),
      };
    }
    return {
      prepare: (sql) => this.prepare(sql),
      batch: (statements) => this.batch(statements),
      getBookmark: () => null,
    };
  }

  async dump(): Promise<ArrayBuffer> {
    throw new TenantryError("UNSUPPORTED", "dump() is gone from D1, and not offered here.", {
      hint: 'Export the tenant: "tenantry tenants export", or GET /admin/tenants/:tenant/export.',
    });
  }

  transaction<T>(
    mode: TransactionMode,
    fn: (tx: TenantTransaction) => Promise<T>,
    options?: { readonly timeoutMs?: number },
  ): Promise<T> {
    return this.#runner.transaction(
      mode,
      (tx) =>
        fn({
          prepare: (sql) => new PortableStatement(tx, sql, NO_PARAMETERS),
          batch: <R>(statements: TenantStatement[]) => runBatch<R>(tx, statements),
        }),
      options,
    );
  }
}

const NO_PARAMETERS: readonly unknown[] = [];
const FIRST_ROW: RunOptions = { first: true };
const ARRAYS: RunOptions = { rows: "arrays" };

class PortableStatement implements TenantStatement, Statement {
  readonly sql: string;
  readonly params: readonly unknown[];
  readonly #runner: SqlRunner;

  constructor(runner: SqlRunner, sql: string, params: readonly unknown[]) {
    this.#runner = runner;
    this.sql = sql;
    this.params = params;
  }

  bind(...values: unknown[]): TenantStatement {
    for (const value of values) assertParameter(value);
    return new PortableStatement(this.#runner, this.sql, values);
  }

  async first<T>(column?: string): Promise<T | null> {
    const { rows } = await this.#runner.run(this, FIRST_ROW);
    const row = rows[0] as Record<string, unknown> | undefined;
    if (row === undefined) return null;
    if (column === undefined) return withoutBuffers(row) as T;
    if (!Object.hasOwn(row, column)) {
      throw d1Error(
        "COLUMN_NOT_FOUND",
        `Column not found (${column})`,
        { hint: `The columns are ${Object.keys(row).join(", ")}.` },
        "D1_COLUMN_NOTFOUND",
      );
    }
    return portable(row[column]) as T;
  }

  run<T>(): Promise<StatementResult<T>> {
    return this.all<T>();
  }

  async all<T>(): Promise<StatementResult<T>> {
    return toResult<T>(await this.#runner.run(this));
  }

  async raw<T>(options?: { columnNames?: boolean }): Promise<T[] & [string[], ...T[]]> {
    const { columns, rows } = await this.#runner.run(this, ARRAYS);
    const arrays = (rows as unknown[][]).map((row) => row.map(portable));
    const all = options?.columnNames ? [[...columns], ...arrays] : arrays;
    return all as unknown as T[] & [string[], ...T[]];
  }
}

async function runBatch<T>(runner: SqlRunner, statements: TenantStatement[]): Promise<StatementResult<T>[]> {
  if (statements.length === 0) {
    throw d1Error("SQL_NO_STATEMENT", "No SQL statements detected.");
  }
  const results = await runner.batch(statements.map(asStatement));
  return results.map((result) => toResult<T>(result));
}

function asStatement(statement: TenantStatement): Statement {
  if (statement instanceof PortableStatement) return statement;
  throw new TenantryError("INVALID_ARGUMENT", "batch() takes statements that prepare() made.");
}

/** D1's result, from a driver's. */
export function toResult<T>({ rows, meta }: ResultSet): StatementResult<T> {
  for (const row of rows) withoutBuffers(row as Record<string, unknown>);
  return { success: true, meta: meta as StatementResult<T>["meta"], results: rows as T[] };
}

/** `row` with its blobs as D1 gives them, arrays of numbers. Changes the row in place: it is ours. */
function withoutBuffers(row: Record<string, unknown>): Record<string, unknown> {
  for (const column in row) {
    const value = row[column];
    if (typeof value === "object" && value !== null) row[column] = portable(value);
  }
  return row;
}

function portable(value: unknown): unknown {
  return value instanceof Uint8Array ? Array.from(value) : value;
}

function execError(error: unknown): unknown {
  if (!(error instanceof TenantryError) || !error.message.startsWith("D1_ERROR: ")) return error;
  const message = error.message.slice("D1_ERROR: ".length);
  return d1Error(error.code, message, { ...error, cause: error.cause }, "D1_EXEC_ERROR");
}
