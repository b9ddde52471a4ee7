// Owns one better-sqlite3 connection: its pragmas, its prepared statements, and a statement's run.
// Everything here is synchronous; who may run when is the handle's business.
import { performance } from "node:perf_hooks"; // The global of that name is looked up anew with each use.
import Database from "better-sqlite3";
import { splitStatements } from "../../sql/split-statements.ts";
import { isTenantryError } from "../../tenantry-error.ts";
import type {
  ExecResult,
  Repeat,
  ResultSet,
  RunOptions,
  StatementDescription,
  StatementMeta,
  Written,
} from "../driver.ts";
import { d1Error } from "../d1-error.ts";
import { noTransaction, readOnly } from "../transaction-error.ts";
import { bindable } from "../parameter.ts";
import { type ConnectionOptions, limitSize } from "./connection-settings.ts";
import { ConnectionFacts } from "./connection-facts.ts";
import { KnownColumns } from "./known-columns.ts";
import type { KnownSql, StatementText } from "./known-sql.ts";
import { byName } from "./parameter-names.ts";
import { type AnswerSize, isLimited, readRows, undoable } from "./read-rows.ts";
import { LocalRowReader } from "./row-reader.ts";
import { fromSqlite } from "./sqlite-error.ts";
import type { StatementWatch } from "./statement-watch.ts";
import { type KeptStatement, StatementCache } from "./statement-cache.ts";

interface Prepared extends KeptStatement {
  readonly statement: Database.Statement<unknown[]>;
  readonly text: StatementText;
  readonly reader: boolean;
  readonly readOnly: boolean;
  arrays: boolean;
  bigint: boolean;
}

/** The rows of a statement, and their columns as far as they were asked for. */
interface Read {
  readonly columns: readonly string[];
  /** With `details` only. */
  readonly declaredTypes: readonly (string | null)[] | undefined;
  readonly rows: ResultSet["rows"];
}

const NO_OPTIONS: RunOptions = {};
const NO_COLUMNS: readonly never[] = [];
const NO_ROWS: Read = { columns: NO_COLUMNS, declaredTypes: undefined, rows: [] };
const NO_ROWS_IN_DETAIL: Read = { ...NO_ROWS, declaredTypes: NO_COLUMNS };

/** One connection to a database file. Its errors are TenantryErrors but for a busy one, which is retried. */
export class Connection {
  readonly sqlite: Database.Database;
  readonly #prepared: StatementCache<Prepared>;
  readonly #facts: ConnectionFacts;
  readonly #columns: KnownColumns;
  readonly #knownSql: KnownSql;
  readonly #settings: string;
  #maxBytes = 0;
  readonly #watch: StatementWatch | undefined;
  /** As it was when somebody last asked. */
  #sizeBytes: number;
  #sizeKnown: boolean;
  #lastRowId = 0;
  /** What reads its rows in pieces, or did so last. */
  #reader: LocalRowReader | undefined;

  /**
   * @param known of the database: its bytes, and that it has a write-ahead log; what is left out is not known
   * @throws what better-sqlite3 throws; nothing stays open then
   */
  constructor(path: string, options: ConnectionOptions, { sizeBytes = 0, hasLog = false } = {}) {
    const sqlite = new Database(path, { fileMustExist: true, timeout: 0 });
    try {
      sqlite.exec(hasLog ? options.settings.ofNewWithLog : options.settings.ofNew);
      if (options.maxBytes > 0) limitSize(sqlite, options.maxBytes);
    } catch (error) {
      sqlite.close();
      throw error;
    }
    this.sqlite = sqlite;
    this.#settings = options.settings.all;
    this.#maxBytes = options.maxBytes;
    this.#facts = new ConnectionFacts(sqlite);
    this.#columns = new KnownColumns(sqlite, this.#facts);
    this.#prepared = new StatementCache(options.statementCacheEntries);
    this.#knownSql = options.knownSql;
    this.#watch = options.watch;
    this.#sizeBytes = sizeBytes;
    this.#sizeKnown = sizeBytes > 0;
  }

  /** Bytes of the database, as far as this connection knows without asking again. */
  get sizeBytes(): number {
    if (!this.#sizeKnown) {
      this.#sizeBytes = this.#facts.sizeBytes;
      this.#sizeKnown = true;
    }
    return this.#sizeBytes;
  }

  /** Changes whenever somebody other than this connection has committed. */
  get dataVersion(): number {
    return this.#facts.dataVersion;
  }

  get inTransaction(): boolean {
    return this.sqlite.inTransaction;
  }

  get open(): boolean {
    return this.sqlite.open;
  }

  /** Tells the watch of work that is no caller's statement: a script, a commit. */
  begins(): void {
    this.#watch?.begin();
  }

  /** Undoes what is not committed; nothing where no transaction is open. */
  rollback(): void {
    this.#reader?.close();
    if (this.sqlite.open && this.sqlite.inTransaction) this.sqlite.exec("ROLLBACK");
  }

  /**
   * Sets again what somebody who had the raw connection may have changed. About 5 µs.
   * @throws `TypeError` while an iterator of his is not at its end
   */
  reset(): void {
    this.forgetStatements();
    this.sqlite.defaultSafeIntegers(false);
    this.sqlite.unsafeMode(false);
    this.sqlite.exec(this.#settings);
    if (this.#maxBytes > 0) limitSize(this.sqlite, this.#maxBytes);
    this.#sizeKnown = false;
  }

  /**
   * Has to be called when the schema may have been changed here: SQLite prepares statements again by itself, but by
   * the schema as this connection has read it, though somebody may have changed it since.
   */
  forgetStatements(): void {
    this.#prepared.clear();
    this.#columns.forget();
  }

  /** Lets the database grow up to so many bytes from now on; 0 for no limit. Nothing where that is so already. */
  limitSize(maxBytes: number): void {
    if (maxBytes === this.#maxBytes) return;
    limitSize(this.sqlite, maxBytes);
    this.#maxBytes = maxBytes;
  }

  /** Prepares `sql`, or finds it prepared. @throws {TenantryError} `SQL_ERROR`, `SQL_REFUSED`, … */
  prepare(sql: string): Prepared {
    const known = this.#prepared.get(sql);
    if (known) return known;
    const text = this.#knownSql.read(sql);
    const statement = this.#compile(sql, text.explain);
    const prepared: Prepared = {
      statement,
      text,
      reader: statement.reader,
      // What finds its trigger there already, or gone, writes nothing as it is prepared, and may when it is run.
      readOnly: statement.readonly && !text.schema,
      arrays: false,
      bigint: false,
      used: false,
    };
    // Running a plan does not show that it is out of date.
    if (!text.explain) this.#prepared.add(sql, prepared);
    return prepared;
  }

  /** @param refresh whether by the schema as it is now, and not as this connection has read it last */
  #compile(sql: string, refresh: boolean): Database.Statement<unknown[]> {
    try {
      if (refresh) this.#facts.refreshSchema();
      return this.sqlite.prepare<unknown[]>(sql);
    } catch (error) {
      if (refresh) throw fromSqlite(error);
      // What has too many values for the table that was may fit the one that is.
      return this.#compile(sql, true);
    }
  }

  /** Whether `sql` only reads. What SQLite cannot prepare yet counts as a write. */
  reads(sql: string): boolean {
    try {
      return this.prepare(sql).readOnly;
    } catch (error) {
      if (isTenantryError(error, "SQL_ERROR")) return false;
      throw error;
    }
  }

  /**
   * Runs a statement to its end.
   * @param size what earlier statements of the same answer took of its limits; this one's is added
   * @throws what better-sqlite3 throws
   */
  run(
    prepared: Prepared,
    params: readonly unknown[],
    options: RunOptions = NO_OPTIONS,
    size: AnswerSize = { rows: 0, bytes: 0 },
  ): ResultSet {
    this.#watch?.begin();
    const bound = bindable(params);
    const { names, schema } = prepared.text;
    const values = names === undefined ? bound : byName(names, bound);
    if (options.readOnly && !prepared.readOnly) throw readOnly();
    if (prepared.readOnly) {
      const started = performance.now();
      const before = size.rows;
      const { columns, declaredTypes, rows } = this.#rows(prepared, values, options, size);
      const read = options.sink ? size.rows - before : rows.length;
      const meta = this.#meta(started, read);
      this.#watch?.ran(prepared.statement.source, meta.duration, read, 0);
      return declaredTypes
        ? { columns, rows, meta, details: { declaredTypes, changes: 0, lastRowId: 0n } }
        : { columns, rows, meta };
    }
    if (options.details && !prepared.reader && !schema) return this.#runWrite(prepared, values);
    const [changesBefore, rowIdBefore] = this.#facts.written;
    const schemaBefore = schema ? this.#facts.schemaVersion : 0;
    this.#sizeKnown = false;
    const started = performance.now();
    const { columns, declaredTypes, rows } = this.#rows(prepared, values, options, size);
    const [changesAfter, rowId, ownChanges] = this.#facts.written;
    const changes = changesAfter - changesBefore;
    this.#lastRowId = rowId;
    const schemaChanged = schema && this.#facts.schemaVersion !== schemaBefore;
    if (schemaChanged) this.forgetStatements();
    const changed = changes > 0 || rowId !== rowIdBefore || schemaChanged;
    const meta = this.#metaOfWrite(started, changes, changed, rows.length);
    this.#watch?.ran(prepared.statement.source, meta.duration, rows.length, changes);
    if (!declaredTypes) return { columns, rows, meta };
    const lastRowId = Number.isSafeInteger(rowId) ? BigInt(rowId) : this.#facts.exactRowId;
    return { columns, rows, meta, details: { declaredTypes, changes: ownChanges, lastRowId } };
  }

  /** Whether {@link runAgain} can run a statement: it writes, and has neither rows nor names for its parameters. */
  repeats({ text, reader, readOnly: reads }: Prepared): boolean {
    return !reads && !reader && !text.schema && !text.transaction && text.names === undefined;
  }

  /** Runs what {@link repeats}, as {@link Repeat} has it. @throws what better-sqlite3 throws */
  runAgain({ statement }: Prepared, ...[params, ms, done]: Parameters<Repeat>): void {
    this.#watch?.begin();
    const began = performance.now();
    let ended = began;
    try {
      for (let index = 0; index < params.length && ended < began + ms; index++) {
        const written = this.#write(statement, bindable(params[index] as readonly unknown[]), ended);
        done.push(written);
        ended += written.duration;
      }
    } finally {
      this.#watch?.end(ended - began);
    }
  }

  #runWrite({ statement }: Prepared, values: readonly unknown[]): ResultSet {
    const rowIdBefore = this.#lastRowId;
    const { changes, lastRowId, duration } = this.#write(statement, values, performance.now());
    this.#watch?.end(duration);
    const rowId = this.#lastRowId;
    const meta = {
      duration,
      changes,
      last_row_id: rowId,
      changed_db: changes > 0 || rowId !== rowIdBefore,
      size_after: this.#sizeBytes,
      rows_read: 0,
      rows_written: changes,
    };
    return {
      columns: NO_COLUMNS,
      rows: [],
      meta,
      details: { declaredTypes: NO_COLUMNS, changes, lastRowId: BigInt(lastRowId) },
    };
  }

  /** A statement without rows: better-sqlite3 says of it what else is asked of SQLite before and after it. */
  #write(statement: Prepared["statement"], values: readonly unknown[], started: number): Written {
    this.#sizeKnown = false;
    const { changes, lastInsertRowid } = statement.run(...values);
    const duration = performance.now() - started;
    const rowId = Number(lastInsertRowid);
    this.#lastRowId = rowId;
    this.#watch?.ran(statement.source, duration, 0, changes);
    const lastRowId = Number.isSafeInteger(rowId) ? rowId : this.#facts.exactRowId;
    return { changes, lastRowId, duration };
  }

  /**
   * Begins to read the rows of a statement that only reads. Until they are at their end, or the reader is closed,
   * nothing else can be run.
   * @throws {TenantryError} `READ_ONLY` for a statement that could write
   */
  read(prepared: Prepared, params: readonly unknown[], options: RunOptions): LocalRowReader {
    if (!prepared.readOnly || !prepared.reader) throw readOnly();
    const bound = bindable(params);
    const { names } = prepared.text;
    const values = names === undefined ? bound : byName(names, bound);
    this.#shape(prepared, { ...options, rows: "arrays" });
    return (this.#reader = new LocalRowReader(prepared.statement, values, options, this.#watch));
  }

  /** What a statement is, without running it. @throws {TenantryError} as {@link prepare} does */
  describe(sql: string): StatementDescription {
    this.#knownSql.read(sql);
    const statement = this.#compile(sql, true);
    const columns = statement.reader ? statement.columns() : [];
    return {
      columns: columns.map(({ name, type }) => ({ name, declaredType: type })),
      readOnly: statement.readonly,
    };
  }

  /** Runs text of several statements without parameters. Whoever calls it wraps it in a transaction. */
  exec(sql: string): ExecResult {
    const started = performance.now();
    const statements = splitStatements(sql);
    if (statements.length === 0) throw d1Error("SQL_NO_STATEMENT", "No SQL statements detected.");
    for (const text of statements) {
      const prepared = this.prepare(text);
      if (prepared.text.transaction) throw noTransaction();
      this.run(prepared, []);
    }
    return { count: statements.length, duration: performance.now() - started };
  }

  close(): void {
    // SQLite closes no connection that is being read.
    this.#reader?.close();
    this.#prepared.clear();
    this.sqlite.close();
  }

  #rows(prepared: Prepared, values: readonly unknown[], options: RunOptions, size: AnswerSize): Read {
    const { statement } = prepared;
    if (!prepared.reader) {
      statement.run(...values);
      return options.details ? NO_ROWS_IN_DETAIL : NO_ROWS;
    }
    const arrays = this.#shape(prepared, options);
    const described = arrays || options.details === true;
    let version: number | undefined;
    const onFirst = described && prepared.readOnly ? () => (version = this.#columns.version) : undefined;
    const read = (): ResultSet["rows"] =>
      readRows(statement, values, options, size, { writes: !prepared.readOnly, onFirst });
    // What is stopped at a limit has written all its rows before it gave the first.
    const rows = !prepared.readOnly && isLimited(options) ? undoable(this.sqlite, read) : read();
    if (!described) return { columns: [], declaredTypes: undefined, rows };
    // Asked for after the run: before it, SQLite may still hold the columns of an older schema.
    const { names, types } = this.#columns.of(statement, version);
    return { columns: arrays ? names : [], declaredTypes: options.details ? types : undefined, rows };
  }

  /** Has rows come as they are asked for. @returns whether that is as arrays */
  #shape(prepared: Prepared, options: RunOptions): boolean {
    const arrays = options.rows === "arrays";
    if (arrays !== prepared.arrays) prepared.statement.raw((prepared.arrays = arrays));
    const bigint = options.integers === "bigint";
    if (bigint !== prepared.bigint) prepared.statement.safeIntegers((prepared.bigint = bigint));
    return arrays;
  }

  #meta(started: number, read: number): StatementMeta {
    // Only the first read after a write does not know the size.
    if (!this.#sizeKnown) return this.#metaOfWrite(started, 0, false, read);
    const duration = performance.now() - started;
    this.#watch?.end(duration);
    return {
      duration,
      changes: 0,
      last_row_id: this.#lastRowId,
      changed_db: false,
      size_after: this.#sizeBytes,
      rows_read: read,
      rows_written: 0,
    };
  }

  #metaOfWrite(started: number, changes: number, changed: boolean, read: number): StatementMeta {
    const sizeNow = (): number => {
      try {
        return this.sizeBytes;
      } catch {
        // Closed, or locked by another process since: what was seen last is the best answer.
        return this.#sizeBytes;
      }
    };
    const duration = performance.now() - started;
    this.#watch?.end(duration);
    return {
      duration,
      changes,
      last_row_id: this.#lastRowId,
      changed_db: changed,
      // Asking SQLite takes 3 µs of a write's 16, and few callers look.
      get size_after() {
        return sizeNow();
      },
      rows_read: read,
      rows_written: changes,
    };
  }
}
