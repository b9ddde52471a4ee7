// Owns the connection that a stream has to itself while it needs one, and for how long a transaction may be open on it.
// Does not know what is asked of the stream.
import type {
  Repeat,
  ResultSet,
  RowReader,
  RunOptions,
  Session,
  Statement,
  StatementDescription,
} from "../drivers/driver.ts";
import type { Inspection } from "../sql/inspect-statement.ts";
import { TenantryError } from "../tenantry-error.ts";
import { StatementError } from "./hrana-error.ts";

/** Milliseconds that a transaction which only reads may be open: it keeps the log from being folded in. */
export const MAX_READ_TRANSACTION_MS = 60_000;

/** A connection of a stream's own, and the lease under which it has it. */
export interface PinnedSession {
  readonly session: Session;
  release(): Promise<void>;
}

/** A stream's connection: there while a transaction is open, and at most to the end of a request otherwise. */
export class StreamConnection {
  #pinned: PinnedSession | undefined;
  /** Why the transaction that its client thinks to be open is not; told until the client ends it. */
  #lost: TenantryError | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timed: "reading" | "writing" | undefined;
  #closed = false;

  get closed(): boolean {
    return this.#closed;
  }

  /** Whether there is one. */
  get pinned(): boolean {
    return this.#pinned !== undefined;
  }

  /** Whether a transaction is open, or one has been lost of which its client does not know yet. */
  get open(): boolean {
    return this.#pinned !== undefined || this.#lost !== undefined;
  }

  get autocommits(): boolean {
    return this.#pinned === undefined || !this.#pinned.session.inTransaction;
  }

  /** Takes one, unless there is one. @throws {TenantryError} as `open` does */
  async pin(open: () => Promise<PinnedSession>): Promise<void> {
    if (this.#pinned) return;
    const pinned = await open();
    if (!this.#closed) {
      this.#pinned = pinned;
      return;
    }
    // Its client went away while it waited: nobody else would give it back.
    await pinned.release();
    throw new StatementError("STREAM_CLOSED", "The stream was closed");
  }

  /**
   * Runs a statement, at once where nobody has to be waited for.
   * @throws {TenantryError} as `Session.runNow()` does, and `TRANSACTION_TIMEOUT`
   */
  runNow(statement: Statement, options: RunOptions): ResultSet | Promise<ResultSet> {
    const session = this.#session;
    try {
      const running = session.runNow(statement, options);
      return running instanceof Promise ? this.#whenRun(session, running) : running;
    } finally {
      this.#watch(session);
    }
  }

  /** What runs a write again, as `Session.repeat()` has it. */
  repeat(sql: string): Repeat | undefined {
    return this.#pinned?.session.repeat?.(sql);
  }

  /** Runs a statement in its turn. @throws {TenantryError} as {@link runNow} does */
  run(statement: Statement, options: RunOptions): Promise<ResultSet> {
    const session = this.#session;
    return this.#whenRun(session, session.run(statement, options));
  }

  async #whenRun<Result>(session: Session, running: Promise<Result>): Promise<Result> {
    try {
      return await running;
    } catch (error) {
      // Its time may have ended while it waited.
      throw this.#lost ?? error;
    } finally {
      this.#watch(session);
    }
  }

  /**
   * Begins to read the rows of a statement; undefined where that cannot be done in pieces.
   * @throws {TenantryError} as `Session.read()` does
   */
  read(statement: Statement, options: RunOptions): RowReader | undefined {
    const session = this.#session;
    const reader = session.read?.(statement, options);
    return reader && { next: () => this.#whenRun(session, reader.next()), close: () => reader.close() };
  }

  describe(sql: string): StatementDescription {
    return this.#session.describe(sql);
  }

  enforceForeignKeys(on: boolean): void {
    this.#session.enforceForeignKeys(on);
  }

  /** Nothing runs outside of a transaction that was lost. @throws {TenantryError} `TRANSACTION_TIMEOUT` */
  assertNotLost({ kind, verb }: Inspection, sql: string): void {
    const lost = this.#lost;
    if (!lost) return;
    const ends = verb === "ROLLBACK" ? !/\bTO\b/i.test(sql) : verb !== "SAVEPOINT" && verb !== "RELEASE";
    if (kind === "transaction" && ends) this.#lost = undefined;
    throw lost;
  }

  /** Gives it back where no transaction is open on it. */
  async rest(): Promise<void> {
    if (this.#pinned && !this.#pinned.session.inTransaction) await this.#unpin();
  }

  /** Rolls back what is not committed. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#unpin();
  }

  get #session(): Session {
    if (this.#pinned) return this.#pinned.session;
    throw this.#lost ?? new StatementError("STREAM_CLOSED", "The stream was closed");
  }

  async #unpin(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timed = undefined;
    const pinned = this.#pinned;
    this.#pinned = undefined;
    await pinned?.release();
  }

  /** Sees to it that no transaction is open for ever, and that none keeps other writers waiting for long. */
  #watch(session: Session): void {
    if (session !== this.#pinned?.session) return;
    const now = !session.inTransaction ? undefined : session.writing ? "writing" : "reading";
    if (now === this.#timed) return;
    clearTimeout(this.#timer);
    this.#timed = now;
    if (now === undefined) return;
    const ms = now === "writing" ? session.transactionTimeoutMs : MAX_READ_TRANSACTION_MS;
    this.#timer = setTimeout(() => {
      this.#lost = timedOut(ms);
      void this.#unpin();
    }, ms);
  }
}

function timedOut(ms: number): TenantryError {
  return new TenantryError("TRANSACTION_TIMEOUT", `it was open for more than ${ms} ms, and was rolled back`, {
    hint: "Keep transactions short, or raise transactionTimeoutMs.",
  });
}
