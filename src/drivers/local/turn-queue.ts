// Owns when a synchronous call runs within a turn of the event loop.
// Does not know what the call does.

/**
 * Runs the first call of a turn at once and the others of that turn together at its end, so that the
 * answers of many requests leave together. Under load that is worth a third of the throughput; an idle
 * process pays nothing for it (decisions/002-turns.md).
 */
export class TurnQueue {
  #waiting: (() => void)[] = [];
  #turnEnds = false;

  /** Runs `fn` in this turn. A throw becomes a rejection, and a returned promise is followed. */
  run<T>(fn: () => T | Promise<T>): Promise<T> {
    if (!this.#turnEnds) {
      this.#turnEnds = true;
      setImmediate(this.#endTurn);
      try {
        return Promise.resolve(fn());
      } catch (error) {
        return Promise.reject(error);
      }
    }
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push(() => {
        try {
          resolve(fn());
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  readonly #endTurn = (): void => {
    this.#turnEnds = false;
    const calls = this.#waiting;
    if (calls.length === 0) return;
    this.#waiting = [];
    for (const call of calls) call();
  };
}
