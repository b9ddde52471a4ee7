// Owns which handles are open: leases, one open at a time for each key, eviction, the budget, idle closing.
// Does not know what a handle does, nor what its key means.
import { afterThisTurn } from "../event-loop-turn.ts";
import { FifoLock, MAX_TIMER_MS, type Release } from "../fifo-lock.ts";
import { isTenantryError } from "../tenantry-error.ts";
import { exhausted, shuttingDown, stillInUse } from "./handle-errors.ts";
import type { Closable, HandleCacheStats, Handles, Lease } from "./handles.ts";
import { IdleList, type IdleNode } from "./idle-list.ts";
import { OpenTurns } from "./open-turns.ts";

export const DEFAULT_MAX_OPEN = 512;
export const DEFAULT_IDLE_MS = 60_000;
export const DEFAULT_ACQUIRE_TIMEOUT_MS = 5_000;

/** Of the places, one in so many is kept free, so that who opens a handle need not wait for another's close. */
const PLACES_FOR_ONE_FREE = 16;
const MAX_FREE_PLACES = 8;

/** Options of a {@link HandleCache}. */
export interface HandleCacheOptions {
  /** Handles open at once, leased ones included: never more, not for a moment. @default 512 */
  readonly maxOpen?: number;
  /** Milliseconds after which a handle that nobody leased is closed; 0 for never. @default 60000 */
  readonly idleMs?: number;
  /** Milliseconds that a caller waits in line while all handles are leased. @default 5000 */
  readonly acquireTimeoutMs?: number;
}

interface Entry<H> extends IdleNode<Entry<H>> {
  readonly key: string;
  readonly handle: H;
  /** Frees its place among `maxOpen`. */
  readonly leave: Release;
  leases: number;
  idleSince: number;
  /** Set while somebody waits for the last lease, after which the handle is closed. */
  drain: Drain | undefined;
}

/** A wait for the last lease of a handle. It ends with the handle closed, or when all who ask have given up. */
interface Drain {
  readonly ended: Promise<void>;
  readonly end: () => void;
  readonly fail: (error: unknown) => void;
  askers: number;
}

/** An open under way, and how many wait for it. */
interface Opening<H> {
  joined: number;
  readonly entry: Promise<Entry<H>>;
}

/**
 * Keeps the handles in use, and the last used ones after that. Idle handles stand in a line and leased
 * ones outside it, so that eviction, which takes from the line, cannot meet a handle in use.
 */
export class HandleCache<H extends Closable> implements Handles<H> {
  /** The places among `maxOpen`: taken by idle, leased, opening and closing handles. */
  readonly #places: FifoLock;
  readonly #maxOpen: number;
  /** Places that are free when nobody opens anything, as far as handles are idle. */
  readonly #spare: number;
  readonly #idleMs: number;
  /** Every open handle, idle or leased. */
  readonly #entries = new Map<string, Entry<H>>();
  readonly #idle = new IdleList<Entry<H>>();
  readonly #opening = new Map<string, Opening<H>>();
  readonly #turns = new OpenTurns();
  /** What is being closed, so that no key has two handles at once. */
  readonly #closing = new Map<string, Promise<void>>();
  readonly #sweep: ReturnType<typeof setInterval> | undefined;
  readonly #counts = {
    hits: 0,
    opens: 0,
    failedOpens: 0,
    evictions: 0,
    idleCloses: 0,
    exhausted: 0,
    failedCloses: 0,
    openSeconds: 0,
  };
  #closed = false;
  #sweeping = false;
  #clearing = false;
  #shutdown: Promise<void> | undefined;

  constructor({
    maxOpen = DEFAULT_MAX_OPEN,
    idleMs = DEFAULT_IDLE_MS,
    acquireTimeoutMs = DEFAULT_ACQUIRE_TIMEOUT_MS,
  }: HandleCacheOptions = {}) {
    this.#maxOpen = maxOpen;
    this.#spare = Math.min(MAX_FREE_PLACES, Math.floor(maxOpen / PLACES_FOR_ONE_FREE));
    this.#idleMs = idleMs;
    this.#places = new FifoLock({
      permits: maxOpen,
      timeoutMs: acquireTimeoutMs,
      onTimeout: () => {
        this.#counts.exhausted++;
        return exhausted(maxOpen);
      },
    });
    if (idleMs > 0) {
      this.#sweep = setInterval(
        () => void this.#closeIdle(),
        Math.min(Math.max(10, idleMs / 2), MAX_TIMER_MS),
      );
      // On Workers a timer is a number, and keeps nothing alive.
      if (typeof this.#sweep === "object") this.#sweep.unref();
    }
  }

  /**
   * Runs `fn` with the handle of `key`, opened by `open` if it is not. Starts at once, in this turn, when
   * the handle is open.
   * @throws {TenantryError} `CACHE_EXHAUSTED`, `CLOSED`, and what `open` and `fn` throw
   */
  use<T>(key: string, open: () => Promise<H>, fn: (handle: H) => Promise<T>): Promise<T> {
    const entry = this.#take(key);
    return entry ? this.#run(entry, fn) : this.#open(key, open).then((opened) => this.#run(opened, fn));
  }

  /** A lease that outlives one call. Release it, or the handle stays open for ever. */
  async acquire(key: string, open: () => Promise<H>): Promise<Lease<H>> {
    const entry = this.#take(key) ?? (await this.#open(key, open));
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      this.#release(entry);
    };
    return { handle: entry.handle, release, [Symbol.dispose]: release };
  }

  /** Whether a handle of `key` is open, idle or leased. */
  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /** The keys whose handles are open. */
  keys(): string[] {
    return [...this.#entries.keys()];
  }

  /**
   * Closes the handle of `key` once its last lease is back. Who asks for it meanwhile waits, and then opens
   * it anew.
   * @throws {TenantryError} `TENANT_BUSY` after `timeoutMs`: the handle is then as it was, unless somebody
   * else waits for the same; and what the handle's `close()` throws
   */
  async drain(key: string, timeoutMs: number): Promise<void> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(stillInUse(timeoutMs)), Math.min(timeoutMs, MAX_TIMER_MS));
    try {
      for (let opening = this.#opening.get(key); opening; opening = this.#opening.get(key)) {
        await Promise.race([opening.entry.catch(() => undefined), late]);
      }
      const entry = this.#entries.get(key);
      if (entry && entry.leases > 0) {
        await this.#drainLeased(entry, late);
      } else {
        if (entry) this.#idle.remove(entry);
        await Promise.race([entry ? this.#close(entry) : this.#closing.get(key), late]);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Closes what is idle now and the rest as its leases come back, for `graceMs` at most; then what is still in
   * use as well. Who waits in line is refused. Idempotent.
   * @throws what a handle's `close()` throws, once all are closed
   */
  close(graceMs = 0): Promise<void> {
    this.#closed = true;
    return (this.#shutdown ??= this.#closeAll(graceMs));
  }

  stats(): HandleCacheStats {
    return {
      open: this.#entries.size,
      leased: this.#entries.size - this.#idle.size,
      waiting: this.#places.waiting,
      maxOpen: this.#maxOpen,
      ...this.#counts,
    };
  }

  async #run<T>(entry: Entry<H>, fn: (handle: H) => Promise<T>): Promise<T> {
    try {
      return await fn(entry.handle);
    } finally {
      this.#release(entry);
    }
  }

  /** A lease on an open handle, or undefined. */
  #take(key: string): Entry<H> | undefined {
    if (this.#closed) return undefined;
    const entry = this.#entries.get(key);
    if (!entry || entry.drain) return undefined;
    if (entry.leases++ === 0) this.#idle.remove(entry);
    this.#counts.hits++;
    return entry;
  }

  async #open(key: string, open: () => Promise<H>): Promise<Entry<H>> {
    for (;;) {
      if (this.#closed) throw shuttingDown();
      const leaving = this.#entries.get(key)?.drain?.ended ?? this.#closing.get(key);
      if (!leaving) break;
      // Whoever closes it hears of a failure.
      await leaving.catch(() => undefined);
      const entry = this.#take(key);
      if (entry) return entry;
    }
    const under = this.#opening.get(key);
    if (under) {
      under.joined++;
      return under.entry;
    }
    const opening: Opening<H> = { joined: 1, entry: this.#openEntry(key, open, () => opening.joined) };
    this.#opening.set(key, opening);
    return opening.entry;
  }

  async #openEntry(key: string, open: () => Promise<H>, joined: () => number): Promise<Entry<H>> {
    try {
      await this.#turns.next();
      // In a later microtask than the caller's `#opening.set`, also when a place is free.
      const leave = await this.#takePlace();
      const started = performance.now();
      try {
        const handle = await open();
        this.#counts.opens++;
        this.#counts.openSeconds += (performance.now() - started) / 1000;
        const entry: Entry<H> = {
          key,
          handle,
          leave,
          leases: joined(),
          idleSince: 0,
          drain: undefined,
          older: undefined,
          newer: undefined,
        };
        this.#entries.set(key, entry);
        return entry;
      } catch (error) {
        this.#counts.failedOpens++;
        leave();
        throw error;
      }
    } finally {
      this.#opening.delete(key);
    }
  }

  #release(entry: Entry<H>): void {
    // At the end of a shutdown a handle is closed while it is in use.
    if (--entry.leases > 0 || this.#entries.get(entry.key) !== entry) return;
    if (entry.drain) {
      this.#close(entry).then(entry.drain.end, entry.drain.fail);
    } else if (this.#wanted) {
      this.#evict(entry);
    } else {
      entry.idleSince = performance.now();
      this.#idle.add(entry);
      this.#clearSoon();
    }
  }

  /** Whether somebody waits for a place that no handle under way to its end will free. */
  get #wanted(): boolean {
    return this.#places.waiting > this.#closing.size;
  }

  #takePlace(): Promise<Release> {
    const place = this.#places.acquire();
    const { oldest } = this.#idle;
    if (oldest && this.#wanted) {
      this.#idle.remove(oldest);
      this.#evict(oldest);
    }
    return place;
  }

  /** Whether fewer places are free than there should be. */
  get #crowded(): boolean {
    return this.#entries.size + this.#opening.size > this.#maxOpen - this.#spare;
  }

  /** Makes room for those to come, one handle in each turn of the event loop, after what it has to answer. */
  #clearSoon(): void {
    if (this.#clearing || !this.#crowded) return;
    this.#clearing = true;
    afterThisTurn(() => {
      this.#clearing = false;
      const { oldest } = this.#idle;
      if (!oldest || this.#closed || !this.#crowded) return;
      this.#idle.remove(oldest);
      this.#evict(oldest);
      this.#clearSoon();
    });
  }

  #evict(entry: Entry<H>): void {
    this.#counts.evictions++;
    this.#closeUnasked(entry);
  }

  /** Closes a handle that is not in the line of the idle ones, or no longer. */
  #close(entry: Entry<H>): Promise<void> {
    this.#entries.delete(entry.key);
    const closing = this.#closeHandle(entry);
    this.#closing.set(entry.key, closing);
    return closing;
  }

  /** Closes a handle for which nobody waits who could be told of a failure: it is counted. */
  #closeUnasked(entry: Entry<H>): void {
    this.#close(entry).catch(() => undefined);
  }

  async #closeHandle(entry: Entry<H>): Promise<void> {
    try {
      await entry.handle.close();
    } catch (error) {
      this.#counts.failedCloses++;
      throw error;
    } finally {
      this.#closing.delete(entry.key);
      entry.leave();
    }
  }

  async #drainLeased(entry: Entry<H>, late: Promise<never>): Promise<void> {
    const drain = (entry.drain ??= newDrain());
    drain.askers++;
    try {
      await Promise.race([drain.ended, late]);
    } finally {
      if (--drain.askers === 0) {
        entry.drain = undefined;
        drain.end();
      }
    }
  }

  async #closeIdle(): Promise<void> {
    if (this.#sweeping) return;
    this.#sweeping = true;
    const before = performance.now() - this.#idleMs;
    for (let { oldest } = this.#idle; oldest && oldest.idleSince <= before; oldest = this.#idle.oldest) {
      this.#idle.remove(oldest);
      this.#counts.idleCloses++;
      this.#closeUnasked(oldest);
      // Closing a database may write its log back: requests come between two of them.
      await new Promise((resolve) => void setTimeout(resolve, 0));
    }
    this.#sweeping = false;
  }

  async #closeAll(graceMs: number): Promise<void> {
    clearInterval(this.#sweep);
    this.#places.refuseAll(shuttingDown());
    const keys = new Set([...this.#opening.keys(), ...this.#closing.keys(), ...this.keys()]);
    const closed = await Promise.allSettled(Array.from(keys, (key) => this.#closeKey(key, graceMs)));
    const failed = closed.find((one) => one.status === "rejected");
    if (failed) throw failed.reason;
  }

  async #closeKey(key: string, graceMs: number): Promise<void> {
    try {
      await this.drain(key, graceMs);
    } catch (error) {
      if (!isTenantryError(error, "TENANT_BUSY")) throw error;
      // Its leases did not come back in time, and the process is about to end.
      await this.#opening.get(key)?.entry.catch(() => undefined);
      const entry = this.#entries.get(key);
      await (entry ? this.#close(entry) : this.#closing.get(key));
    }
  }
}

function newDrain(): Drain {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  return { ended: promise, end: resolve, fail: reject, askers: 0 };
}
