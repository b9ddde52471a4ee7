// Owns bringing a tenant that Litestream has into the replica: callers share it, and what goes wrong is noted.
// Does not choose who is brought there, nor when.
import { bringOver } from "./bring-over.ts";
import type { HotEntry } from "./hot-tenant.ts";
import type { LitestreamPool } from "./litestream-pool.ts";
import { SharedSync } from "./shared-sync.ts";
import { within } from "./time-limits.ts";

/** Milliseconds until a tenant that could not be brought into the replica is tried again, doubled each time. */
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 30_000;

/** Syncs of tenants. */
export class HotSync {
  readonly #pool: LitestreamPool;
  readonly #syncs = new SharedSync();

  constructor(pool: LitestreamPool) {
    this.#pool = pool;
  }

  /**
   * Brings what is committed into the replica.
   * @returns the number of the last transaction there @throws where it did not work in `timeoutMs`
   */
  sync(entry: HotEntry, timeoutMs: number): Promise<number> {
    // What runs already, and is waited for, has a time limit of its own.
    return within(timeoutMs, this.#syncTogether(entry, timeoutMs));
  }

  /** Notes that something of it went wrong, and when it is tried again. */
  failed(entry: HotEntry, error: unknown): void {
    entry.failures++;
    entry.lastFailure = error instanceof Error ? error.message : String(error);
    entry.retryAt = Date.now() + Math.min(FIRST_RETRY_MS * 2 ** (entry.failures - 1), LAST_RETRY_MS);
  }

  #syncTogether(entry: HotEntry, timeoutMs: number): Promise<number> {
    return this.#syncs.run(entry.path, async () => {
      try {
        const { replicatedTxid, ahead } = await bringOver(this.#pool, entry.path, timeoutMs);
        entry.ahead = ahead;
        entry.confirmed = true;
        entry.failures = 0;
        entry.lastFailure = undefined;
        return replicatedTxid;
      } catch (error) {
        this.failed(entry, error);
        throw error;
      }
    });
  }
}
