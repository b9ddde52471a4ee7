// Owns a stream: what its requests do to the tenant's database, in order.
// Knows no HTTP and no batons; how one statement is run is stream-statements.ts's.
import { NOTHING } from "../drivers/empty-result.ts";
import type { RowReader } from "../drivers/driver.ts";
import { parametersOf } from "../sql/parameters.ts";
import { splitStatements } from "../sql/split-statements.ts";
import { BatchCursor, CURSOR_PIECE_CHARACTERS, type EntrySource } from "./batch-cursor.ts";
import { errorOfStatement, type HranaError, StatementError } from "./hrana-error.ts";
import { joined, type JsonText, lengthOf } from "./json-text.ts";
import {
  beginEntry,
  type Done,
  type DoneAgain,
  endEntry,
  entriesOf,
  errorEntry,
  resultText,
  rowEntry,
} from "./result-text.ts";
import { argumentsInOrder } from "./statement-arguments.ts";
import { admitStatement, foreignKeysSetting, inspectForStream, sharesConnection } from "./statement-rules.ts";
import { conditionHolds, type Outcomes } from "./step-condition.ts";
import { StoredSql } from "./stored-sql.ts";
import { StreamConnection } from "./stream-connection.ts";
import type { Batch, SqlReference, StreamRequest } from "./stream-request.ts";
import {
  done,
  type MaybePromise,
  newWork,
  type StreamAccess,
  StreamStatements,
  tooManyParameters,
  type Work,
} from "./stream-statements.ts";
import { wholeTransaction } from "./whole-transaction.ts";

const NO_STEPS: never[] = [];

/** Is told what became of a step. */
type OnStep = (step: number, outcome: Done | DoneAgain | HranaError) => void;

/**
 * A stream of statements. It has a connection to itself while a transaction is open, and within a request whose
 * statements could tell that they have not; between requests, outside a transaction, it holds nothing.
 */
export class Stream {
  readonly #stored = new StoredSql();
  readonly #connection = new StreamConnection();
  readonly #statements = new StreamStatements(this.#stored, this.#connection);
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
    const work = newWork(access, !access.sessions || sharesConnection(requests));
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
    const work = newWork(access, !access.sessions || sharesConnection([{ type: "batch", batch }]), true);
    let piece: string[] = [];
    let characters = 0;
    try {
      for await (const entries of this.#batchEntries(batch, work)) {
        for (const entry of entries) {
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

  async *#batchEntries(batch: Batch, work: Work): AsyncGenerator<Iterable<string>, void, undefined> {
    const outcomes: Outcomes = [];
    for (let index = 0; index < batch.length; index++) {
      const again = this.#repeat(batch, index, outcomes, work);
      for (const outcome of again) yield entriesOf(index++, outcome);
      const step = batch[index];
      if (step) yield* this.#stepEntries(index, step, outcomes, work);
    }
  }

  /** The entries of a step, of one that only reads as it is read. */
  async *#stepEntries(
    index: number,
    { stmt, condition }: Batch[number],
    outcomes: Outcomes,
    work: Work,
  ): AsyncGenerator<Iterable<string>, void, undefined> {
    if (condition && !conditionHolds(condition, outcomes, this.#connection)) {
      outcomes.push(undefined);
      return;
    }
    let reader: RowReader | undefined;
    try {
      const reading = await this.#statements.read(stmt, work);
      if (!reading) {
        const ran = await this.#statements.run(stmt, work);
        outcomes.push(true);
        return yield entriesOf(index, ran);
      }
      reader = reading.reader;
      let result = await reader.next();
      yield [beginEntry(index, result)];
      for (; result.rows.length > 0; result = await reader.next()) yield result.rows.map(rowEntry);
      outcomes.push(true);
      yield [endEntry({ result, inspection: reading.inspection, wantRows: true, sink: undefined })];
    } catch (error) {
      yield [errorEntry(index, stepFailed(error, outcomes))];
    } finally {
      reader?.close();
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
        const running = this.#statements.run(request.stmt, work);
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
    for (let index = 0; index < batch.length; index++) {
      const again = this.#repeat(batch, index, outcomes, work);
      for (const outcome of again) onStep(index++, outcome);
      const step = batch[index];
      if (!step) break;
      const running = this.#step(step, outcomes, work);
      const outcome = running instanceof Promise ? await running : running;
      if (outcome !== undefined) onStep(index, outcome);
    }
  }

  /** Runs the steps from `from` on that are the last statement again, and notes what became of them. */
  #repeat(batch: Batch, from: number, outcomes: Outcomes, work: Work): (DoneAgain | HranaError)[] {
    const again = this.#statements.repeat(batch, from, outcomes, work);
    if (!again) return NO_STEPS;
    const { inspection, done, failed } = again;
    const all: (DoneAgain | HranaError)[] = [];
    for (const written of done) {
      outcomes.push(true);
      all.push({ written, inspection });
    }
    if (failed !== undefined) all.push(stepFailed(failed, outcomes));
    return all;
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
      const running = this.#statements.run(stmt, work);
      if (running instanceof Promise) return stepLater(running, outcomes);
      outcomes.push(true);
      return running;
    } catch (error) {
      return stepFailed(error, outcomes);
    }
  }

  async #sequence(sql: SqlReference, work: Work): Promise<string> {
    const statements = splitStatements(this.#stored.text(sql));
    const { access } = work;
    // What will be refused is refused before anything of the text is done.
    const ofConnection = statements.filter(
      (text) => foreignKeysSetting(text) ?? admitStatement(text, access).kind === "transaction",
    );
    if (ofConnection.length > 0) await this.#connection.pin(access.openSession);
    for (const text of statements) {
      const running = this.#statements.run({ sql: text, args: [], namedArgs: [], wantRows: false }, work);
      if (running instanceof Promise) await running;
    }
    return "";
  }

  async #describe(reference: SqlReference, work: Work): Promise<string> {
    const sql = this.#stored.text(reference);
    const { explain } = admitStatement(sql, work.access);
    await this.#connection.pin(work.access.openSession);
    const { columns, readOnly } = this.#statements.describe(sql);
    const result = JSON.stringify({
      params: parametersOf(sql).map((name) => ({ name: name ?? null })),
      cols: columns.map(({ name, declaredType }) => ({ name, decltype: declaredType })),
      is_explain: explain,
      is_readonly: readOnly,
    });
    return `,"result":${result}`;
  }
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
