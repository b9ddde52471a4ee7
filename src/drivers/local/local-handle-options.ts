// Owns what an open tenant database on this machine is made with.
// Has no defaults: local-driver.ts has.
import type { ConnectionOptions } from "./connection-settings.ts";
import type { SessionPool } from "./session-pool.ts";
import type { TurnQueue } from "./turn-queue.ts";
import type { WriteWatch } from "./write-watch.ts";

/** What a `LocalHandle` is made with. */
export interface LocalHandleOptions extends ConnectionOptions {
  /** Milliseconds that a statement waits for another writer, of this process or another. */
  readonly busyTimeoutMs: number;
  /** Milliseconds that an interactive transaction may take. */
  readonly transactionTimeoutMs: number;
  /** Connections that a database may have besides the shared one. */
  readonly maxSessions: number;
  /** Is asked before and after every write. */
  readonly writes?: WriteWatch;
}

/** What all handles of a driver share. */
export interface LocalHandleParts {
  readonly turns: TurnQueue;
  readonly pool: SessionPool;
}
