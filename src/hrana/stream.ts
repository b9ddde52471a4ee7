// Owns a stream: what its requests do to the tenant's database, in order, and the connection that a transaction
// needs. Knows no HTTP and no batons.
import type { ResultSet, RunOptions, Session, SqlRunner, Statement } from "../drivers/driver.ts";
import type { Guard } from "../sql/guard.ts";
import type { Inspection } from "../sql/inspect-statement.ts";
import { parametersOf } from "../sql/parameters.ts";
import { splitStatements } from "../sql/split-statements.ts";
import { TenantryError } from "../tenantry-error.ts";
import { BatchCursor, CURSOR_PIECE_CHARACTERS, type EntrySource } from "./batch-cursor.ts";
import { errorOfStatement, type HranaError, StatementError } from "./hrana-error.ts";
import { joined, type JsonText, lengthOf } from "./json-text.ts";
import { type Done, entriesOf, resultText } from "./result-text.ts";
import { ResultRows } from "./row-writer.ts";
import { argumentsInOrder } from "./statement-arguments.ts";
import { admitStatement, foreignKeysSetting, inspectForStream, sharesConnection } from "./statement-rules.ts";
import { StoredSql } from "./stored-sql.ts";
import type { Batch, BatchCond, SqlReference, Stmt, StreamRequest } from "./stream-request.ts";
import { wholeTransaction } from "./whole-transaction.ts";

/** Milliseconds that a transaction which only reads may be open: it keeps the log from being folded in. */
export const MAX_READ_TRANSACTION_MS = 60_000;

/** Milliseconds that a request's statements run one after another before others get their turn. */
const SLICE_MS = 10;

/** A connection of a stream's own, and the lease under which it has it. */
export interface PinnedSession {
  readonly session: Session;
  release(): Promise<void>;
}

/** What one request may use. */
export interface StreamAccess {
  /** The tenant's database, on the connection that its requests share. */
  readonly runner: SqlRunner;
  readonly openSession: () => Promise<PinnedSession>;
  /** Whether there are connections to pin: without them a transaction is a batch that is one as a whole. */
  readonly sessions: boolean;
  readonly guard: Guard;
  /** @throws {TenantryError} `FORBIDDEN`, … */
  readonly authorize: (needs: Inspection["needs"]) => void;
  /** Rows of a statement, bytes of an answer, parameters of a statement. */
  readonly maxRows: number;
  readonly maxResponseBytes: number;
  readonly maxParameters: number;
}

type MaybePromise<T> = T | Promise<T>;

/** Is told what became of a step. */
type OnStep = (step: number, outcome: Done | HranaError) => void;

/** Of each step so far whether it succeeded; undefined where it was skipped. */
type Outcomes = (boolean | undefined)[];

/** A request that is being answered: what it may use, and how much of it is left. */
interface Work {
  readonly access: StreamAccess;
  /** Whether its statements, outside a transaction, may run where others of the tenant do. */
  readonly shares: boolean;
  /** Whether its rows become entries, one by one. */
  readonly entries: boolean;
  bytesLeft: number;
  sliceEnd: number;
  /** The last statement: batches are of the same one again and again. */
  admitted: { readonly sql: string; readonly inspection: Inspection } | undefined;
}

/**
 * A stream of statements. It has a connection to itself while a transaction is open, and within a request whose
 * statements could tell that they have not; between requests, outside a transaction, it holds nothing.
 */
export class Stream {
  readonly #stored = new StoredSql();
  #pinned: PinnedSession | undefined;
  /** Why the transaction that its client thinks to be open is not; told until the client ends it. */
  #lost: TenantryError | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timed: "reading" | "writing" | undefined;
  #cursor: BatchCursor | undefined;
  #closed = false;

  get closed(): boolean {
    return this.#closed;
  }

  /** Whether a transaction is open, or one has been lost of which its client does not know yet. */
  get open(): boolean {
    return this.#pinned !== undefined || this.#lost !== undefined;
  }

  /** Answers requests, each with its `StreamResult`. @throws {TenantryError} what is not one statement's error */
  async pipeline(requests: readonly StreamRequest[], access: StreamAccess): Promise<JsonText[]> {
    if (this.#cursor) await this.#cursor.finish();
    this.#cursor = undefined;
    const work = newWork(access, sharesConnection(requests));
    try {
      const results: JsonText[] = [];
      for (const request of requests) {
        try {
          const responding = this.#respond(request, work);
          const rest = responding instanceof Promise ? await responding : responding;
          results.push(joined([`{"type":"ok","response":{"type":"${request.type}"`, rest, "}}"]));
        } catch (error) {
          results.push(`{"type":"error","error":${JSON.stringify(errorOfStatement(error))}}`);
        }
      }
      return results;
    } finally {
      await this.#rest();
    }
  }

  /**
   * Runs a batch as its entries are read. Whatever is asked before it is at its end waits until the rest of it has
   * been read into memory.
   */
  cursor(batch: Batch, access: StreamAccess): BatchCursor {
    return (this.#cursor = new BatchCursor(this.#entries(batch, access, this.#cursor)));
  }

  async *#entries(batch: Batch, access: StreamAccess, before: BatchCursor | undefined): EntrySource {
    await before?.finish();
    const work = newWork(access, sharesConnection([{ type: "batch", batch }]), true);
    const succeeded: Outcomes = [];
    let piece: string[] = [];
    let characters = 0;
    try {
      for (const [index, step] of batch.entries()) {
        const running = this.#step(step, succeeded, work);
        const outcome = running instanceof Promise ? await running : running;
        if (outcome === undefined) continue;
        for (const entry of entriesOf(index, outcome)) {
          piece.push(entry);
          characters += entry.length;
          work.bytesLeft -= entry.length;
          if (characters < CURSOR_PIECE_CHARACTERS) continue;
          yield piece;
          piece = [];
          characters = 0;
        }
      }
      return piece;
    } finally {
      await this.#rest();
    }
  }

  /** Rolls back what is not committed. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#unpin();
  }

  /** A promise only where something has to be waited for: most requests have one statement and a `close`. */
  #respond(request: StreamRequest, work: Work): MaybePromise<JsonText> {
    if (this.#closed) throw new StatementError("STREAM_CLOSED", "Stream for this baton was closed");
    switch (request.type) {
      case "execute": {
        const running = this.#run(request.stmt, work);
        const toText = (done: Done): JsonText => {
          const text = resultText(done);
          work.bytesLeft -= lengthOf(text);
          return joined([',"result":', text]);
        };
        return running instanceof Promise ? running.then(toText) : toText(running);
      }
      case "batch":
        return this.#batchResult(request.batch, work);
      case "sequence":
        return this.#sequence(request.sql, work);
      case "describe":
        return this.#describe(request.sql, work);
      case "store_sql":
        this.#stored.store(request.sqlId, request.sql);
        return "";
      case "close_sql":
        this.#stored.close(request.sqlId);
        return "";
      case "get_autocommit":
        return `,"is_autocommit":${this.#autocommits}`;
      case "close":
        return this.close().then(() => "");
    }
  }

  async #batchResult(batch: Batch, work: Work): Promise<JsonText> {
    const results: JsonText[] = batch.map(() => "null");
    const errors: string[] = batch.map(() => "null");
    const steps = work.access.sessions
      ? undefined
      : wholeTransaction(batch, ({ stmt }) => this.#stored.text(stmt.sql));
    const running = steps
      ? (onStep: OnStep) => this.#transaction(steps, work, onStep)
      : (onStep: OnStep) => this.#batch(batch, work, onStep);
    await running((step, outcome) => {
      if ("code" in outcome) {
        errors[step] = JSON.stringify(outcome);
      } else {
        const text = resultText(outcome);
        work.bytesLeft -= lengthOf(text);
        results[step] = text;
      }
    });
    return joined([
      ',"result":{"step_results":[',
      joined(results, ","),
      `],"step_errors":[${errors.join(",")}]}`,
    ]);
  }

  /**
   * Runs the steps of a whole transaction as the driver's own batch. Which of them failed it does not say, so the
   * error is told of `BEGIN`: a client then names none.
   */
  async #transaction(steps: Batch, work: Work, onStep: OnStep): Promise<void> {
    const { access } = work;
    try {
      const admitted = steps.map(({ stmt }) => {
        const sql = this.#stored.text(stmt.sql);
        const inspection = inspectForStream(sql, access.guard);
        access.authorize(inspection.needs);
        const params = argumentsInOrder(stmt, sql);
        if (params.length > access.maxParameters) throw tooManyParameters(access.maxParameters);
        return { statement: { sql, params }, inspection, wantRows: stmt.wantRows };
      });
      const results =
        admitted.length === 0
          ? []
          : await access.runner.batch(
              admitted.map(({ statement }) => statement),
              {
                rows: "arrays",
                integers: "bigint",
                details: true,
                readOnly: admitted.every(({ inspection }) => inspection.needs === "read"),
                maxRows: access.maxRows,
                maxBytes: Math.max(0, work.bytesLeft),
              },
            );
      onStep(0, done("BEGIN"));
      for (const [at, { inspection, wantRows }] of admitted.entries()) {
        onStep(at + 1, { result: results[at] ?? NOTHING, inspection, wantRows });
      }
      onStep(steps.length + 1, done("COMMIT"));
    } catch (error) {
      onStep(0, errorOfStatement(error));
    }
  }

  /** Runs the steps whose conditions hold. */
  async #batch(batch: Batch, work: Work, onStep: OnStep): Promise<void> {
    const succeeded: Outcomes = [];
    for (const [index, step] of batch.entries()) {
      const running = this.#step(step, succeeded, work);
      const outcome = running instanceof Promise ? await running : running;
      if (outcome !== undefined) onStep(index, outcome);
    }
  }

  /** Runs a step, if its condition holds, and notes what became of it. */
  #step(
    { stmt, condition }: Batch[number],
    succeeded: Outcomes,
    work: Work,
  ): MaybePromise<Done | HranaError | undefined> {
    if (condition && !this.#holds(condition, succeeded)) {
      succeeded.push(undefined);
      return undefined;
    }
    const failed = (error: unknown): HranaError => {
      const outcome = errorOfStatement(error);
      succeeded.push(false);
      return outcome;
    };
    const toDone = (done: Done): Done => {
      succeeded.push(true);
      return done;
    };
    try {
      const running = this.#run(stmt, work);
      return running instanceof Promise ? running.then(toDone, failed) : toDone(running);
    } catch (error) {
      return failed(error);
    }
  }

  #holds(condition: BatchCond, succeeded: Outcomes): boolean {
    switch (condition.type) {
      case "ok":
        return succeeded[condition.step] === true;
      case "error":
        return succeeded[condition.step] === false;
      case "not":
        return !this.#holds(condition.cond, succeeded);
      case "and":
        return condition.conds.every((one) => this.#holds(one, succeeded));
      case "or":
        return condition.conds.some((one) => this.#holds(one, succeeded));
      case "is_autocommit":
        return this.#autocommits;
    }
  }

  async #sequence(sql: SqlReference, work: Work): Promise<string> {
    const statements = splitStatements(this.#stored.text(sql));
    // What will be refused is refused before anything of the text is done.
    for (const text of statements) if (!foreignKeysSetting(text)) admitStatement(text, work.access);
    for (const text of statements) {
      const running = this.#run({ sql: text, args: [], namedArgs: [], wantRows: false }, work);
      if (running instanceof Promise) await running;
    }
    return "";
  }

  async #describe(reference: SqlReference, work: Work): Promise<string> {
    const sql = this.#stored.text(reference);
    const { explain } = admitStatement(sql, work.access);
    const { session } = await this.#pin(work.access);
    const { columns, readOnly } = session.describe(sql);
    const result = JSON.stringify({
      params: parametersOf(sql).map((name) => ({ name: name ?? null })),
      cols: columns.map(({ name, declaredType }) => ({ name, decltype: declaredType })),
      is_explain: explain,
      is_readonly: readOnly,
    });
    return `,"result":${result}`;
  }

  #run(stmt: Stmt, work: Work): MaybePromise<Done> {
    const { access } = work;
    const { wantRows } = stmt;
    const sql = this.#stored.text(stmt.sql);
    if (sql !== work.admitted?.sql) {
      const setting = foreignKeysSetting(sql);
      if (setting) return this.#setForeignKeys(setting.on, access);
      const inspection = inspectForStream(sql, access.guard);
      if (this.#lost) throw this.#tellLost(inspection, sql);
      access.authorize(inspection.needs);
      work.admitted = { sql, inspection };
    }
    const { inspection } = work.admitted;
    if (this.#lost) throw this.#tellLost(inspection, sql);
    const params = argumentsInOrder(stmt, sql);
    if (params.length > access.maxParameters) throw tooManyParameters(access.maxParameters);
    const statement = { sql, params };
    const sink = wantRows && !work.entries && inspection.kind === "read" ? new ResultRows() : undefined;
    const options: RunOptions = {
      ...(sink && { sink }),
      rows: "arrays",
      integers: "bigint",
      details: true,
      first: !wantRows,
      readOnly: inspection.needs === "read",
      maxRows: access.maxRows,
      maxBytes: Math.max(0, work.bytesLeft),
    };
    const toDone = (result: ResultSet): Done =>
      sink ? { result, inspection, wantRows, sink } : { result, inspection, wantRows };
    if (this.#pinned) return this.#runPinned(this.#pinned.session, statement, options, work, toDone);
    if (work.shares && inspection.kind !== "transaction") {
      return access.runner.run(statement, options).then(toDone);
    }
    return this.#pin(access).then(({ session }) =>
      this.#runPinned(session, statement, options, work, toDone),
    );
  }

  #runPinned(
    session: Session,
    statement: Statement,
    options: RunOptions,
    work: Work,
    toDone: (result: ResultSet) => Done,
  ): MaybePromise<Done> {
    if (performance.now() < work.sliceEnd) {
      try {
        const result = session.tryRun(statement, options);
        if (result) return toDone(result);
      } finally {
        this.#watch(session);
      }
    }
    return this.#runLater(session, statement, options, work).then(toDone);
  }

  async #runLater(
    session: Session,
    statement: Statement,
    options: RunOptions,
    work: Work,
  ): Promise<ResultSet> {
    try {
      return await session.run(statement, options);
    } catch (error) {
      // Its time may have ended while it waited.
      throw this.#lost ?? error;
    } finally {
      work.sliceEnd = performance.now() + SLICE_MS;
      this.#watch(session);
    }
  }

  /** Migrations switch them off: the driver's own guard would not let that through as a statement. */
  async #setForeignKeys(on: boolean, access: StreamAccess): Promise<Done> {
    access.authorize("schema");
    const { session } = await this.#pin(access);
    session.enforceForeignKeys(on);
    return { result: NOTHING, inspection: { verb: "PRAGMA", explain: false }, wantRows: false };
  }

  get #autocommits(): boolean {
    return this.#pinned === undefined || !this.#pinned.session.inTransaction;
  }

  async #pin(access: StreamAccess): Promise<PinnedSession> {
    if (this.#pinned) return this.#pinned;
    const pinned = await access.openSession();
    if (!this.#closed) return (this.#pinned = pinned);
    // Its client went away while it waited: nobody else would give it back.
    await pinned.release();
    throw new StatementError("STREAM_CLOSED", "The stream was closed");
  }

  async #unpin(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timed = undefined;
    const pinned = this.#pinned;
    this.#pinned = undefined;
    await pinned?.release();
  }

  /** Gives the connection back where no transaction is open on it. */
  async #rest(): Promise<void> {
    if (this.#pinned && !this.#pinned.session.inTransaction) await this.#unpin();
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

  #tellLost({ kind, verb }: Inspection, sql: string): TenantryError {
    const lost = this.#lost as TenantryError;
    const ends = verb === "ROLLBACK" ? !/\bTO\b/i.test(sql) : verb !== "SAVEPOINT" && verb !== "RELEASE";
    if (kind === "transaction" && ends) this.#lost = undefined;
    return lost;
  }
}

const NOTHING: ResultSet = {
  columns: [],
  rows: [],
  meta: {
    duration: 0,
    changes: 0,
    last_row_id: 0,
    changed_db: false,
    size_after: 0,
    rows_read: 0,
    rows_written: 0,
  },
};

/** What a statement of no rows gives that was not run as itself. */
function done(verb: string): Done {
  return { result: NOTHING, inspection: { verb, explain: false }, wantRows: false };
}

function newWork(access: StreamAccess, shares: boolean, entries = false): Work {
  return {
    access,
    shares,
    entries,
    bytesLeft: access.maxResponseBytes,
    sliceEnd: performance.now() + SLICE_MS,
    admitted: undefined,
  };
}

function tooManyParameters(max: number): TenantryError {
  return new TenantryError("TOO_MANY_PARAMETERS", `a statement takes at most ${max} parameters`);
}

function timedOut(ms: number): TenantryError {
  return new TenantryError("TRANSACTION_TIMEOUT", `it was open for more than ${ms} ms, and was rolled back`, {
    hint: "Keep transactions short, or raise transactionTimeoutMs.",
  });
}
