// Owns a connection on which BEGIN and COMMIT are the caller's.
// Does not know where connections come from.
import { TenantryError } from "../../tenantry-error.ts";
import type { ExecResult, ResultSet, RunOptions, Session, Statement } from "../driver.ts";
import { atomically } from "./atomically.ts";
import type { Connection } from "./connection.ts";
import type { TurnQueue } from "./turn-queue.ts";

/** What a {@link LocalSession} is made of. */
export interface LocalSessionParts {
  readonly connection: Connection;
  readonly turns: TurnQueue;
  /** Gives the connection back. */
  readonly release: () => void;
  /** Runs a call, again and again while another connection holds the lock. */
  readonly attempt: <T>(call: () => T) => T | Promise<T>;
}

/** A {@link Session} on a file. */
export class LocalSession implements Session {
  readonly #parts: LocalSessionParts;
  #closed = false;

  constructor(parts: LocalSessionParts) {
    this.#parts = parts;
  }

  get inTransaction(): boolean {
    return !this.#closed && this.#parts.connection.inTransaction;
  }

  run(statement: Statement, options?: RunOptions): Promise<ResultSet> {
    return this.#now((connection) => runOn(connection, statement, options));
  }

  batch(statements: readonly Statement[], options?: RunOptions): Promise<ResultSet[]> {
    return this.#now((connection) =>
      atomically(connection.sqlite, "BEGIN IMMEDIATE", () =>
        statements.map((statement) => runOn(connection, statement, options)),
      ),
    );
  }

  exec(sql: string): Promise<ExecResult> {
    return this.#now((connection) =>
      atomically(connection.sqlite, "BEGIN IMMEDIATE", () => connection.exec(sql)),
    );
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#parts.release();
  }

  #now<T>(call: (connection: Connection) => T): Promise<T> {
    const { connection, turns, attempt } = this.#parts;
    return turns.run(() => {
      if (this.#closed) throw new TenantryError("CLOSED", "The session is closed.");
      return attempt(() => call(connection));
    });
  }
}

function runOn(connection: Connection, { sql, params }: Statement, options?: RunOptions): ResultSet {
  return connection.run(connection.prepare(sql), params, options);
}
