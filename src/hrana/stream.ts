// Owns a stream: what its requests do to the tenant's database, in order.
// Knows no HTTP and no batons; the connection that a transaction needs is stream-connection.ts's.
import type { ResultSet, RunOptions, SqlRunner, Statement, StatementDescription } from "../drivers/driver.ts";
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
import { type PinnedSession, StreamConnection } from "./stream-connection.ts";
import { MAX_QUOTED_STRINGS, withQuotedString } from "./quoted-strings.ts";
import { conditionHolds, type Outcomes } from "./step-condition.ts";
import type { Batch, SqlReference, Stmt, StreamRequest } from "./stream-request.ts";
import { wholeTransaction } from "./whole-transaction.ts";

/** Milliseconds that a request's statements run one after another before others get their turn. */
const SLICE_MS = 10;

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

/** What is known of a statement before it has run. */
type RestOfDone = Omit<Done, "result"> & { readonly inspection: Inspection };

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
  /** How a statement whose rows nobody writes down as they come is run: one object for all of them. */
  readonly options: { -readonly [Name in keyof RunOptions]: RunOptions[Name] };
}

/**
 * A stream of statements. It has a connection to itself while a transaction is open, and within a request whose
 * statements could tell that they have not; between requests, outside a transaction, it holds nothing.
 */
export class Stream {
  readonly #stored = new StoredSql();
  readonly #connection = new StreamConnection();
  #cursor: BatchCursor | undefined;

  get closed(): boolean {
    return this.#connection.closed;
  }

  /** Whether a transaction is open, or one has been lost of which its client does not know yet. */
  get open(): boolean {
    return this.#connection.open;
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
      await this.#connection.rest();
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
    const outcomes: Outcomes = [];
    let piece: string[] = [];
    let characters = 0;
    try {
      for (const [index, step] of batch.entries()) {
        const running = this.#step(step, outcomes, work);
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
      await this.#connection.rest();
    }
  }

  /** Rolls back what is not committed. Idempotent. */
  close(): Promise<void> {
    return this.#connection.close();
  }

  /** A promise only where something has to be waited for: most requests have one statement and a `close`. */
  #respond(request: StreamRequest, work: Work): MaybePromise<JsonText> {
    if (this.closed) throw new StatementError("STREAM_CLOSED", "Stream for this baton was closed");
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
        return `,"is_autocommit":${this.#connection.autocommits}`;
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
        onStep(at + 1, { result: results[at] ?? NOTHING, inspection, wantRows, sink: undefined });
      }
      onStep(steps.length + 1, done("COMMIT"));
    } catch (error) {
      onStep(0, errorOfStatement(error));
    }
  }

  /** Runs the steps whose conditions hold. */
  async #batch(batch: Batch, work: Work, onStep: OnStep): Promise<void> {
    const outcomes: Outcomes = [];
    for (const [index, step] of batch.entries()) {
      const running = this.#step(step, outcomes, work);
      const outcome = running instanceof Promise ? await running : running;
      if (outcome !== undefined) onStep(index, outcome);
    }
  }

  /** Runs a step, if its condition holds, and notes what became of it. */
  #step(
    { stmt, condition }: Batch[number],
    outcomes: Outcomes,
    work: Work,
  ): MaybePromise<Done | HranaError | undefined> {
    if (condition && !conditionHolds(condition, outcomes, this.#connection)) {
      outcomes.push(undefined);
      return undefined;
    }
    try {
      const running = this.#run(stmt, work);
      if (running instanceof Promise) return stepLater(running, outcomes);
      outcomes.push(true);
      return running;
    } catch (error) {
      return stepFailed(error, outcomes);
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
    await this.#connection.pin(work.access.openSession);
    const { columns, readOnly } = this.#describeAsMeant(sql);
    const result = JSON.stringify({
      params: parametersOf(sql).map((name) => ({ name: name ?? null })),
      cols: columns.map(({ name, declaredType }) => ({ name, decltype: declaredType })),
      is_explain: explain,
      is_readonly: readOnly,
    });
    return `,"result":${result}`;
  }

  #describeAsMeant(sql: string, attempts = 0): StatementDescription {
    try {
      return this.#connection.describe(sql);
    } catch (error) {
      const meant = attempts < MAX_QUOTED_STRINGS ? withQuotedString(sql, error) : undefined;
      if (meant === undefined) throw error;
      return this.#describeAsMeant(meant, attempts + 1);
    }
  }

  /** A promise only where somebody has to be waited for: the statements of a batch follow one another at once. */
  #run(stmt: Stmt, work: Work, sql = this.#stored.text(stmt.sql), attempts = 0): MaybePromise<Done> {
    try {
      const running = this.#runText(sql, stmt, work);
      return running instanceof Promise
        ? running.catch((error: unknown) => this.#runAsMeant(error, stmt, work, sql, attempts))
        : running;
    } catch (error) {
      return this.#runAsMeant(error, stmt, work, sql, attempts);
    }
  }

  /** @throws `error`, where libSQL takes the statement for no other */
  #runAsMeant(error: unknown, stmt: Stmt, work: Work, sql: string, attempts: number): MaybePromise<Done> {
    const meant = attempts < MAX_QUOTED_STRINGS ? withQuotedString(sql, error) : undefined;
    if (meant === undefined) throw error;
    return this.#run(stmt, work, meant, attempts + 1);
  }

  #runText(sql: string, stmt: Stmt, work: Work): MaybePromise<Done> {
    const { access, options } = work;
    const { wantRows } = stmt;
    if (sql !== work.admitted?.sql) {
      const setting = foreignKeysSetting(sql);
      if (setting) return this.#setForeignKeys(setting.on, access);
      const inspection = inspectForStream(sql, access.guard);
      this.#connection.assertNotLost(inspection, sql);
      access.authorize(inspection.needs);
      work.admitted = { sql, inspection };
    }
    const { inspection } = work.admitted;
    this.#connection.assertNotLost(inspection, sql);
    const params = argumentsInOrder(stmt, sql);
    if (params.length > access.maxParameters) throw tooManyParameters(access.maxParameters);
    options.first = !wantRows;
    options.readOnly = inspection.needs === "read";
    options.maxBytes = Math.max(0, work.bytesLeft);
    const sink = wantRows && !work.entries && inspection.kind === "read" ? new ResultRows() : undefined;
    const statement = { sql, params };
    const rest = { inspection, wantRows, sink };
    if (!this.#connection.pinned || performance.now() >= work.sliceEnd) {
      return this.#runLater(statement, work, rest);
    }
    const running = this.#connection.runNow(statement, sink ? { ...options, sink } : options);
    if (running instanceof Promise) return whenRun(running, work, rest);
    return { result: running, inspection, wantRows, sink };
  }

  async #runLater(statement: Statement, work: Work, rest: RestOfDone): Promise<Done> {
    const { access } = work;
    const options = rest.sink ? { ...work.options, sink: rest.sink } : work.options;
    if (this.#connection.pinned) return whenRun(this.#connection.run(statement, options), work, rest);
    if (work.shares && rest.inspection.kind !== "transaction") {
      return { ...rest, result: await access.runner.run(statement, options) };
    }
    await this.#connection.pin(access.openSession);
    return whenRun(this.#connection.runNow(statement, options), work, rest);
  }

  /** Migrations switch them off: the driver's own guard would not let that through as a statement. */
  async #setForeignKeys(on: boolean, access: StreamAccess): Promise<Done> {
    access.authorize("schema");
    await this.#connection.pin(access.openSession);
    this.#connection.enforceForeignKeys(on);
    return done("PRAGMA");
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
  return { result: NOTHING, inspection: { verb, explain: false }, wantRows: false, sink: undefined };
}

/** The others have had their turn by then. */
async function whenRun(running: MaybePromise<ResultSet>, work: Work, rest: RestOfDone): Promise<Done> {
  const result = await running;
  work.sliceEnd = performance.now() + SLICE_MS;
  return { ...rest, result };
}

async function stepLater(running: Promise<Done>, outcomes: Outcomes): Promise<Done | HranaError> {
  try {
    const outcome = await running;
    outcomes.push(true);
    return outcome;
  } catch (error) {
    return stepFailed(error, outcomes);
  }
}

/** @throws `error` where it is not the statement's */
function stepFailed(error: unknown, outcomes: Outcomes): HranaError {
  const outcome = errorOfStatement(error);
  outcomes.push(false);
  return outcome;
}

function newWork(access: StreamAccess, shares: boolean, entries = false): Work {
  return {
    access,
    shares,
    entries,
    bytesLeft: access.maxResponseBytes,
    sliceEnd: performance.now() + SLICE_MS,
    admitted: undefined,
    options: { rows: "arrays", integers: "bigint", details: true, maxRows: access.maxRows },
  };
}

function tooManyParameters(max: number): TenantryError {
  return new TenantryError("TOO_MANY_PARAMETERS", `a statement takes at most ${max} parameters`);
}
