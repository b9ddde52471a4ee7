// Owns having Litestream bring what is committed in a database into its replica, and knowing that it is there.
// Does not register the database, nor note what goes wrong.
import type { LitestreamPool } from "./litestream-pool.ts";

/** How a database and its replica stood. */
export interface BroughtOver {
  /** The last transaction in the replica. */
  readonly replicatedTxid: number;
  /** Whether the replica had transactions that the database has not: somebody else writes there. */
  readonly ahead: boolean;
}

/** Fulfils when what was committed in the database at `path` is in its replica. @throws where it is not in time */
export async function bringOver(pool: LitestreamPool, path: string, timeoutMs: number): Promise<BroughtOver> {
  const deadline = performance.now() + timeoutMs;
  const first = await pool.sync(path, timeoutMs);
  let { replicatedTxid } = first;
  // Others may have written while it was under way: what was there when it began is enough.
  while (replicatedTxid < first.txid) {
    const leftMs = deadline - performance.now();
    if (leftMs <= 0) throw new Error("The replica did not catch up in time.");
    ({ replicatedTxid } = await pool.sync(path, leftMs));
  }
  return { replicatedTxid, ahead: first.replicatedTxid > first.txid };
}
