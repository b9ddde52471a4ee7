// Owns an open tenant database on this machine: one connection that all callers share, and a few more for
// those who need one of their own; one line for its writers.
// Does not know who leases it.
import Database from "better-sqlite3";
import { FifoLock, type Release } from "../../fifo-lock.ts";
import { TenantryError } from "../../tenantry-error.ts";
import type {
  ExecResult,
  Handle,
  ResultSet,
  RunOptions,
  Script,
  Session,
  SqlRunner,
  Statement,
  TransactionMode,
} from "../driver.ts";
import { Connection, type ConnectionOptions, noTransaction, readOnly } from "./connection.ts";
import { fromSqlite, isBusy } from "./sqlite-error.ts";
import type { TurnQueue } from "./turn-queue.ts";

/** What a {@link LocalHandle} is made with. */
export interface LocalHandleOptions extends ConnectionOptions {
  /** Milliseconds that a statement waits for another writer, of this process or another. */
  readonly busyTimeoutMs: number;
  /** Milliseconds that an interactive transaction may take. */
  readonly transactionTimeoutMs: number;
  /** Connections that a database may have besides the shared one. */
  readonly maxSessions: number;
}

/** A busy file is asked again after this long at first, and at most this much later in the end, in ms. */
const FIRST_RETRY_MS = 1;
const LAST_RETRY_MS = 50;

/** A tenant database in a file. Use it through a lease: see `handle-cache`. */
export class LocalHandle implements Handle {
  readonly path: string;
  readonly #options: LocalHandleOptions;
  readonly #turns: TurnQueue;
  readonly #shared: Connection;
  readonly #writers: FifoLock;
  readonly #sessions: FifoLock;
  #spare: Connection | undefined;
  #closed = false;

  constructor(path: string, shared: Connection, turns: TurnQueue, options: LocalHandleOptions) {
    this.path = path;
    this.#shared = shared;
    this.#turns = turns;
    this.#options = options;
    this.#writers = new FifoLock({
      timeoutMs: options.busyTimeoutMs,
      onTimeout: () => busy("Another transaction of this tenant is still writing."),
    });
    this.#sessions = new FifoLock({
      permits: options.maxSessions,
      timeoutMs: options.busyTimeoutMs,
      onTimeout: () => busy(`All ${options.maxSessions} connections of this tenant are taken.`),
    });
  }

  run(statement: Statement, options?: RunOptions): Promise<ResultSet> {
    return this.#turns.run(() => {
      const prepared = this.#shared.prepare(statement.sql);
      if (prepared.transaction) throw noTransaction();
      const call = (): ResultSet => this.#shared.run(prepared, statement.params, options);
      return prepared.readOnly ? this.#attempt(call) : this.#write(call);
    });
  }

  batch(statements: readonly Statement[], options?: RunOptions): Promise<ResultSet[]> {
    return this.#turns.run(() => {
      const reads = statements.every(({ sql }) => this.#shared.reads(sql));
      if (options?.readOnly && !reads) throw readOnly();
      const call = (): ResultSet[] =>
        atomically(this.#shared.sqlite, reads ? "BEGIN" : "BEGIN IMMEDIATE", () =>
          // Each is prepared when its turn comes: it may need what an earlier one makes.
          statements.map(({ sql, params }) => {
            const prepared = this.#shared.prepare(sql);
            if (prepared.transaction) throw noTransaction();
            return this.#shared.run(prepared, params, options);
          }),
        );
      return reads ? this.#attempt(call) : this.#write(call);
    });
  }

  exec(sql: string): Promise<ExecResult> {
    return this.#turns.run(() =>
      this.#write(() => atomically(this.#shared.sqlite, "BEGIN IMMEDIATE", () => this.#shared.exec(sql))),
    );
  }

  async transaction<T>(
    mode: TransactionMode,
    fn: (tx: SqlRunner) => Promise<T>,
    { timeoutMs = this.#options.transactionTimeoutMs }: { readonly timeoutMs?: number } = {},
  ): Promise<T> {
    const release = mode === "write" ? await this.#writers.acquire() : undefined;
    try {
      return await this.#withSession(async (connection) => {
        const { sqlite } = connection;
        await this.#attempt(() => sqlite.exec(mode === "write" ? "BEGIN IMMEDIATE" : "BEGIN"));
        const tx = new Transaction(connection, mode === "read", this.#turns);
        const { promise: timedOut, reject } = Promise.withResolvers<never>();
        const timer = setTimeout(() => {
          tx.end(
            "TRANSACTION_TIMEOUT",
            `The transaction was open for more than ${timeoutMs} ms and was rolled back.`,
          );
          reject(tx.ended);
        }, timeoutMs);
        try {
          const result = await Promise.race([fn(tx), timedOut]);
          if (tx.ended) throw tx.ended;
          if (!sqlite.inTransaction) throw rolledBack();
          await this.#attempt(() => sqlite.exec("COMMIT"));
          return result;
        } finally {
          clearTimeout(timer);
          tx.end("TRANSACTION_CLOSED", "The transaction has ended.");
        }
      });
    } finally {
      release?.();
    }
  }

  async session(): Promise<Session> {
    const { connection, release } = await this.#takeSession();
    return new LocalSession(connection, this.#turns, release, (call) => this.#attempt(call));
  }

  script({ sql, after, unless, foreignKeys }: Script): Promise<boolean> {
    return this.#turns.run(() =>
      this.#write(() => {
        const { sqlite } = this.#shared;
        const unchecked = foreignKeys === "off";
        if (unchecked) sqlite.pragma("foreign_keys = OFF");
        try {
          return atomically(sqlite, "BEGIN IMMEDIATE", () => {
            if (unless && this.#runNow(unless, { first: true }).rows.length > 0) return false;
            sqlite.exec(sql);
            if (!sqlite.inTransaction) {
              throw new TenantryError("SQL_REFUSED", "The script ends its own transaction.", {
                hint: "Leave out BEGIN, COMMIT and ROLLBACK: each file is one transaction already.",
              });
            }
            for (const statement of after) this.#runNow(statement);
            if (unchecked) assertForeignKeys(sqlite);
            return true;
          });
        } finally {
          if (unchecked) sqlite.pragma("foreign_keys = ON");
        }
      }),
    );
  }

  async snapshot(path: string): Promise<void> {
    await this.#withSession(async ({ sqlite }) => {
      // A read transaction pins what is copied: writers go on, and the copy neither sees them nor starts anew.
      await this.#attempt(() => {
        sqlite.exec("BEGIN");
        sqlite.prepare("SELECT 1 FROM sqlite_schema").get();
      });
      try {
        await sqlite.backup(path);
      } catch (error) {
        throw fromSqlite(error);
      } finally {
        sqlite.exec("ROLLBACK");
      }
    });
    const copy = new Database(path);
    try {
      // Without a write-ahead log the copy is one file, and can be read where nothing can be written.
      copy.pragma("journal_mode = DELETE");
    } finally {
      copy.close();
    }
  }

  sizeBytes(): Promise<number> {
    return this.#turns.run(() => this.#attempt(() => this.#shared.sizeBytes));
  }

  /** Changes whenever another process, or another connection of this one, has committed. About 1 µs. */
  dataVersion(): number {
    return this.#shared.dataVersion;
  }

  /**
   * Runs `fn` with the raw better-sqlite3 database, while no other writer of this process is at work. `fn`
   * is synchronous: nothing else runs meanwhile, so a transaction of its own must end within it.
   */
  async withSqlite<T>(fn: (sqlite: Database.Database) => T): Promise<T> {
    const release = await this.#writers.acquire();
    try {
      if (this.#closed) throw closed();
      const { sqlite } = this.#shared;
      const result = fn(sqlite);
      const unfinished = sqlite.open && sqlite.inTransaction;
      if (unfinished) sqlite.exec("ROLLBACK");
      if (result instanceof Promise) {
        throw new TenantryError("INVALID_ARGUMENT", "withSqlite() takes a synchronous function.", {
          hint: "Use transaction() for work that awaits something.",
        });
      }
      if (unfinished) throw rolledBack();
      return result;
    } catch (error) {
      if (this.#shared.sqlite.open && this.#shared.sqlite.inTransaction) this.#shared.sqlite.exec("ROLLBACK");
      throw error;
    } finally {
      release();
    }
  }

  /** Whether the raw connection is still open: a caller of withSqlite() may have closed it. */
  get usable(): boolean {
    return this.#shared.sqlite.open;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#spare?.close();
    this.#shared.close();
  }

  #runNow(statement: Statement, options?: RunOptions): ResultSet {
    return this.#shared.run(this.#shared.prepare(statement.sql), statement.params, options);
  }

  /** Now when nobody else writes, else in line. */
  #write<T>(call: () => T): T | Promise<T> {
    if (this.#closed) throw closed();
    if (!this.#writers.available) return this.#writers.run(() => this.#attempt(call));
    const first = this.#attemptNow(call);
    if (!(first instanceof Busy)) return first;
    return this.#writers.run(() => this.#attempt(call));
  }

  #attempt<T>(call: () => T): T | Promise<T> {
    if (this.#closed) throw closed();
    const first = this.#attemptNow(call);
    return first instanceof Busy ? this.#retry(call) : first;
  }

  /** Another process holds the lock: asks again and again, without stopping the event loop. */
  async #retry<T>(call: () => T): Promise<T> {
    const deadline = performance.now() + this.#options.busyTimeoutMs;
    for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(waitMs * 2, LAST_RETRY_MS)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      setTimeout(resolve, waitMs);
      await promise;
      if (this.#closed) throw closed();
      const result = this.#attemptNow(call);
      if (!(result instanceof Busy)) return result;
      if (performance.now() >= deadline) throw fromSqlite(result.error);
    }
  }

  #attemptNow<T>(call: () => T): T | Busy {
    try {
      return call();
    } catch (error) {
      if (isBusy(error)) return new Busy(error);
      throw fromSqlite(error);
    }
  }

  async #withSession<T>(fn: (connection: Connection) => Promise<T>): Promise<T> {
    const { connection, release } = await this.#takeSession();
    try {
      return await fn(connection);
    } finally {
      release();
    }
  }

  async #takeSession(): Promise<{ connection: Connection; release: Release }> {
    const permit = await this.#sessions.acquire();
    try {
      if (this.#closed) throw closed();
      const connection = this.#spare ?? (await this.#attempt(() => new Connection(this.path, this.#options)));
      this.#spare = undefined;
      const release = (): void => {
        if (connection.inTransaction) connection.sqlite.exec("ROLLBACK");
        if (this.#spare || this.#closed) connection.close();
        else this.#spare = connection;
        permit();
      };
      return { connection, release };
    } catch (error) {
      permit();
      throw error;
    }
  }
}

/** What an interactive transaction's function gets. Every statement of it fails once it has ended. */
class Transaction implements SqlRunner {
  ended: TenantryError | undefined;
  readonly #connection: Connection;
  readonly #readOnly: boolean;
  readonly #turns: TurnQueue;

  constructor(connection: Connection, readOnly: boolean, turns: TurnQueue) {
    this.#connection = connection;
    this.#readOnly = readOnly;
    this.#turns = turns;
  }

  run(statement: Statement, options?: RunOptions): Promise<ResultSet> {
    return this.#now(() => this.#run(statement, options));
  }

  batch(statements: readonly Statement[], options?: RunOptions): Promise<ResultSet[]> {
    return this.#now(() => {
      const { sqlite } = this.#connection;
      sqlite.exec("SAVEPOINT batch");
      try {
        const results = statements.map((statement) => this.#run(statement, options));
        sqlite.exec("RELEASE batch");
        return results;
      } catch (error) {
        if (sqlite.inTransaction) sqlite.exec("ROLLBACK TO batch; RELEASE batch");
        throw error;
      }
    });
  }

  exec(sql: string): Promise<ExecResult> {
    return this.#now(() => {
      if (this.#readOnly) throw readOnly();
      return this.#connection.exec(sql);
    });
  }

  end(code: "TRANSACTION_TIMEOUT" | "TRANSACTION_CLOSED", message: string): void {
    if (this.ended) return;
    this.ended = new TenantryError(code, message, { hint: "Await every statement inside the function." });
    if (this.#connection.inTransaction) this.#connection.sqlite.exec("ROLLBACK");
  }

  #run(statement: Statement, options: RunOptions = {}): ResultSet {
    const prepared = this.#connection.prepare(statement.sql);
    if (prepared.transaction) throw noTransaction();
    return this.#connection.run(
      prepared,
      statement.params,
      this.#readOnly ? { ...options, readOnly: true } : options,
    );
  }

  #now<T>(call: () => T): Promise<T> {
    return this.#turns.run(() => {
      if (this.ended) throw this.ended;
      try {
        return call();
      } catch (error) {
        throw fromSqlite(error);
      }
    });
  }
}

/** A connection of its own, on which `BEGIN` and `COMMIT` are the caller's. */
class LocalSession implements Session {
  readonly #connection: Connection;
  readonly #turns: TurnQueue;
  readonly #release: Release;
  readonly #attempt: <T>(call: () => T) => T | Promise<T>;
  #closed = false;

  constructor(
    connection: Connection,
    turns: TurnQueue,
    release: Release,
    attempt: <T>(call: () => T) => T | Promise<T>,
  ) {
    this.#connection = connection;
    this.#turns = turns;
    this.#release = release;
    this.#attempt = attempt;
  }

  get inTransaction(): boolean {
    return !this.#closed && this.#connection.inTransaction;
  }

  run(statement: Statement, options?: RunOptions): Promise<ResultSet> {
    return this.#now(() =>
      this.#connection.run(this.#connection.prepare(statement.sql), statement.params, options),
    );
  }

  batch(statements: readonly Statement[], options?: RunOptions): Promise<ResultSet[]> {
    return this.#now(() =>
      atomically(this.#connection.sqlite, "BEGIN IMMEDIATE", () =>
        statements.map(({ sql, params }) =>
          this.#connection.run(this.#connection.prepare(sql), params, options),
        ),
      ),
    );
  }

  exec(sql: string): Promise<ExecResult> {
    return this.#now(() => this.#connection.exec(sql));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#release();
  }

  #now<T>(call: () => T): Promise<T> {
    return this.#turns.run(() => {
      if (this.#closed) throw closed();
      return this.#attempt(call);
    });
  }
}

/** Marks an attempt that met a lock. */
class Busy {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

function atomically<T>(sqlite: Database.Database, begin: string, fn: () => T): T {
  sqlite.exec(begin);
  try {
    const result = fn();
    sqlite.exec("COMMIT");
    return result;
  } catch (error) {
    // A full disk or an I/O error rolls back by itself.
    if (sqlite.inTransaction) sqlite.exec("ROLLBACK");
    throw error;
  }
}

function assertForeignKeys(sqlite: Database.Database): void {
  const [broken] = sqlite.pragma("foreign_key_check") as { table: string; parent: string }[];
  if (!broken) return;
  throw new TenantryError(
    "CONSTRAINT",
    `D1_ERROR: FOREIGN KEY constraint failed: rows of ${broken.table} refer to rows of ${broken.parent} that are not there: SQLITE_CONSTRAINT`,
    { sqliteCode: "SQLITE_CONSTRAINT_FOREIGNKEY" },
  );
}

function busy(message: string): TenantryError {
  return new TenantryError("DATABASE_BUSY", message, {
    hint: "Try again; keep transactions short.",
    retryAfterSeconds: 1,
  });
}

function closed(): TenantryError {
  return new TenantryError("CLOSED", "The database handle is closed.");
}

function rolledBack(): TenantryError {
  return new TenantryError(
    "TRANSACTION_CLOSED",
    "The transaction ended before its function did, and was rolled back.",
    {
      hint: "Leave BEGIN, COMMIT and ROLLBACK to Tenantry, or end in the function what it begins.",
    },
  );
}
