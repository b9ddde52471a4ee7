// Owns an open libSQL database, wherever it is: statements, batches, scripts, interactive transactions.
// Does not know how it is reached (libsql-connection.ts), nor who leases it.
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
import type { RemoteSql, RemoteStatement } from "../remote/remote-sql.ts";
import { scriptOutcome, scriptStatements } from "../remote/script-statements.ts";
import type { LibsqlCalls } from "./libsql-connection.ts";
import type { LibsqlResult, LibsqlRunner, LibsqlStatement, LibsqlTransactionLike } from "./libsql-library.ts";
import { toResultSet } from "./libsql-result.ts";
import { asLibsql, execStatements, toArgument } from "./libsql-statements.ts";
import { LibsqlSession } from "./libsql-session.ts";
import { LibsqlTransaction } from "./libsql-transaction.ts";
import { hasEnded, timedOut } from "../transaction-error.ts";

/** What a {@link LibsqlHandle} is made with. */
export interface LibsqlHandleOptions {
  readonly sql: RemoteSql;
  /** Milliseconds that an interactive transaction may take. */
  readonly transactionTimeoutMs: number;
}

const SIZE: Statement = {
  sql: "SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size",
  params: [],
};
const LAST_ROW_ID: LibsqlStatement = { sql: "SELECT last_insert_rowid()", args: [] };
const NO_OPTIONS: RunOptions = {};

/** A tenant database behind `@libsql/client`. Use it through a lease: see `handle-cache`. */
export class LibsqlHandle implements Handle {
  readonly #connection: LibsqlCalls;
  readonly #options: LibsqlHandleOptions;
  #sizeBytes = 0;
  /** Whether the size may be another than it was. */
  #sizeStale = true;

  constructor(connection: LibsqlCalls, options: LibsqlHandleOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  async run(statement: Statement, options: RunOptions = NO_OPTIONS): Promise<ResultSet> {
    const prepared = this.#options.sql.prepare(statement, options.readOnly);
    const { text } = prepared;
    // What is stopped at a limit has written all its rows before; and a file's client does not say their rowid.
    if (text.returns && (isLimited(options) || this.#connection.local)) {
      return (await this.#undoably([prepared], options))[0] as ResultSet;
    }
    const started = performance.now();
    const result = await this.#call(!text.reads, (client) => client.execute(asLibsql(prepared)));
    return this.#toResult(result, prepared, options, started);
  }

  async batch(statements: readonly Statement[], options: RunOptions = NO_OPTIONS): Promise<ResultSet[]> {
    if (statements.length === 0) return [];
    const prepared = statements.map((statement) => this.#options.sql.prepare(statement, options.readOnly));
    const writes = prepared.some(({ text }) => !text.reads);
    const returning = prepared.some(({ text }) => text.returns);
    const giving = returning || prepared.some(({ text }) => text.reads);
    if (writes && ((giving && isLimited(options)) || (returning && this.#connection.local))) {
      return this.#undoably(prepared, options);
    }
    const started = performance.now();
    const results = await this.#call(writes, (client) =>
      client.batch(prepared.map(asLibsql), writes ? "write" : "deferred"),
    );
    const size = { rows: 0, bytes: 0 };
    return results.map((result, index) =>
      this.#toResult(result, prepared[index] as RemoteStatement, options, started, size),
    );
  }

  async exec(sql: string): Promise<ExecResult> {
    const statements = execStatements(sql, this.#options.sql);
    const started = performance.now();
    await this.#call(true, (client) => client.batch(statements.map(asLibsql), "write"));
    return { count: statements.length, duration: performance.now() - started };
  }

  async transaction<T>(
    mode: TransactionMode,
    fn: (tx: SqlRunner) => Promise<T>,
    { timeoutMs = this.#options.transactionTimeoutMs }: { readonly timeoutMs?: number } = {},
  ): Promise<T> {
    const inner = await this.begin(mode === "write" ? "write" : "deferred");
    const tx = new LibsqlTransaction({
      inner,
      connection: this.#connection,
      sql: this.#options.sql,
      readOnly: mode === "read",
      sizeBytes: this.#sizeBytes,
    });
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const error = timedOut(timeoutMs);
      tx.end(error);
      reject(error);
    }, timeoutMs);
    try {
      const result = await Promise.race([fn(tx), late]);
      await tx.commit();
      return result;
    } finally {
      clearTimeout(timer);
      tx.end(hasEnded());
    }
  }

  /** The client's own transaction, for sessions. It is the caller's to end. */
  begin(mode: "write" | "deferred"): Promise<LibsqlTransactionLike> {
    this.#sizeStale = true;
    return this.#connection.begin(mode);
  }

  async session(): Promise<Session> {
    return new LibsqlSession({
      handle: this,
      connection: this.#connection,
      sql: this.#options.sql,
      transactionTimeoutMs: this.#options.transactionTimeoutMs,
    });
  }

  async script(script: Script): Promise<boolean> {
    const statements = scriptStatements(script).map(({ sql, params }) => {
      if (this.#options.sql.read(sql).kind === "transaction") throw endsItself();
      return { sql, args: [...params] };
    });
    try {
      await this.#call(true, (client) =>
        script.foreignKeys === "off" ? client.migrate(statements) : client.batch(statements, "write"),
      );
      return true;
    } catch (error) {
      return scriptOutcome(error);
    }
  }

  /** Runs statements, all or none, with foreign keys off: for copies, which are checked in another way. */
  async write(statements: readonly Statement[]): Promise<void> {
    const sent = statements.map(({ sql, params }) => ({ sql, args: params.map(toArgument) }));
    await this.#call(true, (client) => client.migrate(sent));
  }

  async snapshot(): Promise<void> {
    throw new TenantryError("UNSUPPORTED", "The libSQL driver writes no snapshot files.", {
      hint: "Copy the tenant into a file: tenantry copy acme --to file:./acme.db",
    });
  }

  async sizeBytes(): Promise<number> {
    if (this.#sizeStale) {
      const { rows } = await this.run(SIZE);
      this.#sizeBytes = (rows[0] as { bytes: number }).bytes;
      this.#sizeStale = false;
    }
    return this.#sizeBytes;
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  #call<T>(writes: boolean, fn: (client: LibsqlRunner) => Promise<T>): Promise<T> {
    if (writes) this.#sizeStale = true;
    return this.#connection.call(writes, fn);
  }

  /** Runs statements in a transaction that is committed only where their answers are within the limits. */
  async #undoably(prepared: readonly RemoteStatement[], options: RunOptions): Promise<ResultSet[]> {
    const { local } = this.#connection;
    const started = performance.now();
    const tx = await this.begin("write");
    try {
      const sent = prepared.flatMap((one) =>
        local && one.text.returns ? [asLibsql(one), LAST_ROW_ID] : [asLibsql(one)],
      );
      const results = await tx.batch(sent).catch((error: unknown) => {
        throw this.#connection.explain(error, false);
      });
      const size = { rows: 0, bytes: 0 };
      let at = 0;
      const sets = prepared.map((one) => {
        const result = results[at++] as LibsqlResult;
        const rowId = local && one.text.returns ? results[at++]?.rows[0]?.[0] : undefined;
        return toResultSet(
          result,
          one.text,
          options,
          {
            duration: performance.now() - started,
            sizeBytes: this.#sizeBytes,
            ...(typeof rowId === "bigint" && { lastRowId: rowId }),
          },
          size,
        );
      });
      await tx.commit().catch((error: unknown) => {
        throw this.#connection.explain(error, true);
      });
      return sets;
    } finally {
      tx.close();
    }
  }

  #toResult(
    result: LibsqlResult,
    { text }: RemoteStatement,
    options: RunOptions,
    started: number,
    size = { rows: 0, bytes: 0 },
  ): ResultSet {
    const facts = { duration: performance.now() - started, sizeBytes: this.#sizeBytes };
    return toResultSet(result, text, options, facts, size);
  }
}

function isLimited({ maxRows, maxBytes }: RunOptions): boolean {
  return maxRows !== undefined || maxBytes !== undefined;
}

function endsItself(): TenantryError {
  return new TenantryError("SQL_REFUSED", "The script ends its own transaction.", {
    hint: "Leave out BEGIN, COMMIT and ROLLBACK: each file is one transaction already.",
  });
}
