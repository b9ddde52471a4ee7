// Owns what a connection tells of its statements while they run.
// Does not know who listens.

/** Is told of every statement of one database, for those who must know what an event loop is held by. */
export interface StatementWatch {
  /** A statement is about to run. */
  begin(): void;
  /** One has run for that long. */
  end(ms: number): void;
  /** A caller's statement has run to its end. */
  ran(sql: string, ms: number, rowsRead: number, rowsWritten: number): void;
}
