// Owns a database that is replicated for as long as the server runs, whoever writes to it: the catalog, the canary.
// Does not write to it.
import { bringOver } from "./bring-over.ts";
import type { LitestreamPool } from "./litestream-pool.ts";
import { SharedSync } from "./shared-sync.ts";
import { within } from "./time-limits.ts";

/** Milliseconds until a database that could not be registered is tried again. */
const RETRY_MS = 1_000;

/** A database that is always replicated. */
export class SteadyDatabase {
  readonly path: string;
  readonly #url: string;
  readonly #pool: LitestreamPool;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #syncs = new SharedSync();
  readonly #registered = Promise.withResolvers<void>();
  #isRegistered = false;
  #closed = false;

  constructor(pool: LitestreamPool, path: string, url: string) {
    this.#pool = pool;
    this.path = path;
    this.#url = url;
  }

  /** Has it replicated from now on; a failure is tried again until it works. */
  start(): void {
    this.#pool.register(this.path, this.#url).then(
      () => {
        this.#isRegistered = true;
        this.#registered.resolve();
      },
      () => {
        if (this.#closed) return;
        this.#timer = setTimeout(() => this.start(), RETRY_MS);
        this.#timer.unref();
      },
    );
  }

  /** Brings what is committed now into the replica; callers share it. @throws where that did not work in time */
  async sync(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    // At the beginning Litestream takes a moment.
    if (!this.#isRegistered) await within(timeoutMs, this.#registered.promise);
    const leftMs = Math.max(1, deadline - performance.now());
    await within(
      leftMs,
      this.#syncs.run(this.path, () => bringOver(this.#pool, this.path, leftMs)),
    );
  }

  /** Ends it, with what is committed in the replica if that can be done in `timeoutMs`. */
  async close(timeoutMs: number): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    if (this.#isRegistered) await this.sync(timeoutMs).catch(() => undefined);
    await this.#pool.unregister(this.path, timeoutMs).catch(() => undefined);
  }
}
