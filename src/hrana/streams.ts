// Owns which streams are open between requests: who may go on with which, how many there are, and when one that
// nobody uses ends. Does not know what a stream does.
import { TenantryError } from "../tenantry-error.ts";
import { Batons } from "./baton.ts";
import type { BatchCursor } from "./batch-cursor.ts";
import { malformed } from "./malformed.ts";
import { Stream } from "./stream.ts";

/** Milliseconds that a stream stays open after its last request. */
export const DEFAULT_STREAM_IDLE_MS = 10_000;
/** Streams of one tenant that may be open between requests. */
export const DEFAULT_MAX_STREAMS = 1_024;

/** What {@link Streams} is made with. */
export interface StreamsOptions {
  /** Signs batons: see {@link Batons}. */
  readonly key: string;
  /** @default 10000 */
  readonly idleMs?: number;
  /** @default 1024 */
  readonly maxStreams?: number;
}

/** A request's stream, and what its client goes on with. */
export interface StreamUse<T> {
  readonly result: T;
  /** Null where the stream has been closed. */
  readonly baton: string | null;
}

interface Entry {
  readonly stream: Stream;
  readonly id: string;
  readonly owner: string;
  sequence: number;
  /** Undefined while a request uses it. */
  idleSince: number | undefined;
  /** What its last request left running. */
  cursor: BatchCursor | undefined;
}

const MAX_SEQUENCE = 2 ** 32;

/** Keeps streams between requests. */
export class Streams {
  readonly #batons: Batons;
  readonly #idleMs: number;
  readonly #maxStreams: number;
  /** Those that are not in use are in the order in which they were used last; so are each owner's own. */
  readonly #open = new Map<string, Entry>();
  readonly #owned = new Map<string, Set<Entry>>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor({ key, idleMs = DEFAULT_STREAM_IDLE_MS, maxStreams = DEFAULT_MAX_STREAMS }: StreamsOptions) {
    this.#batons = new Batons(key);
    this.#idleMs = idleMs;
    this.#maxStreams = maxStreams;
  }

  /** Streams that are open, but for those that close with the request that opens them. */
  get size(): number {
    return this.#open.size;
  }

  /**
   * Runs `fn` with the stream that `baton` stands for, or with a new one. What `fn` throws ends the stream.
   * @param owner whose stream it is: the incarnation of a tenant
   * @param closes whether `fn` closes the stream at its end, so that there need be no room for it
   * @throws {TenantryError} `STREAM_EXPIRED`, `INVALID_ARGUMENT` for a baton that is none or was used before,
   * `TOO_MANY_REQUESTS`, and what `fn` throws
   */
  async use<T>(
    owner: string,
    baton: string | null,
    closes: boolean,
    fn: (stream: Stream) => Promise<T>,
  ): Promise<StreamUse<T>> {
    const entry = baton === null ? this.#create(owner, closes) : await this.#find(owner, baton);
    try {
      const result = await fn(entry.stream);
      if (entry.stream.closed) {
        this.#forget(entry);
        return { result, baton: null };
      }
      const next = await this.#nextBaton(entry, entry.stream.open);
      this.#keep(entry);
      return { result, baton: next };
    } catch (error) {
      await this.#end(entry);
      throw error;
    }
  }

  /**
   * Opens a cursor on the stream that `baton` stands for, or on a new one. Who goes on with the stream before the
   * cursor is at its end has the rest of it read into memory.
   * @throws {TenantryError} as {@link use} does
   */
  async cursor(
    owner: string,
    baton: string | null,
    open: (stream: Stream) => BatchCursor,
  ): Promise<StreamUse<{ readonly cursor: BatchCursor; readonly first: readonly string[] }>> {
    const entry = baton === null ? this.#create(owner, false) : await this.#find(owner, baton);
    try {
      const cursor = open(entry.stream);
      const first = (await cursor.next()) ?? [];
      // What is still under way may be a transaction.
      const next = await this.#nextBaton(entry, !cursor.done || entry.stream.open);
      if (cursor.done) {
        this.#keep(entry);
      } else {
        entry.cursor = cursor;
        void cursor.ended.then(() => {
          if (entry.cursor !== cursor) return;
          entry.cursor = undefined;
          if (cursor.failed) void this.#end(entry);
          else this.#keep(entry);
        });
      }
      return { result: { cursor, first }, baton: next };
    } catch (error) {
      await this.#end(entry);
      throw error;
    }
  }

  #nextBaton(entry: Entry, open: boolean): Promise<string> {
    entry.sequence = (entry.sequence + 1) % MAX_SEQUENCE;
    return this.#batons.sign({ streamId: entry.id, sequence: entry.sequence, open }, entry.owner);
  }

  async #end(entry: Entry): Promise<void> {
    this.#forget(entry);
    await entry.stream.close();
  }

  #create(owner: string, closes: boolean): Entry {
    if (!closes) this.#makeRoom(owner);
    const entry: Entry = {
      stream: new Stream(),
      // A random one takes a tenth of a short request.
      id: closes ? "" : this.#batons.newStreamId(),
      owner,
      sequence: 0,
      idleSince: undefined,
      cursor: undefined,
    };
    if (!closes) this.#add(entry);
    return entry;
  }

  /** Many clients leave a stream behind with each request: the oldest that has no transaction gives way. */
  #makeRoom(owner: string): void {
    const owned = this.#owned.get(owner);
    if (!owned || owned.size < this.#maxStreams) return;
    for (const entry of owned) {
      if (entry.idleSince === undefined || entry.stream.open) continue;
      void this.#end(entry);
      return;
    }
    throw new TenantryError(
      "TOO_MANY_REQUESTS",
      `${this.#maxStreams} streams of this tenant are in use, or in a transaction.`,
      { hint: "Close streams when they are done with.", retryAfterSeconds: 1 },
    );
  }

  async #find(owner: string, baton: string): Promise<Entry> {
    const said = await this.#batons.read(baton, owner);
    if (!said) throw malformed("Received an invalid baton.");
    const entry = this.#open.get(said.streamId);
    if (!entry) throw expired();
    const { cursor } = entry;
    if ((entry.idleSince === undefined && !cursor) || entry.sequence !== said.sequence) {
      throw malformed("Received a baton that has already been used.");
    }
    entry.idleSince = undefined;
    entry.cursor = undefined;
    if (!cursor) return entry;
    await cursor.finish();
    if (!cursor.failed) return entry;
    await this.#end(entry);
    throw expired();
  }

  #keep(entry: Entry): void {
    this.#forget(entry);
    entry.idleSince = performance.now();
    this.#add(entry);
    if (this.#timer === undefined) this.#sweepIn(this.#idleMs);
  }

  /** Behind the others. */
  #add(entry: Entry): void {
    this.#open.set(entry.id, entry);
    const owned = this.#owned.get(entry.owner);
    if (owned) owned.add(entry);
    else this.#owned.set(entry.owner, new Set([entry]));
  }

  #forget(entry: Entry): void {
    if (!this.#open.delete(entry.id)) return;
    const owned = this.#owned.get(entry.owner);
    owned?.delete(entry);
    if (owned?.size === 0) this.#owned.delete(entry.owner);
  }

  #sweepIn(ms: number): void {
    this.#timer = setTimeout(this.#sweep, ms);
    // A process that has nothing else to do need not wait for it.
    if (typeof this.#timer === "object") this.#timer.unref();
  }

  readonly #sweep = (): void => {
    this.#timer = undefined;
    const now = performance.now();
    for (const entry of this.#open.values()) {
      if (entry.idleSince === undefined) continue;
      const left = entry.idleSince + this.#idleMs - now;
      if (left > 0) {
        this.#sweepIn(left);
        return;
      }
      this.#forget(entry);
      void entry.stream.close();
    }
  };
}

function expired(): TenantryError {
  return new TenantryError("STREAM_EXPIRED", "The stream has expired due to inactivity.", {
    hint: "Open a new stream, and begin its transaction again: what was not committed was rolled back.",
  });
}
