// Owns which handles are open: leases, one open at a time for each key, eviction, the budget, idle closing.
// Does not know what a handle does, nor what its key means.
import { LRUCache } from "lru-cache";
import { TenantryError } from "../tenantry-error.ts";

export const DEFAULT_MAX_OPEN = 512;
export const DEFAULT_IDLE_MS = 60_000;
export const DEFAULT_ACQUIRE_TIMEOUT_MS = 5_000;

/** Anything that can be kept open. */
export interface Closable {
  close(): Promise<void>;
}

/** Options of a {@link HandleCache}. */
export interface HandleCacheOptions {
  /** Handles open at once, leased ones included: never more, not for a moment. @default 512 */
  readonly maxOpen?: number;
  /** Milliseconds after which a handle that nobody leased is closed; 0 for never. @default 60000 */
  readonly idleMs?: number;
  /** Milliseconds that a caller waits in line while all handles are leased. @default 5000 */
  readonly acquireTimeoutMs?: number;
}

/** A use of a handle. While it is out, the handle stays open. */
export interface Lease<H> extends Disposable {
  readonly handle: H;
  /** Gives the handle back. Calling it twice does nothing. */
  release(): void;
}

/** Counters since the start, and sizes now. */
export interface HandleCacheStats {
  readonly open: number;
  readonly leased: number;
  readonly waiting: number;
  readonly maxOpen: number;
  readonly hits: number;
  readonly opens: number;
  readonly failedOpens: number;
  readonly evictions: number;
  readonly idleCloses: number;
  readonly exhausted: number;
  /** Seconds spent opening, in sum. */
  readonly openSeconds: number;
}

interface Entry<H> {
  readonly key: string;
  readonly handle: H;
  leases: number;
  idleSince: number;
  /** Set while somebody waits for the last lease, after which the handle is closed. */
  drain: { readonly done: Promise<void>; readonly resolve: () => void } | undefined;
}

/** An open under way, and how many wait for it. */
interface Opening<H> {
  joined: number;
  readonly entry: Promise<Entry<H>>;
}

/** A place among `maxOpen`, as it is handed to one who waits for it. */
type Slot = () => void;

/**
 * Keeps the handles in use, and the last used ones after that. Idle handles live in an LRU and leased ones
 * outside it, so that eviction cannot meet a handle in use.
 */
export class HandleCache<H extends Closable> {
  readonly #maxOpen: number;
  readonly #idleMs: number;
  readonly #acquireTimeoutMs: number;
  readonly #idle: LRUCache<string, Entry<H>>;
  readonly #leased = new Map<string, Entry<H>>();
  readonly #opening = new Map<string, Opening<H>>();
  readonly #waiting = new Set<Slot>();
  readonly #sweep: ReturnType<typeof setInterval> | undefined;
  readonly #counts = {
    hits: 0,
    opens: 0,
    failedOpens: 0,
    evictions: 0,
    idleCloses: 0,
    exhausted: 0,
    openSeconds: 0,
  };
  /** Places taken: by idle, leased, opening and closing handles. */
  #slots = 0;
  #closed = false;

  constructor({
    maxOpen = DEFAULT_MAX_OPEN,
    idleMs = DEFAULT_IDLE_MS,
    acquireTimeoutMs = DEFAULT_ACQUIRE_TIMEOUT_MS,
  }: HandleCacheOptions = {}) {
    this.#maxOpen = maxOpen;
    this.#idleMs = idleMs;
    this.#acquireTimeoutMs = acquireTimeoutMs;
    this.#idle = new LRUCache({ max: maxOpen });
    if (idleMs > 0) {
      this.#sweep = setInterval(() => void this.#closeIdle(), Math.max(10, idleMs / 2));
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
    return this.#leased.has(key) || this.#idle.has(key);
  }

  /** The keys whose handles are open. */
  keys(): string[] {
    return [...this.#leased.keys(), ...this.#idle.keys()];
  }

  /**
   * Closes the handle of `key` once its last lease is back. Who asks for it meanwhile waits, and then opens
   * it anew.
   * @throws {TenantryError} `TENANT_BUSY` after `timeoutMs`; the handle is then as it was
   */
  async drain(key: string, timeoutMs: number): Promise<void> {
    await this.#opening.get(key)?.entry.catch(() => undefined);
    const idle = this.#idle.get(key);
    if (idle) {
      this.#idle.delete(key);
      return this.#close(idle);
    }
    const entry = this.#leased.get(key);
    if (!entry) return;
    entry.drain ??= withResolve();
    const timeout = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const drained = entry.drain;
      entry.drain = undefined;
      drained?.resolve();
      timeout.reject(
        new TenantryError("TENANT_BUSY", `It was still in use after ${timeoutMs} ms.`, {
          hint: "Try again when its requests have ended.",
          retryAfterSeconds: 1,
        }),
      );
    }, timeoutMs);
    try {
      await Promise.race([entry.drain.done, timeout.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Closes what is idle now and the rest as its leases come back, for `graceMs` at most. Idempotent. */
  async close(graceMs = 0): Promise<void> {
    this.#closed = true;
    clearInterval(this.#sweep);
    for (const key of this.#opening.keys()) await this.#opening.get(key)?.entry.catch(() => undefined);
    await Promise.all(this.keys().map((key) => this.drain(key, graceMs).catch(() => this.#abandon(key))));
  }

  stats(): HandleCacheStats {
    return {
      open: this.#idle.size + this.#leased.size,
      leased: this.#leased.size,
      waiting: this.#waiting.size,
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
    const leased = this.#leased.get(key);
    if (leased) {
      if (leased.drain) return undefined;
      leased.leases++;
      this.#counts.hits++;
      return leased;
    }
    const idle = this.#idle.get(key);
    if (!idle) return undefined;
    this.#idle.delete(key);
    this.#leased.set(key, idle);
    idle.leases = 1;
    this.#counts.hits++;
    return idle;
  }

  async #open(key: string, open: () => Promise<H>): Promise<Entry<H>> {
    for (;;) {
      if (this.#closed) throw new TenantryError("CLOSED", "Tenantry is shutting down.");
      const draining = this.#leased.get(key)?.drain;
      if (!draining) break;
      await draining.done;
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
      // In a later microtask than the caller's `#opening.set`, also when a place is free.
      await this.#takeSlot();
      const started = performance.now();
      try {
        const handle = await open();
        this.#counts.opens++;
        this.#counts.openSeconds += (performance.now() - started) / 1000;
        const entry: Entry<H> = { key, handle, leases: joined(), idleSince: 0, drain: undefined };
        this.#leased.set(key, entry);
        return entry;
      } catch (error) {
        this.#counts.failedOpens++;
        this.#freeSlot();
        throw error;
      }
    } finally {
      this.#opening.delete(key);
    }
  }

  #release(entry: Entry<H>): void {
    if (--entry.leases > 0) return;
    this.#leased.delete(entry.key);
    if (entry.drain) {
      void this.#close(entry).finally(entry.drain.resolve);
    } else if (this.#waiting.size > 0 || this.#closed) {
      this.#counts.evictions++;
      void this.#close(entry);
    } else {
      entry.idleSince = performance.now();
      this.#idle.set(entry.key, entry);
    }
  }

  async #takeSlot(): Promise<void> {
    if (this.#slots < this.#maxOpen) {
      this.#slots++;
      return;
    }
    const oldest = this.#waiting.size === 0 ? this.#idle.pop() : undefined;
    if (oldest) {
      this.#counts.evictions++;
      await oldest.handle.close();
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      this.#waiting.delete(slot);
      this.#counts.exhausted++;
      reject(
        new TenantryError("CACHE_EXHAUSTED", `All ${this.#maxOpen} handles are in use.`, {
          hint: "Try again, or raise maxOpen.",
          retryAfterSeconds: 1,
        }),
      );
    }, this.#acquireTimeoutMs);
    const slot: Slot = () => {
      clearTimeout(timer);
      resolve();
    };
    this.#waiting.add(slot);
    return promise;
  }

  #freeSlot(): void {
    const [next] = this.#waiting;
    if (next) {
      this.#waiting.delete(next);
      next();
    } else {
      this.#slots--;
    }
  }

  async #close(entry: Entry<H>): Promise<void> {
    try {
      await entry.handle.close();
    } finally {
      this.#freeSlot();
    }
  }

  async #closeIdle(): Promise<void> {
    const before = performance.now() - this.#idleMs;
    for (const entry of [...this.#idle.rvalues()] as Entry<H>[]) {
      // While one was closing, the next may have been leased, evicted or drained.
      if (this.#idle.peek(entry.key) !== entry) continue;
      if (entry.idleSince > before) return;
      this.#idle.delete(entry.key);
      this.#counts.idleCloses++;
      await this.#close(entry);
    }
  }

  /** Closes a handle whose leases did not come back in time: the process is about to end. */
  async #abandon(key: string): Promise<void> {
    const entry = this.#leased.get(key);
    if (!entry) return;
    this.#leased.delete(key);
    await this.#close(entry);
  }
}

function withResolve(): NonNullable<Entry<Closable>["drain"]> {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { done: promise, resolve };
}
