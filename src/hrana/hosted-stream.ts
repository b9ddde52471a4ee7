// Owns what a socket needs of a stream, wherever it runs: in this process, or in an executor.
// Is the contract only.

/** A stream of one socket. Nobody asks it for two things at once. */
export interface HostedStream {
  /** Whether its transaction is open: others may be waiting for the end of that. */
  readonly open: boolean;
  /**
   * Answers a request, which has no SQL by its number, with its `StreamResult` as text.
   * @throws {TenantryError} what is not one statement's error; the stream has ended then
   */
  run(request: object): Promise<string>;
  /** Runs a batch as its entries are read. @throws {TenantryError} as {@link run} does */
  cursor(batch: unknown): Promise<EntryReader>;
  /** Rolls back what is not committed, at once, whatever is being waited for. Idempotent. */
  close(): void;
}

/** The entries of a cursor, each as JSON, in pieces. */
export interface EntryReader {
  /** The next ones; undefined at the end. @throws {TenantryError} as {@link HostedStream.run} does */
  next(): Promise<readonly string[] | undefined>;
  /** Ends the batch where it is. Idempotent. */
  close(): void;
}
