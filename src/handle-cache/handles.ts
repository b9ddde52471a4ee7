// Owns what the tenants' room asks of open handles: a use, a lease, a drain, and figures.
// Keeps none: handle-cache.ts does, and where there is nothing to keep open, somebody else.

/** Anything that can be kept open. */
export interface Closable {
  close(): Promise<void>;
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
  /** Handles whose `close()` rejected. Their places are free all the same. */
  readonly failedCloses: number;
  /** Seconds spent opening, in sum. */
  readonly openSeconds: number;
}

/** Which handles are open, as the tenants' room uses them. */
export interface Handles<H extends Closable> {
  /** Whether a handle of that key is open. */
  has(key: string): boolean;
  /** @throws what `open` throws */
  acquire(key: string, open: () => Promise<H>): Promise<Lease<H>>;
  /** Runs `fn` with the handle, leased until `fn` settles. @throws what `open` and `fn` throw */
  use<T>(key: string, open: () => Promise<H>, fn: (handle: H) => Promise<T>): Promise<T>;
  /** Closes the handle once nobody has it. @throws {TenantryError} `TENANT_BUSY` after `timeoutMs` */
  drain(key: string, timeoutMs: number): Promise<void>;
  stats(): HandleCacheStats;
  close(graceMs: number): Promise<void>;
}
