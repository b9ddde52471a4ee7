// Owns rows of the catalog in memory, and knowing when they may no longer be true.
// Does not know what the rows are.
import { RecentMap } from "../recent-map.ts";

/** What a {@link Freshness} is made with. */
export interface FreshnessOptions {
  /** A number that changes when another connection has committed; about a microsecond. */
  readonly dataVersion?: (() => number) | undefined;
  /** Milliseconds for which a row holds without `dataVersion`. */
  readonly cacheMs: number;
  readonly clock: () => number;
  /** Promises end with their requests, so that none is shared. @default false */
  readonly ioPerRequest?: boolean;
}

/** The end of a row that holds until somebody writes. */
const NEVER = Number.POSITIVE_INFINITY;

/** Milliseconds for which nobody asks again whether others have written. */
const ASK_EVERY_MS = 5;

/** Milliseconds after which a read or write that has not ended is taken for one that was given up. */
const MAX_RUNNING_MS = 60_000;

/**
 * Knows whether somebody else has written since the rows in memory were read. It asks once in five milliseconds
 * at most, and who has written waits as long before he says so: so whoever hears of a change, and then sends a request to
 * another process, is seen to have made it there (decisions/020-rows-in-memory.md).
 */
export class Freshness {
  readonly cacheMs: number;
  readonly clock: () => number;
  readonly ioPerRequest: boolean;
  readonly #dataVersion: (() => number) | undefined;
  readonly #caches: { clear(): void }[] = [];
  #askedAt = Number.NEGATIVE_INFINITY;
  #seen: number | undefined;
  #drops = 0;

  constructor({ dataVersion, cacheMs, clock, ioPerRequest = false }: FreshnessOptions) {
    this.ioPerRequest = ioPerRequest;
    this.#dataVersion = dataVersion;
    this.clock = clock;
    this.cacheMs = cacheMs;
    this.#seen = dataVersion?.();
  }

  /** Whether rows hold for `cacheMs` because nothing tells when they change. */
  get timed(): boolean {
    return this.#dataVersion === undefined;
  }

  /** How often what was in memory has been dropped. */
  get drops(): number {
    return this.#drops;
  }

  /** A number that has grown when another process may have changed the catalog since. */
  get generation(): number {
    if (this.timed) return Math.floor(this.clock() / this.cacheMs);
    this.check();
    return this.#drops;
  }

  /** Has `cache` cleared when its rows may be stale. */
  watch(cache: { clear(): void }): void {
    this.#caches.push(cache);
  }

  /** Drops what is in memory if somebody else has written, and has been told that it is done. */
  check(): void {
    if (this.timed) return;
    const now = performance.now();
    if (now - this.#askedAt < ASK_EVERY_MS) return;
    this.#askedAt = now;
    this.checkNow();
  }

  /** Resolves once nobody else holds what was read before now for true. Nothing where rows are timed. */
  async seenByOthers(): Promise<void> {
    if (this.timed) return;
    const written = performance.now();
    do {
      await new Promise((resolve) => void setTimeout(resolve, ASK_EVERY_MS));
    } while (performance.now() - written < ASK_EVERY_MS);
  }

  /** Drops what is in memory if somebody else has written up to now. Knows nothing where rows are timed. */
  checkNow(): void {
    const version = this.#dataVersion?.();
    if (version === this.#seen) return;
    this.#seen = version;
    this.#drops++;
    for (const cache of this.#caches) cache.clear();
  }
}

/** A reading or writing of a row that runs: what it finds is kept only if nothing else went on meanwhile. */
export interface RowTicket {
  users: number;
  alone: boolean;
  readonly since: number;
}

/** A row, and until when it holds: for ever where others' writes are noticed. */
interface KnownRow<Row> {
  readonly row: Row;
  readonly until: number;
}

/**
 * Rows by key. What a read or write has found is kept unless another one of the same row overlapped with it,
 * or another process wrote meanwhile: then nobody can say which is the newer, and the next reader looks.
 */
export class RowCache<Row extends {}> {
  readonly #freshness: Freshness;
  readonly #rows: RecentMap<string, KnownRow<Row>>;
  readonly #reads = new Map<string, Promise<Row | undefined>>();
  readonly #running = new Map<string, RowTicket>();
  /** Reads of single requests, where none is shared. */
  readonly #apart = new Map<string, Set<{ valid: boolean }>>();

  constructor(freshness: Freshness, maxEntries: number) {
    this.#freshness = freshness;
    this.#rows = new RecentMap({ maxEntries });
    freshness.watch(this);
  }

  get size(): number {
    return this.#rows.size;
  }

  /** The row if it is in memory and holds. */
  peek(key: string): Row | undefined {
    this.#freshness.check();
    const known = this.#rows.get(key);
    if (known === undefined) return undefined;
    return known.until === NEVER || known.until >= this.#freshness.clock() ? known.row : undefined;
  }

  /** The row as {@link peek} has it, where those who change it wait until that is seen: never where rows are timed. */
  peekSeen(key: string): Row | undefined {
    return this.#freshness.timed ? undefined : this.peek(key);
  }

  /** The row if it is in memory, and nobody else has written up to this moment. */
  peekNow(key: string): Row | undefined {
    // While a read or write of it runs, what is in memory may already be the past.
    if (this.#freshness.timed || this.#running.has(key)) return undefined;
    this.#freshness.checkNow();
    return this.#rows.get(key)?.row;
  }

  /** The row from memory, or what `read` gives; concurrent callers share one read. */
  get(key: string, read: (key: string) => Promise<Row | undefined>): Promise<Row | undefined> {
    const row = this.peek(key);
    if (row !== undefined) return Promise.resolve(row);
    const running = this.#reads.get(key);
    if (running) return running;
    if (this.#freshness.ioPerRequest) return this.#readApart(key, read);
    const reading = this.keep(
      key,
      () => read(key),
      (found) => found,
    ).finally(() => {
      if (this.#reads.get(key) === reading) this.#reads.delete(key);
    });
    this.#reads.set(key, reading);
    return reading;
  }

  /**
   * Reads the row for one request. Many do so at once when it has expired, and what each finds is kept unless a
   * write of it overlapped: it is as new as `cacheMs` asks for.
   */
  async #readApart(key: string, read: (key: string) => Promise<Row | undefined>): Promise<Row | undefined> {
    const reader = { valid: !this.#running.has(key) };
    const readers = this.#apart.get(key) ?? new Set();
    this.#apart.set(key, readers.add(reader));
    try {
      const row = await read(key);
      if (row !== undefined && reader.valid) this.#keep(key, row);
      return row;
    } finally {
      readers.delete(reader);
      if (readers.size === 0 && this.#apart.get(key) === readers) this.#apart.delete(key);
    }
  }

  /** Runs `work`, which reads or writes the row, and keeps what `rowOf` says the row is after it. */
  async keep<T>(key: string, work: () => Promise<T>, rowOf: (result: T) => Row | undefined): Promise<T> {
    const ticket = this.begin(key);
    let row: Row | undefined;
    try {
      const result = await work();
      row = rowOf(result);
      return result;
    } finally {
      this.end(key, ticket, row);
    }
  }

  /** Says that a reading or writing of the row begins. */
  begin(key: string): RowTicket {
    this.#outdateApart(key);
    const now = this.#freshness.clock();
    const running = this.#running.get(key);
    if (running && now - running.since < MAX_RUNNING_MS) {
      running.users++;
      running.alone = false;
      return running;
    }
    const ticket = { users: 1, alone: true, since: now };
    this.#running.set(key, ticket);
    return ticket;
  }

  /** Says that it has ended, and what the row is: undefined when it is not there or nobody knows. */
  end(key: string, ticket: RowTicket, row: Row | undefined): void {
    ticket.users--;
    if (ticket.users === 0 && this.#running.get(key) === ticket) this.#running.delete(key);
    // Who asks from now on must not be given what was read before this.
    this.#reads.delete(key);
    if (row !== undefined && ticket.alone) this.#keep(key, row);
    else this.#rows.delete(key);
  }

  /** Changes the row if it is in memory. */
  patch(key: string, change: (row: Row) => Row): void {
    this.#outdate(key);
    const known = this.#rows.peek(key);
    if (known !== undefined) this.#rows.set(key, { ...known, row: change(known.row) });
  }

  delete(key: string): void {
    this.#outdate(key);
    this.#rows.delete(key);
  }

  clear(): void {
    for (const ticket of this.#running.values()) ticket.alone = false;
    this.#running.clear();
    for (const key of this.#apart.keys()) this.#outdateApart(key);
    this.#reads.clear();
    this.#rows.clear();
  }

  #keep(key: string, row: Row): void {
    const { timed, clock, cacheMs } = this.#freshness;
    this.#rows.set(key, { row, until: timed ? clock() + cacheMs : NEVER });
  }

  /** Says that what is being read of the row may be older than what is known of it. */
  #outdateApart(key: string): void {
    const readers = this.#apart.get(key);
    if (readers) for (const reader of readers) reader.valid = false;
  }

  #outdate(key: string): void {
    this.#outdateApart(key);
    const running = this.#running.get(key);
    if (running) running.alone = false;
    this.#reads.delete(key);
  }
}
