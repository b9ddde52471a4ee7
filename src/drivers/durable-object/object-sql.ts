// Owns running statements on the SQLite inside a Durable Object: values, limits, meta, and whole or nothing.
// Everything here is synchronous, so that no other request of the object comes between two statements.
import { type Inspection, inspectStatement } from "../../sql/inspect-statement.ts";
import { TEMPORARY } from "../../sql/refused-names.ts";
import { splitStatements } from "../../sql/split-statements.ts";
import { TenantryError } from "../../tenantry-error.ts";
import { d1Error, inD1Words } from "../d1-error.ts";
import { fromD1 } from "../d1-sql-error.ts";
import type { ExecResult, ResultSet, RunOptions, Script, Statement } from "../driver.ts";
import { joinResults, ofPieces, splitInsert } from "../split-insert.ts";
import { withoutBigints } from "../d1/d1-parameters.ts";
import type { ObjectCursor, ObjectStorage } from "./object-storage.ts";
import { RecentMap } from "../../recent-map.ts";
import { resultTooLarge, tooManyRows } from "../result-limits.ts";

/** Bytes of a value list that one answer over RPC may hold: the runtime's limit is 32 MiB of UTF-16. */
export const MAX_ANSWER_BYTES = 12 * 1024 * 1024;

/** Characters of SQL that an object remembers having read. */
const MAX_KNOWN_CHARACTERS = 1_000_000;

/** Verbs by which a statement reaches past its database, or changes how it is kept. */
const LEAVES_THE_DATABASE: ReadonlySet<string> = new Set(["ATTACH", "DETACH", "PRAGMA"]);

const CHANGES_ROWS: ReadonlySet<string> = new Set(["INSERT", "REPLACE", "UPDATE", "DELETE"]);

/** Finds something of a schema by which a statement may change other rows than those it names. */
const FURTHER_CHANGES = `SELECT 1 FROM sqlite_schema
WHERE type = 'trigger' OR sql LIKE 'CREATE VIRTUAL%' OR sql LIKE '%REFERENCES%ON%' LIMIT 1`;

/** What an answer has taken of its limits so far. */
export interface AnswerSize {
  rows: number;
  bytes: number;
  /** What it may take, whatever the statement's own limit is. */
  readonly maxBytes: number;
}

/** What is known of a statement's text. */
interface KnownSql extends Inspection {
  /** Whether it writes and may give rows. */
  readonly returns: boolean;
}

/** Rows are arrays, whatever was asked for: whoever gets them across RPC makes objects of them. */
export type RawResult = ResultSet<unknown[]>;

/** Runs statements on an object's storage. */
export class ObjectSql {
  readonly #storage: ObjectStorage;
  readonly #known = new RecentMap<string, KnownSql>({
    maxSize: MAX_KNOWN_CHARACTERS,
    sizeOf: (_, sql) => sql.length + 1,
  });
  #lastRowId = 0;
  #inTransaction = false;
  /** Asking takes as long as a short statement does. */
  #sizeBytes: number | undefined;
  #plain: boolean | undefined;

  constructor(storage: ObjectStorage) {
    this.#storage = storage;
  }

  /** @throws {TenantryError} as `SqlRunner.run()` does */
  run(statement: Statement, options: RunOptions = {}, size = noSize()): RawResult {
    return this.#run(statement, options, size);
  }

  /** All of the statements, or none. @throws {TenantryError} as `SqlRunner.batch()` does */
  batch(statements: readonly Statement[], options: RunOptions = {}): RawResult[] {
    const size = noSize();
    return this.atomically(() => statements.map((statement) => this.#run(statement, options, size)));
  }

  /** @throws {TenantryError} as `SqlRunner.exec()` does */
  exec(sql: string): ExecResult {
    const statements = split(sql);
    if (statements.length === 0) throw d1Error("SQL_NO_STATEMENT", "No SQL statements detected.");
    const started = performance.now();
    this.batch(statements.map((text) => ({ sql: text, params: [] })));
    return { count: statements.length, duration: performance.now() - started };
  }

  /** @throws {TenantryError} as `Handle.script()` does */
  async script(script: Script): Promise<boolean> {
    if (script.foreignKeys !== "off") return this.atomically(() => this.#script(script));
    // What was written before is committed first: within a transaction they cannot be switched off.
    await this.#storage.sync();
    this.#enforceForeignKeys(false);
    try {
      return this.atomically(() => {
        const ran = this.#script(script);
        if (ran) this.#checkForeignKeys();
        return ran;
      });
    } finally {
      // The transaction is over, but what it wrote is not committed yet.
      await this.#storage.sync();
      this.#enforceForeignKeys(true);
    }
  }

  #script({ sql, after, unless }: Script): boolean {
    const size = noSize();
    if (unless && this.#run(unless, {}, size).rows.length > 0) return false;
    for (const text of split(sql)) this.#start(text, []).raw().toArray();
    this.#plain = undefined;
    for (const statement of after) this.#run(statement, {}, size);
    return true;
  }

  /** @throws {TenantryError} `UNSUPPORTED` where the runtime does not let it */
  #enforceForeignKeys(on: boolean): void {
    this.#start(`PRAGMA foreign_keys = ${on ? "ON" : "OFF"}`, [])
      .raw()
      .toArray();
    const [[now] = []] = this.#start("PRAGMA foreign_keys", []).raw().toArray();
    if (now !== (on ? 1 : 0)) throw foreignKeysStay();
  }

  #checkForeignKeys(): void {
    const [orphan] = this.#start("PRAGMA foreign_key_check", []).raw().toArray();
    if (orphan === undefined) return;
    throw d1Error(
      "CONSTRAINT",
      "FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)",
      { sqliteCode: "SQLITE_CONSTRAINT_FOREIGNKEY", hint: `A row of ${String(orphan[0])} has no parent.` },
    );
  }

  #run({ sql, params }: Statement, options: RunOptions, size: AnswerSize): RawResult {
    const { kind, needs, verb, refusal, returns } = this.#inspect(sql);
    if (kind === "transaction") throw noTransaction();
    if (kind === "refused" && (LEAVES_THE_DATABASE.has(verb) || refusal === TEMPORARY)) throw notAuthorized();
    const bound = withoutBigints(params);
    const reads = needs === "read";
    if (options.readOnly && !reads) throw readOnly();
    const pieces = reads ? undefined : splitInsert({ sql, params });
    if (pieces) return this.#inPieces(pieces, options, size);
    if (reads) return this.#read(sql, bound, options, size);
    // What is stopped at a limit has written all its rows before it gave the first.
    return returns
      ? this.atomically(() => this.#write(verb, sql, bound, options, size))
      : this.#write(verb, sql, bound, options, size);
  }

  /** A statement that has more parameters than one takes. */
  #inPieces(pieces: readonly Statement[], options: RunOptions, size: AnswerSize): RawResult {
    try {
      return this.atomically(() => joinResults(pieces.map((piece) => this.#run(piece, options, size))));
    } catch (error) {
      throw ofPieces(error);
    }
  }

  #read(sql: string, params: readonly unknown[], options: RunOptions, size: AnswerSize): RawResult {
    const started = performance.now();
    const cursor = this.#start(sql, params);
    const rows = readRows(cursor, options, size);
    return {
      columns: cursor.columnNames,
      rows,
      meta: {
        duration: performance.now() - started,
        changes: 0,
        last_row_id: this.#lastRowId,
        changed_db: false,
        size_after: this.#size(),
        rows_read: cursor.rowsRead,
        rows_written: cursor.rowsWritten,
      },
    };
  }

  #write(
    verb: string,
    sql: string,
    params: readonly unknown[],
    options: RunOptions,
    size: AnswerSize,
  ): RawResult {
    const sizeBefore = this.#size();
    const plain = CHANGES_ROWS.has(verb) && this.#isPlain();
    const before = plain ? undefined : this.#written();
    const result = this.#read(sql, params, options, size);
    if (!CHANGES_ROWS.has(verb)) this.#plain = undefined;
    const { own, total, rowId } = this.#written();
    const changes = before === undefined ? own : total - before.total;
    // The runtime keeps its own tables in the same database: what it inserted there is not the caller's.
    if (changes > 0 && (verb === "INSERT" || verb === "REPLACE")) this.#lastRowId = rowId;
    this.#sizeBytes = undefined;
    const sizeAfter = this.#size();
    return {
      ...result,
      meta: {
        ...result.meta,
        changes,
        last_row_id: this.#lastRowId,
        changed_db:
          changes > 0 || (before !== undefined && rowId !== before.rowId) || sizeAfter !== sizeBefore,
        size_after: sizeAfter,
      },
    };
  }

  #size(): number {
    return (this.#sizeBytes ??= this.#storage.sql.databaseSize);
  }

  #start(sql: string, params: readonly unknown[]): ObjectCursor {
    try {
      return this.#storage.sql.exec(sql, ...params);
    } catch (error) {
      throw fromD1(error);
    }
  }

  /**
   * Whether a statement changes just the rows that it names. What is asked before each write where it is not so costs
   * as much as a short write does. Nobody but this object changes its schema.
   */
  #isPlain(): boolean {
    return (this.#plain ??= this.#storage.sql.exec(FURTHER_CHANGES).raw().toArray().length === 0);
  }

  /** Rows that the last statement changed by itself, and all have changed; the last rowid that was inserted. */
  #written(): { readonly own: number; readonly total: number; readonly rowId: number } {
    const [row = []] = this.#storage.sql
      .exec("SELECT changes(), total_changes(), last_insert_rowid()")
      .raw()
      .toArray();
    const [own, total, rowId] = row as [number, number, number];
    return { own, total, rowId };
  }

  #inspect(sql: string): KnownSql {
    const known = this.#known.get(sql);
    if (known) return known;
    try {
      const inspection = { ...inspectStatement(sql), returns: /\breturning\b/i.test(sql) };
      this.#known.set(sql, inspection);
      return inspection;
    } catch (error) {
      throw inD1Words(error);
    }
  }

  /** All that `fn` writes, or nothing of it where it throws. */
  atomically<T>(fn: () => T): T {
    // One within another cannot be undone while rows are being read. Who is in one lets its error through.
    if (this.#inTransaction) return fn();
    this.#inTransaction = true;
    try {
      return this.#storage.transactionSync(fn);
    } catch (error) {
      this.#plain = undefined;
      throw fromD1(error);
    } finally {
      this.#inTransaction = false;
      this.#sizeBytes = undefined;
    }
  }
}

function readRows(cursor: ObjectCursor, options: RunOptions, size: AnswerSize): unknown[][] {
  const { first, maxRows = Number.POSITIVE_INFINITY } = options;
  const maxBytes = Math.min(options.maxBytes ?? size.maxBytes, size.maxBytes);
  const rows: unknown[][] = [];
  // The names count: a statement can make them as long as itself, and an object of each row has them.
  const nameBytes = options.rows === "arrays" ? 0 : cursor.columnNames.join("").length;
  const left = cursor.raw();
  try {
    for (const row of left) {
      if (first && rows.length === 1) continue;
      size.bytes += nameBytes + rowBytes(row);
      if (++size.rows > maxRows) throw tooManyRows(maxRows);
      if (size.bytes > maxBytes) throw resultTooLarge(maxBytes);
      rows.push(row);
    }
  } catch (error) {
    if (error instanceof TenantryError) readToEnd(left);
    throw fromD1(error);
  }
  return rows;
}

/**
 * A cursor cannot be closed, and one that is left keeps a transaction from being undone and a table from being
 * dropped. One that has no end is left all the same.
 */
function readToEnd(rows: Iterable<unknown[]>): void {
  let bytes = 0;
  for (const row of rows) {
    bytes += rowBytes(row);
    if (bytes > MAX_ANSWER_BYTES) return;
  }
}

/** Bytes that a row takes in an answer, within a factor of three for most values. */
function rowBytes(row: unknown[]): number {
  let bytes = 2;
  for (let at = 0; at < row.length; at++) {
    const value = row[at];
    if (typeof value === "string") bytes += value.length + 8;
    else if (value instanceof ArrayBuffer) {
      row[at] = new Uint8Array(value);
      bytes += value.byteLength * 4;
    } else bytes += 8;
  }
  return bytes;
}

/** Of an answer that nothing is in yet. */
export function noSize(maxBytes = MAX_ANSWER_BYTES): AnswerSize {
  return { rows: 0, bytes: 0, maxBytes };
}

function split(sql: string): string[] {
  try {
    return splitStatements(sql);
  } catch (error) {
    throw inD1Words(error);
  }
}

function noTransaction(): TenantryError {
  return d1Error(
    "SQL_REFUSED",
    "To execute a transaction, please use batch() instead of the SQL BEGIN TRANSACTION or SAVEPOINT statements.",
    { sqliteCode: "SQLITE_AUTH", hint: "batch() is atomic." },
  );
}

function notAuthorized(): TenantryError {
  return d1Error("SQL_REFUSED", "not authorized: SQLITE_AUTH", {
    sqliteCode: "SQLITE_AUTH",
    hint: "A tenant's SQL stays in its own database, and leaves nothing behind on it but data.",
  });
}

function readOnly(): TenantryError {
  return new TenantryError("READ_ONLY", "This statement writes, and only reading is allowed here.", {
    hint: "Use a token of scope write.",
  });
}

function foreignKeysStay(): TenantryError {
  return new TenantryError("UNSUPPORTED", "Foreign keys cannot be switched off in this object.", {
    hint: 'Write "PRAGMA defer_foreign_keys = ON" instead, and drop no table that cascading keys refer to.',
  });
}
