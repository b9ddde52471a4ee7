// Owns the part of a Durable Object's storage that this room uses, as types.
// Runs nothing: object-sql.ts does.

/** What a cursor is used for. */
export interface ObjectCursor {
  raw(): IterableIterator<unknown[]> & { toArray(): unknown[][] };
  readonly columnNames: string[];
  readonly rowsRead: number;
  readonly rowsWritten: number;
}

/** The storage of an object that keeps SQLite. */
export interface ObjectStorage {
  readonly sql: {
    exec(sql: string, ...params: unknown[]): ObjectCursor;
    readonly databaseSize: number;
  };
  /** Values beside the SQL, which no statement reaches. */
  readonly kv: {
    get<T>(key: string): T | undefined;
    put(key: string, value: unknown): void;
    delete(key: string): boolean;
    list<T>(options: { prefix: string; end: string; limit: number }): Iterable<[string, T]>;
  };
  transactionSync<T>(fn: () => T): T;
  deleteAll(): Promise<void>;
  sync(): Promise<void>;
  getAlarm(): Promise<number | null>;
  setAlarm(at: number): Promise<void>;
  getCurrentBookmark(): Promise<string>;
  getBookmarkForTime(at: number): Promise<string>;
  onNextSessionRestoreBookmark(bookmark: string): Promise<string>;
}

/** What an object is given of itself. */
export interface ObjectContext {
  readonly storage: unknown;
  waitUntil(promise: Promise<unknown>): void;
  blockConcurrencyWhile<T>(fn: () => Promise<T>): Promise<T>;
  abort(reason?: string): void;
}
