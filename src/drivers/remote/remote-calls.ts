// Owns what is tried again of what was asked of a remote database, and how long after.
// Does not talk to it.
import { DelegateBackoff, handleWhen, type IRetryBackoffContext, type RetryPolicy, retry } from "cockatiel";
import { RemoteFault } from "./remote-fault.ts";

export const DEFAULT_MAX_RETRIES = 2;

/** The first wait, in milliseconds; each later one is up to twice as long. */
const FIRST_WAIT_MS = 50;

/** Whoever asks to be left alone for longer is not asked again for the same request. */
const MAX_WAIT_MS = 2_000;

/**
 * Calls of a remote database. A call that reads is tried again after every passing fault; one that may have
 * written only where the fault says that nothing was done: never where its outcome is unknown.
 */
export class RemoteCalls {
  readonly #reads: RetryPolicy;
  readonly #writes: RetryPolicy;

  /** @param maxRetries of one call, 0 for none */
  constructor(maxRetries = DEFAULT_MAX_RETRIES) {
    const policy = (handles: (fault: RemoteFault) => boolean): RetryPolicy =>
      retry(
        handleWhen((error) => error instanceof RemoteFault && passes(error) && handles(error)),
        { maxAttempts: maxRetries, backoff: new DelegateBackoff(waitMs) },
      );
    this.#reads = policy(() => true);
    this.#writes = policy(({ mayHaveRun }) => !mayHaveRun);
  }

  /** @throws {RemoteFault} the last one */
  run<T>(writes: boolean, call: () => Promise<T>): Promise<T> {
    return (writes ? this.#writes : this.#reads).execute(call);
  }
}

/** Whether waiting for a moment may help. */
function passes({ kind, retryAfterSeconds = 0 }: RemoteFault): boolean {
  return (kind === "unreachable" || kind === "throttled") && retryAfterSeconds * 1000 <= MAX_WAIT_MS;
}

function waitMs({ attempt, result }: IRetryBackoffContext<unknown>): number {
  const fault = "error" in result ? result.error : undefined;
  const asked = fault instanceof RemoteFault ? (fault.retryAfterSeconds ?? 0) * 1000 : 0;
  // Jitter, so that those who failed together do not come back together.
  const wait = FIRST_WAIT_MS * 2 ** (attempt - 1) * (0.5 + Math.random() / 2);
  return Math.max(asked, wait);
}
