// Owns what a blocked tenant's callers can still do: read, or nothing, on whatever way their SQL comes.
// Does not know who set the block; the catalog's record has it.
import type { TenantRecord } from "../catalog/tenant-record.ts";
import type {
  ExecResult,
  Repeat,
  ResultSet,
  RunOptions,
  Session,
  SqlRunner,
  Statement,
  StatementDescription,
} from "../drivers/driver.ts";
import { keywordOf, nextToken } from "../sql/sql-token.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";

/** What is asked of a tenant before each statement. */
export type BlockedRecord = Pick<TenantRecord, "id" | "blocked" | "blockReason">;

/** The error for what a block forbids. Its cause's message is the reason alone. */
export function blockedError({ id, blocked, blockReason }: BlockedRecord): TenantryError {
  const what = blocked === "writes" ? "takes no writes" : "is blocked";
  return new TenantryError(
    "TENANT_BLOCKED",
    `Tenant "${id}" ${what}${blockReason ? `: ${blockReason}` : ""}.`,
    {
      tenant: id,
      hint: `Whoever runs this server has set it. They take it away with "tenantry tenants unblock ${id}".`,
      ...(blockReason && { cause: new Error(blockReason) }),
    },
  );
}

/** @throws {TenantryError} `TENANT_BLOCKED` where nothing may be read */
export function assertReadable(record: BlockedRecord): void {
  if (record.blocked === "all") throw blockedError(record);
}

/** Runs statements on `runner` as far as the tenant's block lets them. `runner` must not be shared with others. */
export class BlockedRunner implements SqlRunner {
  readonly #runner: SqlRunner;
  readonly #record: BlockedRecord;

  constructor(runner: SqlRunner, record: BlockedRecord) {
    this.#runner = runner;
    this.#record = record;
  }

  run(statement: Statement, options?: RunOptions): Promise<ResultSet> {
    return this.#read(options, (readOnly) => this.#runner.run(statement, readOnly));
  }

  batch(statements: readonly Statement[], options?: RunOptions): Promise<ResultSet[]> {
    return this.#read(options, (readOnly) => this.#runner.batch(statements, readOnly));
  }

  /** A text of several statements is run as one that writes. */
  async exec(): Promise<ExecResult> {
    throw blockedError(this.#record);
  }

  async #read<T>(options: RunOptions | undefined, call: (readOnly: RunOptions) => Promise<T>): Promise<T> {
    assertReadable(this.#record);
    try {
      return await call({ ...options, readOnly: true });
    } catch (error) {
      throw wasRefused(error, options) ? blockedError(this.#record) : error;
    }
  }
}

/** Asks for the tenant's record before each statement of a transaction: a block holds in the midst of one, too. */
export class BlockableRunner implements SqlRunner {
  readonly #runner: SqlRunner;
  readonly #record: () => Promise<BlockedRecord>;

  constructor(runner: SqlRunner, record: () => Promise<BlockedRecord>) {
    this.#runner = runner;
    this.#record = record;
  }

  async run(statement: Statement, options?: RunOptions): Promise<ResultSet> {
    return (await this.#permitted()).run(statement, options);
  }

  async batch(statements: readonly Statement[], options?: RunOptions): Promise<ResultSet[]> {
    return (await this.#permitted()).batch(statements, options);
  }

  async exec(sql: string): Promise<ExecResult> {
    return (await this.#permitted()).exec(sql);
  }

  async #permitted(): Promise<SqlRunner> {
    const record = await this.#record();
    return record.blocked ? new BlockedRunner(this.#runner, record) : this.#runner;
  }
}

/** Asks for the tenant's record before each statement of a session: a block holds in the midst of one, too. */
export class BlockableSession implements Session {
  readonly #session: Session;
  readonly #peek: () => BlockedRecord | undefined;
  readonly #find: () => Promise<BlockedRecord>;

  /** Asks before each piece. */
  readonly read?: NonNullable<Session["read"]>;

  /** @param peek the record, if it is in memory */
  constructor(session: Session, peek: () => BlockedRecord | undefined, find: () => Promise<BlockedRecord>) {
    this.#session = session;
    this.#peek = peek;
    this.#find = find;
    const { read } = session;
    if (!read) return;
    this.read = (statement, options) => {
      const reader = read.call(session, statement, options);
      const next = async (): Promise<ResultSet<unknown[]>> => {
        assertReadable(await this.#record());
        return reader.next();
      };
      return { next, close: () => reader.close() };
    };
  }

  get inTransaction(): boolean {
    return this.#session.inTransaction;
  }

  get writing(): boolean {
    return this.#session.writing;
  }

  get transactionTimeoutMs(): number {
    return this.#session.transactionTimeoutMs;
  }

  runNow(statement: Statement, options?: RunOptions): ResultSet | Promise<ResultSet> {
    const record = this.#peek();
    return record && !record.blocked
      ? this.#session.runNow(statement, options)
      : this.run(statement, options);
  }

  repeat(sql: string): Repeat | undefined {
    const record = this.#peek();
    return record && !record.blocked ? this.#session.repeat?.(sql) : undefined;
  }

  async run(statement: Statement, options?: RunOptions): Promise<ResultSet> {
    const record = await this.#record();
    if (!record.blocked || this.#ends(statement)) return this.#session.run(statement, options);
    return new BlockedRunner(this.#session, record).run(statement, options);
  }

  async batch(statements: readonly Statement[], options?: RunOptions): Promise<ResultSet[]> {
    const record = await this.#record();
    // A session's batch is one that writes, whatever it holds.
    if (record.blocked) throw blockedError(record);
    return this.#session.batch(statements, options);
  }

  async exec(sql: string): Promise<ExecResult> {
    const record = await this.#record();
    if (record.blocked) throw blockedError(record);
    return this.#session.exec(sql);
  }

  describe(sql: string): StatementDescription {
    const record = this.#peek();
    if (record) assertReadable(record);
    return this.#session.describe(sql);
  }

  enforceForeignKeys(on: boolean): void {
    this.#session.enforceForeignKeys(on);
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  async #record(): Promise<BlockedRecord> {
    return this.#peek() ?? (await this.#find());
  }

  /** What was written before the block may be committed, and has to be ended one way or the other. */
  #ends({ sql }: Statement): boolean {
    return this.#session.inTransaction && ENDS.has(keywordOf(nextToken(sql, 0)));
  }
}

const ENDS: ReadonlySet<string> = new Set(["COMMIT", "END", "ROLLBACK", "RELEASE"]);

/** Whether a statement was refused because of the block, and not for what its caller may do. */
function wasRefused(error: unknown, options: RunOptions | undefined): boolean {
  return isTenantryError(error, "READ_ONLY") && !options?.readOnly;
}
