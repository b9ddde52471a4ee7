// Owns a database that is replicated for as long as the server runs, whoever writes to it: the catalog, the canary.
// Does not write to it.
import type { LitestreamPool } from "./litestream-pool.ts";

/** Milliseconds until a database that could not be registered is tried again. */
const RETRY_MS = 1_000;

/** A database that is always replicated. */
export class SteadyDatabase {
  readonly path: string;
  readonly #url: string;
  readonly #pool: LitestreamPool;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #registered = false;
  #closed = false;

  constructor(pool: LitestreamPool, path: string, url: string) {
    this.#pool = pool;
    this.path = path;
    this.#url = url;
  }

  /** Has it replicated from now on; a failure is tried again until it works. */
  start(): void {
    this.#pool.register(this.path, this.#url).then(
      () => (this.#registered = true),
      () => {
        if (this.#closed) return;
        this.#timer = setTimeout(() => this.start(), RETRY_MS);
        this.#timer.unref();
      },
    );
  }

  /** Brings what is committed now into the replica. @throws where that did not work */
  async sync(timeoutMs: number): Promise<void> {
    if (!this.#registered) throw new Error("Litestream does not have it yet.");
    const { txid, replicatedTxid } = await this.#pool.sync(this.path, timeoutMs);
    if (replicatedTxid < txid) await this.#pool.sync(this.path, timeoutMs);
  }

  /** Ends it, with what is committed in the replica if that can be done in `timeoutMs`. */
  async close(timeoutMs: number): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    if (this.#registered) await this.sync(timeoutMs).catch(() => undefined);
    await this.#pool.unregister(this.path, timeoutMs).catch(() => undefined);
  }
}
