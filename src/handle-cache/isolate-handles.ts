// Owns which handles are open in a Worker's isolate, where a handle is a name and needs no closing.
// Shares no promise between requests: one that its request gave up would keep the others waiting for ever.
import type { Closable, HandleCacheStats, Handles, Lease } from "./handles.ts";
import { RecentMap } from "../recent-map.ts";

/** Handles that an isolate remembers; each takes about a kilobyte. */
export const DEFAULT_MAX_ISOLATE_HANDLES = 10_000;

/** Remembers handles. Leasing one is nothing more than having it. */
export class IsolateHandles<H extends Closable> implements Handles<H> {
  readonly #handles: RecentMap<string, H & {}>;
  readonly #maxOpen: number;
  #hits = 0;
  #opens = 0;
  #failedOpens = 0;

  constructor({ maxOpen = DEFAULT_MAX_ISOLATE_HANDLES }: { readonly maxOpen?: number } = {}) {
    this.#maxOpen = maxOpen;
    // Closing one does nothing but let go of what is remembered of it.
    this.#handles = new RecentMap({ maxEntries: maxOpen, onDrop: (handle) => void handle.close() });
  }

  has(key: string): boolean {
    return this.#handles.has(key);
  }

  async acquire(key: string, open: () => Promise<H>): Promise<Lease<H>> {
    const handle = this.#handles.get(key) ?? (await this.#open(key, open));
    return { handle, release: () => {}, [Symbol.dispose]: () => {} };
  }

  use<T>(key: string, open: () => Promise<H>, fn: (handle: H) => Promise<T>): Promise<T> {
    const handle = this.#handles.get(key);
    if (handle === undefined) return this.#open(key, open).then(fn);
    this.#hits++;
    return fn(handle);
  }

  /** Forgets the handle. Other isolates find out by the database's own refusal of it. */
  async drain(key: string): Promise<void> {
    this.#handles.delete(key);
  }

  stats(): HandleCacheStats {
    return {
      open: this.#handles.size,
      leased: 0,
      waiting: 0,
      maxOpen: this.#maxOpen,
      hits: this.#hits,
      opens: this.#opens,
      failedOpens: this.#failedOpens,
      evictions: 0,
      idleCloses: 0,
      exhausted: 0,
      failedCloses: 0,
      openSeconds: 0,
    };
  }

  async close(): Promise<void> {
    this.#handles.clear();
  }

  async #open(key: string, open: () => Promise<H>): Promise<H> {
    try {
      const handle = await open();
      this.#opens++;
      this.#handles.set(key, handle);
      return handle;
    } catch (error) {
      this.#failedOpens++;
      throw error;
    }
  }
}
