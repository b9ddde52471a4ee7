// Owns starting the replication of a folder that is served, and trying again where it cannot begin yet.
// Replicates nothing itself.
import { setTimeout as after } from "node:timers/promises";
import { isTenantryError } from "../tenantry-error.ts";
import type { Tenantry } from "../tenantry.ts";
import type { Screen } from "./screen.ts";
import { type LogLevel, serverLog } from "./server-log.ts";

/** Milliseconds between two tries. */
const RETRY_MS = 10_000;
/** Milliseconds after which it is said what is waited for. */
const PATIENCE_MS = 2_000;

/**
 * Begins to replicate. Without Litestream, or where the replica cannot be reached, the tenants are served all the
 * same: everybody is told that nothing is backed up, and it is tried again until it works.
 * @param signal ends the trying @throws {TenantryError} `REPLICA_TAKEN`, `INVALID_OPTION`, …
 */
export async function startBackups(
  screen: Screen,
  tenantry: Tenantry,
  logLevel: LogLevel,
  signal: AbortSignal,
): Promise<void> {
  const onEvent = serverLog(logLevel);
  const start = async (): Promise<void> => {
    const { replica, binary } = await tenantry.backups({ onEvent });
    screen.note(`Backups go to ${replica.shown}, by Litestream ${binary.version}.`);
  };
  const off = (error: unknown): void => {
    screen.note(`Backups are OFF: ${error instanceof Error ? error.message : String(error)}`);
    if (isTenantryError(error) && error.hint !== undefined) screen.note(error.hint);
  };
  const waiting = setTimeout(
    () => screen.note("Waiting for the replica: that no other server has it takes half a minute to know."),
    PATIENCE_MS,
  );
  try {
    await start();
  } catch (error) {
    if (!isTenantryError(error, "BACKUPS_UNAVAILABLE")) throw error;
    off(error);
    void retry(start, signal).catch(off);
  } finally {
    clearTimeout(waiting);
  }
}

/** Until it works, or something else is wrong. */
async function retry(start: () => Promise<void>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await after(RETRY_MS, undefined, { signal, ref: false }).catch(() => undefined);
    if (signal.aborted) return;
    try {
      return await start();
    } catch (error) {
      if (!isTenantryError(error, "BACKUPS_UNAVAILABLE")) throw error;
    }
  }
}
