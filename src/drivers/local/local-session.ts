// Owns a connection on which BEGIN and COMMIT are the caller's, and its place in the line of the tenant's writers.
// Does not know where connections come from.
import type { FifoLock, Release } from "../../fifo-lock.ts";
import { isTenantryError, TenantryError } from "../../tenantry-error.ts";
import type {
  ExecResult,
  Repeat,
  ResultSet,
  RowReader,
  RunOptions,
  Session,
  Statement,
  StatementDescription,
} from "../driver.ts";
import { atomically } from "./atomically.ts";
import type { Connection } from "./connection.ts";
import { fromSqlite, isBusy } from "./sqlite-error.ts";
import type { TurnQueue } from "./turn-queue.ts";
import type { WriteWatch } from "./write-watch.ts";

/** What a {@link LocalSession} is made of. */
export interface LocalSessionParts {
  readonly connection: Connection;
  readonly turns: TurnQueue;
  /** The line of those who write to the database, of this process. */
  readonly writers: FifoLock;
  readonly transactionTimeoutMs: number;
  /** Gives the connection back. */
  readonly release: () => void;
  /** Runs a call, again and again while another connection holds the lock. */
  readonly attempt: <T>(call: () => T) => T | Promise<T>;
  /** Is asked before its first write, and after each commit that has written. */
  readonly watch: WriteWatch | undefined;
}

/**
 * A {@link Session} on a file. Its first write, or its BEGIN IMMEDIATE, waits in the same line as every other
 * write of the tenant, and its transaction keeps the turn: SQLite's own lock is never met from this process, so
 * that nobody has to wait for it on the event loop on which the COMMIT arrives.
 */
export class LocalSession implements Session {
  readonly #parts: LocalSessionParts;
  /** Held while it writes: for a statement, or to the end of its transaction. */
  #turn: Release | undefined;
  #unchecked = false;
  #closed = false;
  /** Undefined where something has been run that may have changed it: asking takes as long as a short statement. */
  #inTransaction: boolean | undefined;
  /** Whether it has written what the watch has not been asked about. */
  #wrote = false;

  constructor(parts: LocalSessionParts) {
    this.#parts = parts;
  }

  get inTransaction(): boolean {
    if (this.#closed) return false;
    return (this.#inTransaction ??= this.#parts.connection.inTransaction);
  }

  get writing(): boolean {
    return this.#turn !== undefined;
  }

  get transactionTimeoutMs(): number {
    return this.#parts.transactionTimeoutMs;
  }

  run(statement: Statement, options?: RunOptions): Promise<ResultSet> {
    return this.#parts.turns.run(() => {
      const prepared = this.#open().prepare(statement.sql);
      return this.#inLine(!prepared.readOnly, (connection) =>
        // Prepared again after a wait: the schema may be another by then.
        connection.run(connection.prepare(statement.sql), statement.params, options),
      );
    });
  }

  runNow(statement: Statement, options?: RunOptions): ResultSet | Promise<ResultSet> {
    const connection = this.#open();
    const prepared = connection.prepare(statement.sql);
    if (!prepared.readOnly) {
      const waits = this.#beforeWrite();
      if (waits) return waits.then(() => this.run(statement, options));
      this.#turn ??= this.#parts.writers.tryAcquire();
      if (!this.#turn) return this.run(statement, options);
    }
    let result: ResultSet;
    try {
      if (prepared.text.transaction) this.#inTransaction = undefined;
      result = connection.run(prepared, statement.params, options);
    } catch (error) {
      this.#inTransaction = undefined;
      if (isBusy(error)) return this.run(statement, options);
      throw this.#afterError(fromSqlite(error));
    } finally {
      this.#endTurn();
    }
    const waits = this.#afterWrite();
    return waits ? waits.then(() => result) : result;
  }

  repeat(sql: string): Repeat | undefined {
    const connection = this.#open();
    const prepared = connection.prepare(sql);
    if (!this.inTransaction || !connection.repeats(prepared)) return undefined;
    return (params, ms, done) => {
      // Held to the end of a transaction that writes: the watch has been asked, and nobody can be in the way.
      if (!this.#turn) return;
      try {
        connection.runAgain(prepared, params, ms, done);
      } catch (error) {
        this.#inTransaction = undefined;
        this.#endTurn();
        if (isBusy(error)) return;
        throw this.#afterError(fromSqlite(error));
      }
    };
  }

  batch(statements: readonly Statement[], options?: RunOptions): Promise<ResultSet[]> {
    return this.#parts.turns.run(() =>
      this.#inLine(true, (connection) =>
        atomically(connection.sqlite, "BEGIN IMMEDIATE", () =>
          statements.map(({ sql, params }) => connection.run(connection.prepare(sql), params, options)),
        ),
      ),
    );
  }

  exec(sql: string): Promise<ExecResult> {
    return this.#parts.turns.run(() =>
      this.#inLine(true, (connection) =>
        atomically(connection.sqlite, "BEGIN IMMEDIATE", () => connection.exec(sql)),
      ),
    );
  }

  read({ sql, params }: Statement, options: RunOptions = {}): RowReader {
    const connection = this.#open();
    const reader = connection.read(connection.prepare(sql), params, options);
    const { turns, attempt } = this.#parts;
    const next = async (): Promise<ResultSet<unknown[]>> => attempt(() => reader.next());
    return {
      // Others have their turn between two pieces, however fast they are taken; most answers are one.
      next: () => (reader.underWay ? turns.run(next) : next()),
      close: () => reader.close(),
    };
  }

  describe(sql: string): StatementDescription {
    return this.#open().describe(sql);
  }

  enforceForeignKeys(on: boolean): void {
    this.#open().sqlite.pragma(`foreign_keys = ${on ? "ON" : "OFF"}`);
    this.#unchecked ||= !on;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const { connection, release } = this.#parts;
    try {
      connection.rollback();
      if (this.#unchecked && connection.open) connection.sqlite.pragma("foreign_keys = ON");
    } finally {
      release();
      this.#turn?.();
      this.#turn = undefined;
    }
  }

  /** Asks the watch before the first write of a transaction, or of a statement that is none's. */
  #beforeWrite(): Promise<void> | undefined {
    if (this.#wrote) return undefined;
    const waits = this.#parts.watch?.before();
    if (!waits) this.#wrote = true;
    return waits?.then(() => {
      this.#wrote = true;
    });
  }

  /** Asks the watch once what was written is committed. */
  #afterWrite(): Promise<void> | undefined {
    if (!this.#wrote || this.inTransaction) return undefined;
    this.#wrote = false;
    return this.#parts.watch?.after();
  }

  #open(): Connection {
    if (this.#closed) throw closed();
    return this.#parts.connection;
  }

  async #inLine<T>(writes: boolean, call: (connection: Connection) => T): Promise<T> {
    if (writes) await this.#beforeWrite();
    const result = await this.#inTurn(writes, call);
    await this.#afterWrite();
    return result;
  }

  async #inTurn<T>(writes: boolean, call: (connection: Connection) => T): Promise<T> {
    if (writes && !this.#turn) {
      const turn = await this.#parts.writers.acquire();
      if (this.#closed) {
        turn();
        throw closed();
      }
      this.#turn = turn;
    }
    try {
      // The connection may be somebody else's by the time a busy file is asked again.
      return await this.#parts.attempt(() => call(this.#open()));
    } catch (error) {
      throw this.#afterError(error);
    } finally {
      this.#inTransaction = undefined;
      this.#endTurn();
    }
  }

  #endTurn(): void {
    if (!this.#turn || this.inTransaction) return;
    this.#turn();
    this.#turn = undefined;
  }

  /** A transaction that reads an old state can never write: it must not keep those waiting who can. */
  #afterError(error: unknown): unknown {
    if (isTenantryError(error) && error.sqliteCode === "SQLITE_BUSY_SNAPSHOT") {
      this.#turn?.();
      this.#turn = undefined;
    }
    return error;
  }
}

function closed(): TenantryError {
  return new TenantryError("CLOSED", "The session is closed.");
}
