// Owns that callers who want the same thing brought about share it: one that runs, and one that comes after it.
// Does not know what it is.

/** A run that has begun, and the one that those who came later wait for. */
interface Runs {
  running: Promise<unknown>;
  next: Promise<unknown> | undefined;
}

/**
 * Runs `work` for a key so that it begins after each call: who calls while one runs shares the next, since what
 * he has done may have come too late for the one that runs.
 */
export class SharedSync {
  readonly #runs = new Map<string, Runs>();

  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const runs = this.#runs.get(key);
    if (!runs) return this.#begin(key, work);
    runs.next ??= runs.running.then(
      () => this.#begin(key, work),
      () => this.#begin(key, work),
    );
    return runs.next as Promise<T>;
  }

  #begin<T>(key: string, work: () => Promise<T>): Promise<T> {
    const running = work();
    const runs: Runs = { running, next: undefined };
    this.#runs.set(key, runs);
    const end = (): void => {
      if (this.#runs.get(key) === runs && !runs.next) this.#runs.delete(key);
    };
    running.then(end, end);
    return running;
  }
}
