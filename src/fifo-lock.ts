// Owns waiting in line: a fixed number of permits, handed out first come, first served, with a time limit.
// Does not know what the permits are for.
import type { TenantryError } from "./tenantry-error.ts";

/** Gives a permit back. Calling it twice does nothing. */
export type Release = () => void;

/** The longest that a timer can wait, in milliseconds: one that is set for longer fires at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

interface Waiter {
  readonly grant: () => void;
  readonly refuse: (error: TenantryError) => void;
}

/** Options of a {@link FifoLock}. */
export interface FifoLockOptions {
  /** How many may hold a permit at once. @default 1 */
  readonly permits?: number;
  /** Milliseconds that a caller waits. */
  readonly timeoutMs: number;
  /** What the caller is told when the time is up. */
  readonly onTimeout: () => TenantryError;
}

/**
 * A lock for callers of one event loop. SQLite's own locks cannot be waited for here: the wait would stop
 * the loop on which the holder's COMMIT arrives.
 */
export class FifoLock {
  #free: number;
  readonly #timeoutMs: number;
  readonly #onTimeout: () => TenantryError;
  readonly #waiting = new Set<Waiter>();

  constructor({ permits = 1, timeoutMs, onTimeout }: FifoLockOptions) {
    this.#free = permits;
    this.#timeoutMs = timeoutMs;
    this.#onTimeout = onTimeout;
  }

  /** Whether a permit could be had at once. */
  get available(): boolean {
    return this.#free > 0;
  }

  /** Callers in line. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** A permit now, or undefined: never ahead of somebody in line. */
  tryAcquire(): Release | undefined {
    if (this.#free === 0) return undefined;
    this.#free--;
    return this.#releaseOnce();
  }

  /** A permit, in turn. @throws what `onTimeout` makes */
  acquire(timeoutMs = this.#timeoutMs): Promise<Release> {
    const now = this.tryAcquire();
    if (now) return Promise.resolve(now);
    return new Promise<Release>((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(waiter);
      };
      const waiter: Waiter = {
        grant: () => {
          leave();
          resolve(this.#releaseOnce());
        },
        refuse: (error) => {
          leave();
          reject(error);
        },
      };
      const timer = setTimeout(() => waiter.refuse(this.#onTimeout()), Math.min(timeoutMs, MAX_TIMER_MS));
      this.#waiting.add(waiter);
    });
  }

  /** Refuses all who are in line. */
  refuseAll(error: TenantryError): void {
    for (const waiter of this.#waiting) waiter.refuse(error);
  }

  /** Runs `fn` with a permit. */
  async run<T>(fn: () => T | Promise<T>): Promise<T> {
    const release = await this.acquire();
    try {
      return await fn();
    } finally {
      release();
    }
  }

  #releaseOnce(): Release {
    let released = false;
    return () => {
      if (released) return;
      released = true;
      const [next] = this.#waiting;
      if (next) {
        // The permit passes from hand to hand, so that nobody who comes between can take it.
        next.grant();
      } else {
        this.#free++;
      }
    };
  }
}
