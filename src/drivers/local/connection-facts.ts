// Owns what a connection is asked about itself: its size, its versions, its counters.
// Prepares a question when it is first asked: preparing all of them takes a tenth of an open.
import type Database from "better-sqlite3";

/** Figures of one open connection. Each throws what better-sqlite3 throws. */
export class ConnectionFacts {
  readonly #sqlite: Database.Database;
  #written: Database.Statement<[], [number, number, number]> | undefined;
  #exactRowId: Database.Statement<[], [bigint]> | undefined;
  #pageCount: Database.Statement<[], [number]> | undefined;
  #dataVersion: Database.Statement<[], [number]> | undefined;
  #schemaVersion: Database.Statement<[], [number]> | undefined;
  #anyRead: Database.Statement<[]> | undefined;
  #pageSize: number | undefined;

  constructor(sqlite: Database.Database) {
    this.#sqlite = sqlite;
  }

  /**
   * Rows that this connection has changed since it was opened, the last rowid that it inserted, and the rows
   * that its last write changed without its triggers.
   */
  get written(): [changes: number, rowId: number, ownChanges: number] {
    return (this.#written ??= this.#sqlite
      .prepare<[], [number, number, number]>("SELECT total_changes(), last_insert_rowid(), changes()")
      .raw()).get()!;
  }

  /** The last rowid, where a number is not exact. */
  get exactRowId(): bigint {
    return (this.#exactRowId ??= this.#sqlite
      .prepare<[], [bigint]>("SELECT last_insert_rowid()")
      .raw()
      .safeIntegers()).get()![0];
  }

  /** Bytes of the database now. */
  get sizeBytes(): number {
    const [pages] = (this.#pageCount ??= this.#pragma("page_count")).get()!;
    this.#pageSize ??= this.#sqlite.pragma("page_size", { simple: true }) as number;
    return pages * this.#pageSize;
  }

  /** Changes whenever somebody other than this connection has committed. */
  get dataVersion(): number {
    return (this.#dataVersion ??= this.#pragma("data_version")).get()![0];
  }

  /** Changes with every change of the schema, whoever makes it. */
  get schemaVersion(): number {
    return (this.#schemaVersion ??= this.#pragma("schema_version")).get()![0];
  }

  /**
   * Has the connection read its schema again, if somebody else has changed it: SQLite looks whether that is so when a
   * statement is run, and not when one is prepared.
   */
  refreshSchema(): void {
    (this.#anyRead ??= this.#sqlite.prepare<[]>("SELECT 1 FROM sqlite_schema LIMIT 0")).get();
  }

  #pragma(name: string): Database.Statement<[], [number]> {
    return this.#sqlite.prepare<[], [number]>(`PRAGMA ${name}`).raw();
  }
}
