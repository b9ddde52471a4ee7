// Owns the contract that every backend of a tenant database fulfils.
// A driver knows names of databases; it knows no tenants, no HTTP and no caches.
import type { Database } from "better-sqlite3";

/** What a statement may be given for a `?`: D1's list, and `bigint` where the driver says so. */
export type SqlParameter = null | number | bigint | string | boolean | ArrayBuffer | ArrayBufferView;

/** One statement with its parameters in order. The driver checks them (`TYPE_ERROR`). */
export interface Statement {
  readonly sql: string;
  readonly params: readonly unknown[];
}

/** How one statement is to be run. */
export interface RunOptions {
  /** Rows as objects by column name (of columns that share a name the last wins) or as arrays. @default "objects" */
  readonly rows?: "objects" | "arrays";
  /** Stop after the first row. @default false */
  readonly first?: boolean;
  /** Refuse, with `READ_ONLY`, a statement that could write. @default false */
  readonly readOnly?: boolean;
  /** Fail with `TOO_MANY_ROWS` once more rows than this have come, of a batch in all. @default no limit */
  readonly maxRows?: number;
  /**
   * Fail with `RESPONSE_TOO_LARGE` once the rows, of a batch in all, are larger than this, in bytes. What the
   * statement wrote is undone then, as with `maxRows`.
   * @default no limit
   */
  readonly maxBytes?: number;
  /**
   * Where rows, as arrays, are to go instead of into {@link ResultSet.rows}. Drivers that get their rows from
   * somewhere else may give them all the same.
   * @default nowhere
   */
  readonly sink?: RowSink;
  /** 64-bit integers as numbers (rounded beyond 2^53, as D1 does) or as `bigint`. @default "number" */
  readonly integers?: "number" | "bigint";
  /**
   * Give {@link ResultSet.details}, where the driver has them. `meta` may then leave out what triggers changed, and
   * say a size from before the statement.
   * @default false
   */
  readonly details?: boolean;
  /**
   * Keep what a write gave in the transaction that did it, and give that again to who sends it again. Only with the
   * capability `once`.
   * @throws {TenantryError} `IDEMPOTENCY_MISMATCH`; `RESPONSE_TOO_LARGE` for what cannot be kept
   * @default it is done each time
   */
  readonly once?: OnceKey;
}

/** Work that is done once, however often it is sent. */
export interface OnceKey {
  /** Names the work; another tenant's is another. */
  readonly key: string;
  /** What was asked, in short: the same key with another request is a mistake. */
  readonly request: string;
  /** Milliseconds for which the answer is kept. */
  readonly keptMs: number;
}

/** Takes rows as they are read, so that nobody has to keep them. */
export interface RowSink {
  /** The rows of a result come next; what an earlier attempt at it gave is void. */
  begin(): void;
  /** A row, as an array. @returns the bytes that it takes of the answer */
  row(row: readonly unknown[]): number;
}

/** D1's `meta`. */
export interface StatementMeta {
  /** Milliseconds that the statement ran. */
  duration: number;
  /** Rows inserted, updated or deleted. */
  changes: number;
  /** The last rowid that this connection inserted; 0 before the first. */
  last_row_id: number;
  /** Whether the statement changed the database. */
  changed_db: boolean;
  /** Bytes of the database after the statement. */
  size_after: number;
  /** Rows read. A driver that cannot count them says the rows returned. */
  rows_read: number;
  /** Rows written. A driver that cannot count them says `changes`. */
  rows_written: number;
}

/** What SQLite itself says of a statement's result, beyond D1's `meta`. */
export interface ResultDetails {
  /** The types that the columns were declared with, in order; null for an expression. */
  readonly declaredTypes: readonly (string | null)[];
  /** Rows that the last `INSERT`, `UPDATE` or `DELETE` changed by itself, without its triggers. */
  readonly changes: number;
  /** The last rowid that this connection inserted. */
  readonly lastRowId: bigint;
}

/** What a statement gave. */
export interface ResultSet<Row = Record<string, unknown> | unknown[]> {
  /** Names in order; empty unless rows were asked for as arrays. */
  readonly columns: readonly string[];
  readonly rows: Row[];
  readonly meta: StatementMeta;
  /** Where {@link RunOptions.details} asked for it. */
  readonly details?: ResultDetails;
  /** Whether this was kept of an earlier time: see {@link RunOptions.once}. A batch's first result says it. */
  readonly replayed?: true;
}

/** D1's answer to `exec()`: statements run, and milliseconds. */
export interface ExecResult {
  count: number;
  duration: number;
}

/** Whatever runs statements: a handle, a transaction, a session. */
export interface SqlRunner {
  /** @throws {TenantryError} `SQL_ERROR`, `CONSTRAINT`, `TYPE_ERROR`, `DATABASE_*`, and those of the options. */
  run(statement: Statement, options?: RunOptions): Promise<ResultSet>;
  /** All of the statements in one transaction, or none. */
  batch(statements: readonly Statement[], options?: RunOptions): Promise<ResultSet[]>;
  /** Text of several statements without parameters: all or, where one fails, none. */
  exec(sql: string): Promise<ExecResult>;
}

export type TransactionMode = "read" | "write";

/** A pinned connection: what is begun here is committed here. Close it, or its lease is never given back. */
export interface Session extends SqlRunner {
  /** Whether a transaction is open on this connection. */
  readonly inTransaction: boolean;
  /** Whether that transaction has written, or begun as one that does: other writers wait for its end. */
  readonly writing: boolean;
  /** Milliseconds that a transaction should be writing at most. Whoever has the session sees to it. */
  readonly transactionTimeoutMs: number;
  /**
   * Runs a statement at once where nobody has to be waited for, and otherwise as `run()` does.
   * @throws {TenantryError} as `run()` does, then or by the promise
   */
  runNow(statement: Statement, options?: RunOptions): ResultSet | Promise<ResultSet>;
  /**
   * What runs the same write again in the transaction that is open, without asking anew what holds for all of it;
   * undefined for what has rows or changes the schema, and where no such transaction is open.
   */
  repeat?(sql: string): Repeat | undefined;
  /**
   * Begins to read the rows of a statement, which come as arrays. Nothing else may be run until they are at their end,
   * or the reader is closed. Only where the driver has its rows one by one.
   * @throws {TenantryError} as `run()` does, and `READ_ONLY` for a statement that could write
   */
  read?(statement: Statement, options?: RunOptions): RowReader;
  /** What a statement is, without running it. @throws {TenantryError} as `run()` does */
  describe(sql: string): StatementDescription;
  /** Whether foreign keys hold; until the session is closed. Does nothing in a transaction, as in SQLite. */
  enforceForeignKeys(on: boolean): void;
  /** Rolls back what is not committed, and gives the connection back. Idempotent. */
  close(): Promise<void>;
}

/** What a statement without rows did. */
export interface Written {
  readonly changes: number;
  /** Of the connection's last insert, as a bigint where a number would round it. */
  readonly lastRowId: number | bigint;
  /** Milliseconds. */
  readonly duration: number;
}

/**
 * Runs a write again, for each of `params`, until one has run at whose end `ms` milliseconds are over. What has run is
 * put into `done`, also where the one behind it fails. It puts nothing there where something has to be asked: the
 * transaction has ended, or somebody has to be waited for.
 * @throws {TenantryError} as `run()` does
 */
export type Repeat = (params: readonly (readonly SqlParameter[])[], ms: number, done: Written[]) => void;

/** The rows of a statement that is being read. */
export interface RowReader {
  /**
   * The next rows, about 64 kB of them or what 10 ms give, none at the end; with its columns, and with what it took
   * so far. @throws {TenantryError} as `run()` does
   */
  next(): Promise<ResultSet<unknown[]>>;
  /** Ends it where it is. Idempotent. */
  close(): void;
}

/** A statement that has been prepared and not run. */
export interface StatementDescription {
  /** The columns of its rows: empty where it has none. */
  readonly columns: readonly { readonly name: string; readonly declaredType: string | null }[];
  /** Whether it writes nothing. */
  readonly readOnly: boolean;
}

/** A script to be run with its follow-up in one transaction, as a migration is. */
export interface Script {
  /** Statements without parameters and without `BEGIN` or `COMMIT`. */
  readonly sql: string;
  /** Statements that belong to it, such as the journal's row. */
  readonly after: readonly Statement[];
  /**
   * Run in the same transaction before anything else; if it returns rows, the script is not run: somebody
   * else has run it already.
   */
  readonly unless?: Statement;
  /**
   * Run with foreign keys off and `PRAGMA foreign_key_check` before the commit: a `DROP TABLE` of a parent
   * then keeps its children, and a script that leaves a row without its parent fails with `CONSTRAINT`, as
   * a whole. Foreign keys are on again afterwards, whatever happened. A driver that cannot switch them off
   * throws `UNSUPPORTED` and runs nothing.
   */
  readonly foreignKeys?: "off";
}

/** Bounds of one database; null stands for the driver's own. */
export interface DatabaseLimits {
  /** Bytes that it may grow to. What is larger already only grows no more. */
  readonly maxBytes: number | null;
  /** Milliseconds that an interactive transaction, or a session's, may take. */
  readonly transactionTimeoutMs: number | null;
}

/** Statements of which each sees at least what a bookmark stands for, and what those before it wrote. */
export interface BookmarkedRunner extends SqlRunner {
  /** What the next one is to begin with; null before the first statement. */
  bookmark(): string | null;
}

/** An open tenant database. */
export interface Handle extends SqlRunner {
  /**
   * Runs `fn` in an interactive transaction: commits when it fulfils, rolls back when it rejects or when
   * `timeoutMs` have passed (`TRANSACTION_TIMEOUT`).
   * @throws {TenantryError} `UNSUPPORTED` without the capability `transactions`.
   */
  transaction<T>(
    mode: TransactionMode,
    fn: (tx: SqlRunner) => Promise<T>,
    options?: { readonly timeoutMs?: number },
  ): Promise<T>;
  /** A connection of its own. @throws {TenantryError} `UNSUPPORTED` without the capability `sessions`. */
  session(): Promise<Session>;
  /**
   * Statements that read from copies no older than a bookmark, or from `first-primary`, `first-unconstrained`.
   * Only with the capability `bookmarks`.
   */
  withBookmark?(from: string): BookmarkedRunner;
  /** Whether the script ran: false when `unless` found rows. */
  script(script: Script): Promise<boolean>;
  /**
   * Brings the database up to a set of migrations by itself, in one call, where it can: `migrateDatabase()` hands
   * on to it. Gives that function's result.
   */
  migrate?(set: { readonly version: string | null; readonly hash: string }): Promise<unknown>;
  /**
   * Writes a consistent copy to a new file at `path`.
   * @param check is called when the file is whole, with the database as it was copied, whoever writes meanwhile
   * @throws {TenantryError} `UNSUPPORTED`
   */
  snapshot(path: string, check?: (asCopied: SqlRunner) => Promise<void>): Promise<void>;
  /**
   * The whole database as SQL text, of one moment, in pieces: each is made when it is asked for. What is not read to
   * its end must be ended by `return()`. Only where the driver can.
   */
  dump?(): AsyncGenerator<string, void, undefined>;
  /** Runs `fn`, which is synchronous, with the raw database; only where it is one of better-sqlite3. */
  withSqlite?<T>(fn: (sqlite: Database) => T): Promise<T>;
  /** Sets other bounds; they hold from the next statement or transaction on. Only where the driver has them. */
  setLimits?(limits: DatabaseLimits): void;
  /**
   * Folds the write-ahead log into the database and cuts it to nothing. Only where there is one.
   * @throws {TenantryError} `DATABASE_BUSY` while somebody reads an older state of the database
   */
  checkpoint?(): Promise<void>;
  /**
   * Where the database was at `at`, in milliseconds since 1970, or is now. Only where its service keeps its past, as
   * {@link restore} does.
   * @throws {TenantryError} `UNSUPPORTED` where this runtime has none
   */
  bookmark?(at?: number): Promise<string>;
  /**
   * Brings the database back to a bookmark, in place; what is sent meanwhile may be answered from before. Gives the
   * bookmark that undoes it.
   * @throws {TenantryError} `INVALID_ARGUMENT` for one from before the database
   */
  restore?(bookmark: string): Promise<string>;
  /**
   * What a caller has noted of the database as it was opened, for the next time: it is there again only where nobody
   * has written to the database since, and the driver could tell that without reading it. Anything may be forgotten.
   */
  note?: string | undefined;
  /** Bytes of the database, as the last statement saw it. */
  sizeBytes(): Promise<number>;
  /** Waits for nothing: whoever closes a handle has made sure that no one uses it. Idempotent. */
  close(): Promise<void>;
}

/** What a driver can do beyond D1's own API; declared, never sniffed. */
export interface DriverCapabilities {
  readonly transactions: boolean;
  readonly sessions: boolean;
  readonly snapshots: boolean;
  /** Parameters may be `bigint`, and integers can come back as such. */
  readonly bigint: boolean;
  /** There are copies to read from, and bookmarks that say how new they must be. @default false */
  readonly bookmarks?: boolean;
  /** A statement or batch can be run once, however often it is sent: {@link RunOptions.once}. @default false */
  readonly once?: boolean;
}

/** What a new database begins as: a migrated one, made once by `build` and kept under `key`, or a file. */
export type DatabaseSource<H extends Handle = Handle> =
  | { readonly key: string; readonly build: (handle: H) => Promise<void> }
  /** Taken over, not copied: the file is gone from its place afterwards. */
  | { readonly file: string };

/** A new database that is ready but has no name yet. */
export interface StagedDatabase {
  readonly sizeBytes: number;
  /** Gives it its name, durably. What no one owned under that name is moved aside, never overwritten. */
  commit(): Promise<void>;
  /** Forgets it. After `commit()` this does nothing. */
  discard(): Promise<void>;
}

/** A file of one's own in the data folder. Disposing of it removes it and its side files. */
export interface ScratchFile extends AsyncDisposable {
  readonly path: string;
}

/** How SQL text becomes a database. */
export interface LoadDumpOptions {
  /** Bytes that the database may grow to; 0 for no limit. @default 0 */
  readonly maxBytes?: number;
  /** Milliseconds that it may take. @default 600000 */
  readonly timeoutMs?: number;
}

/** What can be done with databases that are files. */
export interface DatabaseFiles<H extends Handle = Handle> {
  /** A path for one file that nobody else has, on the disk where the databases are. */
  scratch(): Promise<ScratchFile>;
  /** Whether the file at `path` begins as a database does. */
  isDatabase(path: string): Promise<boolean>;
  /**
   * Makes a new database at `to` of the SQL text in the file at `from`, such as a dump: wholly or not at all.
   * @throws {TenantryError} `IMPORT_INVALID`, `DATABASE_FULL`, `STATEMENT_TIMEOUT`
   */
  load(from: string, to: string, options?: LoadDumpOptions): Promise<void>;
  /** Opens the file at `path`, which is nobody's yet. */
  open(path: string): Promise<H>;
  /** Where the database of that name lies, whether or not it is there. */
  pathOf(name: string): string;
  /**
   * Puts the file at `path`, which is gone from its place afterwards, in the place of the database of that name,
   * which is at `keep` then. Whoever is killed half-way leaves the one or the other, whole.
   * @throws {TenantryError} `DATABASE_BUSY` where somebody has one of the two open
   */
  replace(name: string, path: string, keep: string): Promise<void>;
}

/** One kind of backend. A factory makes it: `localDriver({ dir })`. */
export interface Driver<H extends Handle = Handle> {
  /** What the catalog keeps with each tenant of this driver: one name for ever. */
  readonly name: string;
  readonly capabilities: DriverCapabilities;
  /** File descriptors that an open handle holds. */
  readonly descriptorsPerHandle: number;
  /** Handles open at once, where a driver of others than files has a limit of its own. @default 512 */
  readonly maxOpen?: number;
  /** Opens what is there, never creates. @throws {TenantryError} `DATABASE_MISSING`, `DATABASE_CORRUPT`, … */
  open(name: string, limits?: DatabaseLimits): Promise<H>;
  /** Whole databases as files: only where they are files. */
  readonly files?: DatabaseFiles<H>;
  /** Whether a database of that name is there. */
  exists(name: string): Promise<boolean>;
  /** Makes a new database ready. Nothing is to be seen of it before its `commit()`. */
  stage(name: string, source: DatabaseSource<H>): Promise<StagedDatabase>;
  /**
   * Returns once no process has the database open and all that was committed lies in its one file.
   * @throws {TenantryError} `DATABASE_BUSY` after `timeoutMs`
   */
  quiesce(name: string, options: { readonly timeoutMs: number }): Promise<void>;
  /** Removes the database and every side file of it; what is not there is no error. */
  remove(name: string): Promise<void>;
}
