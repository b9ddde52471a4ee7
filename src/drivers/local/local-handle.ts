// Owns an open tenant database on this machine: one connection that all callers share, and a few more for
// those who need one of their own; one line for its writers.
// Does not know who leases it.
import Database from "better-sqlite3";
import { FifoLock } from "../../fifo-lock.ts";
import { TenantryError } from "../../tenantry-error.ts";
import type {
  DatabaseLimits,
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
import { atomically } from "./atomically.ts";
import { noTransaction, readOnly } from "../transaction-error.ts";
import { Busy, untilFree } from "./busy-file.ts";
import { Connection } from "./connection.ts";
import { copyToFile } from "./copy-to-file.ts";
import { assertNewFile, removeDatabase } from "./database-file.ts";
import type { KnownFile } from "./known-files.ts";
import type { LocalHandleOptions, LocalHandleParts } from "./local-handle-options.ts";
import { LocalTransaction } from "./local-transaction.ts";
import { beginReading, nextPiece } from "./dump/dump-pieces.ts";
import { dumpText } from "./dump/dump-text.ts";
import { lendConnection, type Loan } from "./lend-connection.ts";
import { LocalSession } from "./local-session.ts";
import { runScript } from "./run-script.ts";
import type { SessionLease, SessionOwner, SessionPool } from "./session-pool.ts";
import { fromSqlite, isBusy } from "./sqlite-error.ts";
import { transact } from "./transact.ts";
import type { TurnQueue } from "./turn-queue.ts";

/** A tenant database in a file. Use it through a lease: see `handle-cache`. */
export class LocalHandle implements Handle, SessionOwner {
  readonly path: string;
  readonly #file: KnownFile | undefined;
  readonly #options: LocalHandleOptions;
  readonly #defaults: Pick<LocalHandleOptions, "maxBytes" | "transactionTimeoutMs">;
  #maxBytes: number;
  #transactionTimeoutMs: number;
  readonly #turns: TurnQueue;
  readonly #pool: SessionPool;
  readonly #writers: FifoLock;
  readonly #sessions: FifoLock;
  /** Each ends a dump. */
  readonly #dumps = new Set<() => void>();
  #shared: Connection;
  #closed = false;

  /**
   * @param defaults the bounds of a database that has none of its own
   * @param file where it is one that its driver remembers
   */
  constructor(
    path: string,
    shared: Connection,
    parts: LocalHandleParts,
    options: LocalHandleOptions,
    defaults: Pick<LocalHandleOptions, "maxBytes" | "transactionTimeoutMs"> = options,
    file?: KnownFile,
  ) {
    this.path = path;
    this.#file = file;
    this.#defaults = defaults;
    this.#maxBytes = options.maxBytes;
    this.#transactionTimeoutMs = options.transactionTimeoutMs;
    this.#shared = shared;
    this.#turns = parts.turns;
    this.#pool = parts.pool;
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

  get note(): string | undefined {
    return this.#file?.note;
  }

  set note(note: string | undefined) {
    if (this.#file) this.#file.note = note;
  }

  run(statement: Statement, options?: RunOptions): Promise<ResultSet> {
    return this.#turns.run(() => {
      const prepared = this.#shared.prepare(statement.sql);
      if (prepared.text.transaction) throw noTransaction();
      if (options?.readOnly && !prepared.readOnly) throw readOnly();
      const call = (): ResultSet => this.#shared.run(prepared, statement.params, options);
      return prepared.readOnly ? this.#attempt(call) : this.#write(call);
    });
  }

  batch(statements: readonly Statement[], options?: RunOptions): Promise<ResultSet[]> {
    return this.#turns.run(() => {
      const reads = statements.every(({ sql }) => this.#shared.reads(sql));
      if (options?.readOnly && !reads) throw readOnly();
      const call = (): ResultSet[] => {
        const size = { rows: 0, bytes: 0 };
        return atomically(this.#shared.sqlite, reads ? "BEGIN" : "BEGIN IMMEDIATE", () =>
          // Each is prepared when its turn comes: it may need what an earlier one makes.
          statements.map(({ sql, params }) => {
            const prepared = this.#shared.prepare(sql);
            if (prepared.text.transaction) throw noTransaction();
            return this.#shared.run(prepared, params, options, size);
          }),
        );
      };
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
    { timeoutMs = this.#transactionTimeoutMs }: { readonly timeoutMs?: number } = {},
  ): Promise<T> {
    const watch = mode === "write" ? this.#options.writes : undefined;
    await watch?.before();
    const result = await this.#transact(mode, fn, timeoutMs);
    await watch?.after();
    return result;
  }

  async #transact<T>(
    mode: TransactionMode,
    fn: (tx: SqlRunner) => Promise<T>,
    timeoutMs: number,
  ): Promise<T> {
    const release = mode === "write" ? await this.#writers.acquire() : undefined;
    try {
      return await this.#withSession((connection) =>
        transact(fn, {
          connection,
          mode,
          timeoutMs,
          turns: this.#turns,
          attempt: (call) => this.#attempt(call),
        }),
      );
    } finally {
      release?.();
    }
  }

  async session(): Promise<Session> {
    const { connection, release } = await this.#takeSession();
    return new LocalSession({
      connection,
      turns: this.#turns,
      release,
      writers: this.#writers,
      transactionTimeoutMs: this.#transactionTimeoutMs,
      attempt: (call) => this.#attempt(call),
      watch: this.#options.writes,
    });
  }

  script(script: Script): Promise<boolean> {
    return this.#turns.run(() => this.#write(() => runScript(this.#shared, script)));
  }

  async snapshot(path: string, check?: (asCopied: SqlRunner) => Promise<void>): Promise<void> {
    await assertNewFile(path);
    try {
      await this.#withSession(async (connection) => {
        // A read transaction pins what is copied: writers go on, and the copy neither sees them nor starts anew.
        await this.#attempt(() => beginReading(connection.sqlite));
        await copyToFile(connection.sqlite, path);
        await check?.(new LocalTransaction(connection, true, this.#turns));
      });
    } catch (error) {
      await removeDatabase(path);
      throw fromSqlite(error);
    }
  }

  setLimits({ maxBytes, transactionTimeoutMs }: DatabaseLimits): void {
    this.#transactionTimeoutMs = transactionTimeoutMs ?? this.#defaults.transactionTimeoutMs;
    this.#maxBytes = maxBytes ?? this.#defaults.maxBytes;
    this.#shared.limitSize(this.#maxBytes);
  }

  checkpoint(): Promise<void> {
    return this.#turns.run(() =>
      this.#write(() => {
        this.#shared.begins();
        const [state] = this.#shared.sqlite.pragma("wal_checkpoint(TRUNCATE)") as { busy: number }[];
        // SQLite tells of readers and writers by a row, where any other statement fails.
        if (state?.busy) throw new Database.SqliteError("database is locked", "SQLITE_BUSY");
      }),
    );
  }

  async *dump(): AsyncGenerator<string, void, undefined> {
    const { connection, release } = await this.#takeSession();
    const { sqlite } = connection;
    const text = dumpText(sqlite);
    const end = (): void => void text.return();
    this.#dumps.add(end);
    try {
      await this.#attempt(() => beginReading(sqlite));
      for (;;) {
        const piece = await this.#turns.run(() => {
          if (this.#closed) throw closed();
          connection.begins();
          return nextPiece(text);
        });
        if (piece === "") return;
        yield piece;
      }
    } catch (error) {
      throw fromSqlite(error);
    } finally {
      end();
      this.#dumps.delete(end);
      release();
    }
  }

  async sizeBytes(): Promise<number> {
    return this.#attempt(() => this.#shared.sizeBytes);
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
    const { writes } = this.#options;
    // What it does nobody can see: it counts as a write, also where it throws.
    await writes?.before();
    const release = await this.#writers.acquire();
    let loan: Loan<T>;
    try {
      if (this.#closed) throw closed();
      loan = lendConnection(this.#shared, fn);
      if (!loan.usable) await this.#replaceShared();
    } finally {
      release();
    }
    await writes?.after();
    return loan.outcome();
  }

  /** For the pool of connections. */
  openConnection(): Connection | Promise<Connection> {
    return this.#attempt(() => new Connection(this.path, { ...this.#options, maxBytes: this.#maxBytes }));
  }

  get closed(): boolean {
    return this.#closed;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // SQLite closes no connection that is being read.
    for (const end of this.#dumps) end();
    this.#pool.closeAll(this);
    this.#shared.close();
  }

  /** A write, and whatever must be so before anybody hears of it. */
  #write<T>(call: () => T): T | Promise<T> {
    const { writes } = this.#options;
    if (!writes) return this.#writeNow(call);
    const before = writes.before();
    const written = before ? before.then(() => this.#writeNow(call)) : this.#writeNow(call);
    if (written instanceof Promise) return written.then(async (result) => (await writes.after(), result));
    const after = writes.after();
    return after ? after.then(() => written) : written;
  }

  /** Now when nobody else writes, else in line. */
  #writeNow<T>(call: () => T): T | Promise<T> {
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

  /** Another process holds the lock. */
  #retry<T>(call: () => T): Promise<T> {
    return untilFree(() => {
      if (this.#closed) throw closed();
      return this.#attemptNow(call);
    }, this.#options.busyTimeoutMs);
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

  async #takeSession(): Promise<SessionLease> {
    const permit = await this.#sessions.acquire();
    try {
      const lease = await this.#pool.acquire(this);
      lease.connection.limitSize(this.#maxBytes);
      const release = (): void => {
        lease.release();
        permit();
      };
      return { connection: lease.connection, release };
    } catch (error) {
      permit();
      throw error;
    }
  }

  async #replaceShared(): Promise<void> {
    const old = this.#shared;
    const fresh = this.openConnection();
    this.#shared = fresh instanceof Promise ? await fresh : fresh;
    if (this.#closed) this.#shared.close();
    try {
      old.close();
    } catch (error) {
      // An iterator holds it: it closes when both are garbage.
      if (!(error instanceof TypeError)) throw error;
    }
  }
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
