// Owns when a synchronous call runs within a turn of the event loop.
// Does not know what the call does.
import { EventLoopTurn } from "../../event-loop-turn.ts";

/**
 * Runs the first call of a turn at once and the others of that turn together at its end, so that the
 * answers of many requests leave together. Under load that is worth a fifth of the throughput and more; an
 * idle process pays nothing for it (decisions/070-turns.md).
 */
export class TurnQueue {
  readonly #turn = new EventLoopTurn();
  #lastTurn = -1;
  #waiting: (() => void)[] = [];

  /** Runs `fn` in this turn. A throw becomes a rejection, and a returned promise is followed. */
  run<T>(fn: () => T | Promise<T>): Promise<T> {
    const turn = this.#turn.number;
    if (turn !== this.#lastTurn) {
      this.#lastTurn = turn;
      try {
        return Promise.resolve(fn());
      } catch (error) {
        return Promise.reject(error);
      }
    }
    return new Promise<T>((resolve, reject) => {
      if (this.#waiting.length === 0) setImmediate(this.#endTurn);
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
    this.#lastTurn = -1;
    const calls = this.#waiting;
    this.#waiting = [];
    for (const call of calls) call();
  };
}
