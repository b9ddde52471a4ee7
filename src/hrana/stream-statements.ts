// Owns running one statement of a stream: whether it is admitted, where it runs, and the connection that it needs for
// that. Does not know the requests that statements come in.
import type {
  Repeat,
  ResultSet,
  RowReader,
  RunOptions,
  SqlRunner,
  Statement,
  StatementDescription,
  Written,
} from "../drivers/driver.ts";
import { NOTHING } from "../drivers/empty-result.ts";
import type { Guard } from "../sql/guard.ts";
import type { Inspection } from "../sql/inspect-statement.ts";
import { TenantryError } from "../tenantry-error.ts";
import { withQuotedString } from "./quoted-strings.ts";
import type { Done } from "./result-text.ts";
import { ResultRows } from "./row-writer.ts";
import { argumentsInOrder } from "./statement-arguments.ts";
import { foreignKeysSetting, inspectForStream } from "./statement-rules.ts";
import type { StoredSql } from "./stored-sql.ts";
import type { Outcomes } from "./step-condition.ts";
import type { PinnedSession, StreamConnection } from "./stream-connection.ts";
import type { Batch, Stmt } from "./stream-request.ts";

/** Milliseconds in which a statement is run again before everything is asked anew, and how often at most. */
const REPEAT_MS = 1;
const MAX_REPEATS = 1000;

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

/** There already, or not yet. */
export type MaybePromise<T> = T | Promise<T>;

/** What is known of a statement before it has run. */
type RestOfDone = Omit<Done, "result"> & { readonly inspection: Inspection };

/** A statement that is being read. */
export interface Reading {
  readonly reader: RowReader;
  readonly inspection: Inspection;
}

/** A statement that may be run: batches are of the same one again and again. */
interface Admitted {
  readonly sql: string;
  readonly inspection: Inspection;
  /** What runs it again, where nothing has to be asked for that. */
  repeat: Repeat | undefined;
}

/** Steps of a batch that were the last statement again. */
export interface Repeated {
  readonly inspection: Inspection;
  readonly done: readonly Written[];
  /** Why the step behind them failed, where it was one more and did. */
  readonly failed: unknown;
}

/** A request that is being answered: what it may use, and how much of it is left. */
export interface Work {
  readonly access: StreamAccess;
  /** Whether its statements, outside a transaction, may, or have to, run where others of the tenant do. */
  readonly shares: boolean;
  /** Whether its rows become entries, one by one. */
  readonly entries: boolean;
  bytesLeft: number;
  sliceEnd: number;
  /** The last statement. */
  admitted: Admitted | undefined;
  /** How a statement whose rows nobody writes down as they come is run: one object for all of them. */
  readonly options: { -readonly [Name in keyof RunOptions]: RunOptions[Name] };
}

/** Runs the statements of one stream. */
export class StreamStatements {
  readonly #stored: StoredSql;
  readonly #connection: StreamConnection;

  constructor(stored: StoredSql, connection: StreamConnection) {
    this.#stored = stored;
    this.#connection = connection;
  }

  /** A promise only where somebody has to be waited for: the statements of a batch follow one another at once. */
  run(stmt: Stmt, work: Work, sql = this.#stored.text(stmt.sql), attempts = 0): MaybePromise<Done> {
    try {
      const running = this.#runText(sql, stmt, work);
      return running instanceof Promise
        ? running.catch((error: unknown) => this.run(stmt, work, asMeant(sql, error, attempts), attempts + 1))
        : running;
    } catch (error) {
      return this.run(stmt, work, asMeant(sql, error, attempts), attempts + 1);
    }
  }

  /**
   * Runs the steps of a batch from `from` on that are the last statement again, as far as nothing has to be asked for
   * them; undefined where there are none. Whatever comes then goes the long way once: what fails takes no time, and
   * there may be any number of that.
   */
  repeat(batch: Batch, from: number, outcomes: Outcomes, work: Work): Repeated | undefined {
    const last = work.admitted;
    const repeat = last?.repeat;
    const sql = batch[from]?.stmt.sql;
    if (!repeat || sql === undefined || !this.#stored.is(sql, last.sql)) return undefined;
    last.repeat = undefined;
    const params = paramsOfLikeSteps(batch, from, outcomes, work.access.maxParameters);
    const done: Written[] = [];
    try {
      repeat(params, REPEAT_MS, done);
      return { inspection: last.inspection, done, failed: undefined };
    } catch (failed) {
      return { inspection: last.inspection, done, failed };
    }
  }

  #runText(sql: string, stmt: Stmt, work: Work): MaybePromise<Done> {
    const { access, options } = work;
    const { wantRows } = stmt;
    const again = sql === work.admitted?.sql;
    const setting = again ? undefined : foreignKeysSetting(sql);
    if (setting) return this.#setForeignKeys(setting.on, access);
    const admitted = this.#admit(sql, work);
    const { inspection } = admitted;
    const params = parametersFor(stmt, sql, access);
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
    if (again && inspection.kind === "write") {
      admitted.repeat = this.#connection.repeat(sql);
    }
    return { result: running, inspection, wantRows, sink };
  }

  /** @throws {TenantryError} where it may not be run, or not now */
  #admit(sql: string, work: Work): Admitted {
    const { access } = work;
    const known = work.admitted?.sql === sql ? work.admitted : undefined;
    const inspection = known?.inspection ?? inspectForStream(sql, access.guard);
    this.#connection.assertNotLost(inspection, sql);
    if (known) return known;
    access.authorize(inspection.needs);
    return (work.admitted = { sql, inspection, repeat: undefined });
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

  /**
   * Begins to read a statement's rows in pieces, on the stream's own connection. Undefined for a statement that is to
   * be run: one that has no rows to read so, or whose driver has them all at once.
   * @throws {TenantryError} as {@link run} does
   */
  async read(stmt: Stmt, work: Work): Promise<Reading | undefined> {
    const { access } = work;
    let sql = this.#stored.text(stmt.sql);
    if (!stmt.wantRows || !access.sessions || foreignKeysSetting(sql)) return undefined;
    const { inspection } = this.#admit(sql, work);
    if (inspection.kind !== "read") return undefined;
    await this.#connection.pin(access.openSession);
    const options = { ...work.options, first: false, readOnly: true, maxBytes: Math.max(0, work.bytesLeft) };
    for (let attempts = 0; ; attempts++) {
      try {
        const params = parametersFor(stmt, sql, access);
        const reader = this.#connection.read({ sql, params }, options);
        return reader && { reader, inspection };
      } catch (error) {
        sql = asMeant(sql, error, attempts);
      }
    }
  }

  /** Migrations switch them off: the driver's own guard would not let that through as a statement. */
  async #setForeignKeys(on: boolean, access: StreamAccess): Promise<Done> {
    access.authorize("schema");
    await this.#connection.pin(access.openSession);
    this.#connection.enforceForeignKeys(on);
    return done("PRAGMA");
  }

  /** What a statement is, on the stream's own connection. @throws {TenantryError} as `Session.describe()` does */
  describe(sql: string, attempts = 0): StatementDescription {
    try {
      return this.#connection.describe(sql);
    } catch (error) {
      return this.describe(asMeant(sql, error, attempts), attempts + 1);
    }
  }
}

/** @throws `error`, where libSQL takes the statement that failed with it for no other */
function asMeant(sql: string, error: unknown, attempts: number): string {
  const meant = withQuotedString(sql, error, attempts);
  if (meant === undefined) throw error;
  return meant;
}

/** Of the steps from `from` on that have the same text, plain arguments, and run as long as those before them succeed. */
function paramsOfLikeSteps(
  batch: Batch,
  from: number,
  outcomes: Outcomes,
  maxParameters: number,
): Stmt["args"][] {
  const params: Stmt["args"][] = [];
  const sql = batch[from]?.stmt.sql;
  const end = Math.min(batch.length, from + MAX_REPEATS);
  for (let index = from; index < end; index++) {
    const { stmt, condition } = batch[index] as Batch[number];
    if (stmt.sql !== sql || stmt.namedArgs.length > 0 || stmt.args.length > maxParameters) break;
    if (condition && !(condition.type === "ok" && (condition.step >= from || outcomes[condition.step])))
      break;
    params.push(stmt.args);
  }
  return params;
}

function parametersFor(stmt: Stmt, sql: string, { maxParameters }: StreamAccess): Statement["params"] {
  const params = argumentsInOrder(stmt, sql);
  if (params.length > maxParameters) throw tooManyParameters(maxParameters);
  return params;
}

/** What a request begins with. */
export function newWork(access: StreamAccess, shares: boolean, entries = false): Work {
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

/** What a statement of no rows gives that was not run as itself. */
export function done(verb: string): Done {
  return { result: NOTHING, inspection: { verb, explain: false }, wantRows: false, sink: undefined };
}

/** The others have had their turn by then. */
async function whenRun(running: MaybePromise<ResultSet>, work: Work, rest: RestOfDone): Promise<Done> {
  const result = await running;
  work.sliceEnd = performance.now() + SLICE_MS;
  return { ...rest, result };
}

/** The error for a statement with more parameters than there may be. */
export function tooManyParameters(max: number): TenantryError {
  return new TenantryError("TOO_MANY_PARAMETERS", `a statement takes at most ${max} parameters`);
}
