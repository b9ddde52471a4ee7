// Owns an interactive transaction on a connection of its own: its statements, and that none outlives it.
// Does not begin or commit: the handle does.
import { TenantryError } from "../../tenantry-error.ts";
import type { ExecResult, ResultSet, RunOptions, SqlRunner, Statement } from "../driver.ts";
import { atomically } from "./atomically.ts";
import { noTransaction, readOnly } from "../transaction-error.ts";
import type { Connection } from "./connection.ts";
import { fromSqlite } from "./sqlite-error.ts";
import type { TurnQueue } from "./turn-queue.ts";

/** What an interactive transaction's function gets. Every statement of it fails once it has ended. */
export class LocalTransaction implements SqlRunner {
  #ended: TenantryError | undefined;
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
    return this.#now(() =>
      atomically(this.#connection.sqlite, "BEGIN", () =>
        statements.map((statement) => this.#run(statement, options)),
      ),
    );
  }

  exec(sql: string): Promise<ExecResult> {
    return this.#now(() => {
      if (this.#readOnly) throw readOnly();
      return atomically(this.#connection.sqlite, "BEGIN", () => this.#connection.exec(sql));
    });
  }

  /** @throws the error with which it has ended */
  assertOpen(): void {
    // What runs on now would be committed statement by statement.
    if (!this.#ended && !this.#connection.inTransaction) this.end(rolledBack());
    if (this.#ended) throw this.#ended;
  }

  /** Rolls back what is not committed; every later statement fails with `error`. */
  end(error: TenantryError): void {
    if (this.#ended) return;
    this.#ended = error;
    this.#connection.rollback();
  }

  #run(statement: Statement, options: RunOptions = {}): ResultSet {
    const prepared = this.#connection.prepare(statement.sql);
    if (prepared.text.transaction) throw noTransaction();
    return this.#connection.run(
      prepared,
      statement.params,
      this.#readOnly ? { ...options, readOnly: true } : options,
    );
  }

  #now<T>(call: () => T): Promise<T> {
    return this.#turns.run(() => {
      this.assertOpen();
      try {
        return call();
      } catch (error) {
        throw fromSqlite(error);
      }
    });
  }
}

/** The error for a transaction that SQLite, or the caller's SQL, has rolled back in its midst. */
export function rolledBack(): TenantryError {
  return new TenantryError(
    "TRANSACTION_CLOSED",
    "The transaction ended before its function did, and was rolled back.",
    {
      hint: "A statement with OR ROLLBACK, a trigger's RAISE(ROLLBACK) or a full disk ends it; BEGIN, COMMIT and ROLLBACK are Tenantry's.",
    },
  );
}
