// Owns an interactive transaction on a libSQL database: its statements, and that none outlives it.
// Does not begin it: the handle does.
import type { TenantryError } from "../../tenantry-error.ts";
import type { ExecResult, ResultSet, RunOptions, SqlRunner, Statement } from "../driver.ts";
import type { RemoteSql, RemoteStatement } from "../remote/remote-sql.ts";
import { hasEnded } from "../transaction-error.ts";
import type { LibsqlCalls } from "./libsql-connection.ts";
import type { LibsqlResult, LibsqlStatement, LibsqlTransactionLike } from "./libsql-library.ts";
import { toResultSet } from "./libsql-result.ts";
import { asLibsql, execStatements } from "./libsql-statements.ts";

/** What a {@link LibsqlTransaction} is made of. */
export interface LibsqlTransactionParts {
  readonly inner: LibsqlTransactionLike;
  readonly connection: LibsqlCalls;
  readonly sql: RemoteSql;
  readonly readOnly: boolean;
  /** Bytes of the database when they were last asked for. */
  readonly sizeBytes: number;
}

const SAVE: LibsqlStatement = { sql: "SAVEPOINT part", args: [] };
const RELEASE: LibsqlStatement = { sql: "RELEASE part", args: [] };
const UNDO: LibsqlStatement = { sql: "ROLLBACK TO part", args: [] };

/** What an interactive transaction's function gets. Every statement of it fails once it has ended. */
export class LibsqlTransaction implements SqlRunner {
  readonly #parts: LibsqlTransactionParts;
  #ended: TenantryError | undefined;

  constructor(parts: LibsqlTransactionParts) {
    this.#parts = parts;
  }

  async run(statement: Statement, options: RunOptions = {}): Promise<ResultSet> {
    const prepared = this.#prepare(statement, options);
    const limited = options.maxRows !== undefined || options.maxBytes !== undefined;
    if (prepared.text.returns && limited) return (await this.#part([prepared], options))[0] as ResultSet;
    const started = performance.now();
    const result = await this.#send(() => this.#parts.inner.execute(asLibsql(prepared)));
    return this.#toResult(result, prepared, options, started);
  }

  batch(statements: readonly Statement[], options: RunOptions = {}): Promise<ResultSet[]> {
    return this.#part(
      statements.map((statement) => this.#prepare(statement, options)),
      options,
    );
  }

  async exec(sql: string): Promise<ExecResult> {
    const statements = execStatements(sql, this.#parts.sql);
    const started = performance.now();
    await this.#part(statements, {});
    return { count: statements.length, duration: performance.now() - started };
  }

  /** @throws {TenantryError} `OUTCOME_UNKNOWN`, and the error with which it has ended */
  async commit(): Promise<void> {
    if (this.#ended) throw this.#ended;
    await this.#parts.inner.commit().catch((error: unknown) => {
      throw this.#parts.connection.explain(error, true);
    });
  }

  /** Rolls back what is not committed; every later statement fails with `error`. */
  end(error: TenantryError): void {
    if (this.#ended) return;
    this.#ended = error;
    this.#parts.inner.close();
  }

  /** Statements that can be undone without the rest of the transaction. */
  async #part(prepared: readonly RemoteStatement[], options: RunOptions): Promise<ResultSet[]> {
    const limited = options.maxRows !== undefined || options.maxBytes !== undefined;
    const { inner } = this.#parts;
    const started = performance.now();
    try {
      const sent = [SAVE, ...prepared.map(asLibsql), ...(limited ? [] : [RELEASE])];
      const results = await this.#send(() => inner.batch(sent));
      const size = { rows: 0, bytes: 0 };
      const sets = prepared.map((one, index) =>
        this.#toResult(results[index + 1] as LibsqlResult, one, options, started, size),
      );
      if (limited) await this.#send(() => inner.execute(RELEASE));
      return sets;
    } catch (error) {
      await this.#undo();
      throw error;
    }
  }

  /** What cannot be undone alone is undone with the whole transaction. */
  async #undo(): Promise<void> {
    if (this.#ended) return;
    try {
      await this.#parts.inner.batch([UNDO, RELEASE]);
    } catch {
      this.end(hasEnded());
    }
  }

  #prepare(statement: Statement, options: RunOptions): RemoteStatement {
    if (this.#ended) throw this.#ended;
    return this.#parts.sql.prepare(statement, this.#parts.readOnly || options.readOnly);
  }

  async #send<T>(call: () => Promise<T>): Promise<T> {
    if (this.#ended) throw this.#ended;
    try {
      return await call();
    } catch (error) {
      // Nothing of it is there before the commit.
      throw this.#ended ?? this.#parts.connection.explain(error, false);
    }
  }

  #toResult(
    result: LibsqlResult,
    { text }: RemoteStatement,
    options: RunOptions,
    started: number,
    size = { rows: 0, bytes: 0 },
  ): ResultSet {
    const facts = { duration: performance.now() - started, sizeBytes: this.#parts.sizeBytes };
    return toResultSet(result, text, options, facts, size);
  }
}
