// Owns when in a turn of the event loop an open begins.
// Does not open anything.
import { afterThisTurn, EventLoopTurn } from "../event-loop-turn.ts";

/**
 * The first open of a turn begins at once, the others at the turn's end: one after the other they find in the
 * processor's caches what the requests between them would have displaced, and so do the requests (decisions/071).
 */
export class OpenTurns {
  readonly #turn = new EventLoopTurn();
  #lastTurn = -1;
  #end: Promise<void> | undefined;

  /** Fulfils when the next open may begin; undefined for at once. */
  next(): Promise<void> | undefined {
    const turn = this.#turn.number;
    if (turn !== this.#lastTurn) {
      this.#lastTurn = turn;
      return undefined;
    }
    return (this.#end ??= this.#endOfTurn());
  }

  async #endOfTurn(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    afterThisTurn(resolve);
    await promise;
    this.#end = undefined;
  }
}
