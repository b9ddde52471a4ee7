// Owns waiting for a file that another process has locked, without stopping the event loop.
// Does not know what is to be done then.
import { fromSqlite } from "./sqlite-error.ts";

/** A busy file is asked again after this long at first, and at most this much later in the end, in ms. */
const FIRST_RETRY_MS = 1;
const LAST_RETRY_MS = 50;

/** Marks an attempt that met a lock. */
export class Busy {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

/** Tries again and again. @throws what `attempt` throws; `DATABASE_BUSY` after `timeoutMs` */
export async function untilFree<T>(attempt: () => T | Busy, timeoutMs: number): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(waitMs * 2, LAST_RETRY_MS)) {
    const { promise, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, waitMs);
    await promise;
    const result = attempt();
    if (!(result instanceof Busy)) return result;
    if (performance.now() >= deadline) throw fromSqlite(result.error);
  }
}
