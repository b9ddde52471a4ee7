// Owns reading a batch's entries while it runs: as fast as somebody takes them, and for as long as a connection may
// be held for that. Does not run statements.

/** Characters of entries that are read at a time, or a little more. */
export const CURSOR_PIECE_CHARACTERS = 64 * 1024;
/**
 * Milliseconds that a connection is kept for a reader who takes his time. What he has not taken by then is read into
 * memory, where the limit of an answer bounds it.
 */
export const DEFAULT_CURSOR_HOLD_MS = 5_000;

/** What runs the batch: pieces of entries, and at its end the last of them. */
export type EntrySource = AsyncGenerator<readonly string[], readonly string[], undefined>;

/** The entries of a batch that is being run. */
export class BatchCursor {
  readonly #source: EntrySource;
  /** Read, and not yet taken. */
  readonly #pieces: (readonly string[])[] = [];
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #end = Promise.withResolvers<void>();
  #finishing: Promise<void> | undefined;
  #ended = false;
  #error: { readonly thrown: unknown } | undefined;
  #failed = false;
  #closed = false;

  constructor(source: EntrySource, holdMs = DEFAULT_CURSOR_HOLD_MS) {
    this.#source = source;
    this.#timer = setTimeout(() => void this.finish(), holdMs);
    if (typeof this.#timer === "object") this.#timer.unref();
  }

  /** Fulfils when the batch is at its end, whether or not all of it has been taken. */
  get ended(): Promise<void> {
    return this.#end.promise;
  }

  /** Whether the batch is at its end, and all of its entries have been taken. */
  get done(): boolean {
    return this.#ended && this.#pieces.length === 0 && this.#error === undefined;
  }

  /** Whether the batch as a whole has failed. */
  get failed(): boolean {
    return this.#failed;
  }

  /** The next entries, not none; undefined at the end. @throws what the batch throws as a whole */
  async next(): Promise<readonly string[] | undefined> {
    await this.#finishing;
    while (this.#pieces.length === 0 && !this.#ended) await this.#read();
    const piece = this.#pieces.shift();
    if (piece || !this.#error) return piece;
    const { thrown } = this.#error;
    this.#error = undefined;
    throw thrown;
  }

  /** Runs the batch to its end; what has not been taken is kept. Never rejects. */
  finish(): Promise<void> {
    return (this.#finishing ??= this.#readAll());
  }

  /** Ends the batch where it is. Idempotent. */
  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#pieces.length = 0;
      this.#source.return([]).then(
        () => this.#atEnd(),
        () => this.#atEnd(),
      );
    }
    return this.ended;
  }

  async #readAll(): Promise<void> {
    if (this.#closed) return this.ended;
    while (!this.#ended) await this.#read();
  }

  async #read(): Promise<void> {
    if (this.#closed) return this.ended;
    try {
      const { value, done } = await this.#source.next();
      if (value.length > 0 && !this.#closed) this.#pieces.push(value);
      if (done) this.#atEnd();
    } catch (thrown) {
      this.#error = { thrown };
      this.#failed = true;
      this.#atEnd();
    }
  }

  #atEnd(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#end.resolve();
  }
}
