// Owns a session on a libSQL database: BEGIN and COMMIT are the caller's, as Hrana's streams need it.
// Outside a transaction its statements run where everybody's do.
import { inspectStatement } from "../../sql/inspect-statement.ts";
import { TenantryError } from "../../tenantry-error.ts";
import type {
  ExecResult,
  ResultSet,
  RunOptions,
  Session,
  SqlRunner,
  Statement,
  StatementDescription,
} from "../driver.ts";
import type { RemoteSql } from "../remote/remote-sql.ts";
import type { LibsqlCalls } from "./libsql-connection.ts";
import type { LibsqlTransactionLike } from "./libsql-library.ts";
import { LibsqlTransaction } from "./libsql-transaction.ts";
import { hasEnded } from "../transaction-error.ts";
import { NOTHING } from "../empty-result.ts";

/** What a {@link LibsqlSession} is made of. */
export interface LibsqlSessionParts {
  readonly handle: SqlRunner & {
    begin(mode: "write" | "deferred"): Promise<LibsqlTransactionLike>;
  };
  readonly connection: LibsqlCalls;
  readonly sql: RemoteSql;
  readonly transactionTimeoutMs: number;
}

/** A {@link Session} over the network. Savepoints are not offered: `batch()` within a transaction is undone alone. */
export class LibsqlSession implements Session {
  readonly #parts: LibsqlSessionParts;
  #tx: LibsqlTransaction | undefined;
  #writing = false;
  #closed = false;

  constructor(parts: LibsqlSessionParts) {
    this.#parts = parts;
  }

  get inTransaction(): boolean {
    return this.#tx !== undefined;
  }

  get writing(): boolean {
    return this.#writing;
  }

  get transactionTimeoutMs(): number {
    return this.#parts.transactionTimeoutMs;
  }

  /** Never at once: somebody far away has to be waited for. */
  runNow(statement: Statement, options?: RunOptions): Promise<ResultSet> {
    return this.run(statement, options);
  }

  async run(statement: Statement, options?: RunOptions): Promise<ResultSet> {
    if (this.#closed) throw closed();
    const { kind, reads } = this.#parts.sql.read(statement.sql);
    if (kind === "transaction") return this.#transact(statement.sql);
    if (this.#tx && !reads) this.#writing = true;
    return this.#runner.run(statement, options);
  }

  batch(statements: readonly Statement[], options?: RunOptions): Promise<ResultSet[]> {
    return this.#runner.batch(statements, options);
  }

  exec(sql: string): Promise<ExecResult> {
    return this.#runner.exec(sql);
  }

  describe(): StatementDescription {
    throw unsupported("describes no statements without running them");
  }

  enforceForeignKeys(): void {
    throw unsupported("cannot switch foreign keys off in a session");
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#end();
  }

  get #runner(): SqlRunner {
    if (this.#closed) throw closed();
    return this.#tx ?? this.#parts.handle;
  }

  async #transact(sql: string): Promise<ResultSet> {
    const { verb, needs } = inspectStatement(sql);
    if (verb === "BEGIN") {
      if (this.#tx) throw unsupported("cannot begin a transaction within a transaction");
      const { handle, connection, sql: texts } = this.#parts;
      const inner = await handle.begin(needs === "write" ? "write" : "deferred");
      this.#tx = new LibsqlTransaction({ inner, connection, sql: texts, readOnly: false, sizeBytes: 0 });
      this.#writing = needs === "write";
      return NOTHING;
    }
    const tx = this.#tx;
    if (!tx) throw new TenantryError("SQL_ERROR", "cannot commit - no transaction is active");
    if (verb === "ROLLBACK" && !/\bto\b/i.test(sql)) {
      this.#end();
      return NOTHING;
    }
    if (verb !== "COMMIT" && verb !== "END") throw unsupported("has no savepoints");
    try {
      await tx.commit();
    } finally {
      this.#end();
    }
    return NOTHING;
  }

  #end(): void {
    this.#tx?.end(hasEnded());
    this.#tx = undefined;
    this.#writing = false;
  }
}

function unsupported(what: string): TenantryError {
  return new TenantryError("UNSUPPORTED", `The libSQL driver ${what}.`, {
    hint: "Speak to the libSQL database itself for that.",
  });
}

function closed(): TenantryError {
  return new TenantryError("CLOSED", "The session is closed.");
}
