// Owns the number of the event loop's turn, by which work of one turn is told from work of the next.
// Does not know what is done in a turn.

/** libuv's own count of its turns, where there is one: in Node, not in Workers. */
const libuv =
  typeof performance.nodeTiming?.uvMetricsInfo?.loopCount === "number" ? performance.nodeTiming : undefined;

/** Runs `fn` once this turn's I/O is done. */
export const afterThisTurn: (fn: () => void) => void =
  typeof setImmediate === "function" ? setImmediate : (fn) => void setTimeout(fn, 0);

/**
 * Numbers turns. libuv counts one whenever it looks for I/O, so that whatever comes from outside comes in a
 * turn with another number than what was done before it came. Asking takes 0.1 µs and sets nothing going;
 * waiting for `setImmediate()` instead makes an idle loop go round once more (decisions/070-turns.md).
 */
export class EventLoopTurn {
  #number = 0;
  #ends = false;

  /** The number of this turn: equal for all who ask in it. */
  get number(): number {
    if (libuv) return libuv.uvMetricsInfo.loopCount;
    if (!this.#ends) {
      this.#ends = true;
      afterThisTurn(() => {
        this.#ends = false;
        this.#number++;
      });
    }
    return this.#number;
  }
}
