// Owns one stream of a socket: the requests that wait for their turn on it, its cursor, and that it ends once
// something has gone wrong with it as a whole.
// Does not know which socket it is of.
import { TenantryError } from "../tenantry-error.ts";
import type { EntryReader, HostedStream } from "./hosted-stream.ts";
import { StatementError } from "./hrana-error.ts";

/** A request in line. */
export interface WaitingRequest {
  readonly id: number;
  readonly characters: number;
  /** Its answer as text. */
  readonly answer: () => Promise<string>;
}

/** A stream of a socket. */
export class SocketStream {
  readonly hosted: HostedStream;
  readonly requests: WaitingRequest[] = [];
  /** Whether one of its requests is being answered. */
  busy = false;
  /** Under which number its cursor is open. */
  cursorId: number | undefined;
  #reader: EntryReader | undefined;
  /** Entries that have been read, and not yet fetched. */
  #entries: readonly string[] = [];
  #broken = false;
  #ended = false;

  constructor(hosted: HostedStream) {
    this.hosted = hosted;
  }

  /** @throws {TenantryError} as {@link HostedStream.run} does */
  run(request: object): Promise<string> {
    if (this.#reader) throw new StatementError("CURSOR_EXISTS", "The stream has an open cursor");
    return this.#unlessBroken(() => this.hosted.run(request));
  }

  async openCursor(batch: unknown): Promise<void> {
    const reader = await this.#unlessBroken(() => this.hosted.cursor(batch));
    if (this.#ended) reader.close();
    this.#reader = reader;
  }

  /** The next entries: at most `maxCount`, and about `maxCharacters`. */
  async fetch(
    maxCount: number,
    maxCharacters: number,
  ): Promise<{ readonly entries: readonly string[]; readonly done: boolean }> {
    const reader = this.#reader;
    if (!reader) throw new StatementError("CURSOR_CLOSED", "The cursor could not be opened");
    const entries: string[] = [];
    let characters = 0;
    while (entries.length < maxCount && characters < maxCharacters) {
      if (this.#entries.length === 0) {
        const next = await this.#unlessBroken(() => reader.next());
        if (next === undefined) return { entries, done: true };
        this.#entries = next;
      }
      let count = 0;
      while (
        count < this.#entries.length &&
        entries.length < maxCount &&
        (characters < maxCharacters || entries.length === 0)
      ) {
        const entry = this.#entries[count++]!;
        characters += entry.length;
        entries.push(entry);
      }
      this.#entries = this.#entries.slice(count);
    }
    return { entries, done: false };
  }

  closeCursor(): void {
    this.#reader?.close();
    this.#reader = undefined;
    this.#entries = [];
  }

  /** Rolls back what is not committed, now. */
  end(): void {
    this.#ended = true;
    this.closeCursor();
    this.hosted.close();
  }

  /** What comes after a transaction that was lost must not be done outside of it. */
  async #unlessBroken<T>(call: () => Promise<T>): Promise<T> {
    if (this.#broken) {
      throw new TenantryError("STREAM_EXPIRED", "The stream has ended, with an error that was told before.", {
        hint: "Open a new stream, and begin its transaction again: what was not committed was rolled back.",
      });
    }
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof StatementError)) {
        this.#broken = true;
        this.hosted.close();
      }
      throw error;
    }
  }
}
