// Owns reading a statement's rows in pieces, with the connection held in between.
// Does not know when the next piece is due.
import type Database from "better-sqlite3";
import { TenantryError } from "../../tenantry-error.ts";
import type { ResultSet, RunOptions } from "../driver.ts";
import { NO_META } from "../empty-result.ts";
import { approximateBytes, assertWithin } from "./read-rows.ts";
import { isBusy } from "./sqlite-error.ts";
import type { StatementWatch } from "./statement-watch.ts";

/** Bytes of a piece, about, and the milliseconds after which it is given as it is. */
const PIECE_BYTES = 64 * 1024;
const PIECE_MS = 10;

/** The rows of a statement that is being run. */
export class LocalRowReader {
  readonly #statement: Database.Statement<unknown[]>;
  readonly #values: readonly unknown[];
  readonly #options: RunOptions;
  readonly #watch: StatementWatch | undefined;
  readonly #size = { rows: 0, bytes: 0 };
  #rows: IterableIterator<unknown[]> | undefined;
  #columns: readonly Database.ColumnDefinition[] = [];
  #ms = 0;
  #ended = false;
  /** What is to be said behind the rows before it. */
  #failed: { readonly error: unknown } | undefined;
  #closed = false;

  constructor(
    statement: Database.Statement<unknown[]>,
    values: readonly unknown[],
    options: RunOptions,
    watch: StatementWatch | undefined,
  ) {
    this.#statement = statement;
    this.#values = values;
    this.#options = options;
    this.#watch = watch;
  }

  /** Whether some rows have been read, and others are to be. */
  get underWay(): boolean {
    return this.#rows !== undefined && !this.#ended;
  }

  /** The next rows; none at the end. @throws what better-sqlite3 throws, and {TenantryError} at a limit, or `CLOSED` */
  next(): ResultSet<unknown[]> {
    if (this.#closed) throw new TenantryError("CLOSED", "The connection that was read is closed.");
    if (this.#failed) throw this.#failed.error;
    if (this.#ended) return this.#resultOf([]);
    this.#watch?.begin();
    const rows: unknown[][] = [];
    const started = performance.now();
    let ends = true;
    try {
      ends = this.#read(rows, started + PIECE_MS);
    } catch (error) {
      // It has not begun then, and may be tried again.
      ends = this.#size.rows > 0 || !isBusy(error);
      if (!ends) this.#rows = undefined;
      if (rows.length === 0) throw error;
      this.#failed = { error };
    } finally {
      const ms = performance.now() - started;
      this.#ms += ms;
      this.#watch?.end(ms);
      if (ends) this.#end();
    }
    return this.#resultOf(rows);
  }

  #resultOf(rows: unknown[][]): ResultSet<unknown[]> {
    return {
      columns: this.#columns.map(({ name }) => name),
      rows,
      meta: { ...NO_META, duration: this.#ms, rows_read: this.#size.rows },
      details: { declaredTypes: this.#columns.map(({ type }) => type), changes: 0, lastRowId: 0n },
    };
  }

  /** Ends it where it is. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#end();
  }

  /** @returns whether it is at its end */
  #read(rows: unknown[][], sliceEnd: number): boolean {
    const bytesBefore = this.#size.bytes;
    this.#rows ??= this.#statement.iterate(...this.#values) as IterableIterator<unknown[]>;
    for (;;) {
      const { done, value } = this.#rows.next();
      // Before it, SQLite may still hold the columns of an older schema.
      if (this.#columns.length === 0) this.#columns = this.#statement.columns();
      if (done) return true;
      this.#size.rows++;
      this.#size.bytes += approximateBytes(value);
      assertWithin(this.#size, this.#options);
      rows.push(value);
      if (this.#size.bytes - bytesBefore >= PIECE_BYTES || performance.now() >= sliceEnd) return false;
    }
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (!this.#rows) return;
    this.#rows.return?.();
    this.#watch?.ran(this.#statement.source, this.#ms, this.#size.rows, 0);
  }
}
