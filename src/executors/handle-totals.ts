// Owns what the handles of all executors came to, those included that have ended: a counter never goes back.
// Asks nobody: executors report once a second.
import { addedStats } from "../handle-cache/added-stats.ts";
import type { HandleCacheStats } from "../handle-cache/handles.ts";
import type { Figures } from "./messages.ts";

/** Adds up the handles of executors. */
export class HandleTotals {
  /** The last report from each place. */
  readonly #last = new Map<string, Figures>();
  /** Of executors that others have taken the places of. */
  #before: HandleCacheStats | undefined;

  /** Takes the report of the executor that serves a place. */
  hear(place: string, figures: Figures): void {
    const last = this.#last.get(place);
    if (last && last.pid !== figures.pid) {
      const counters = { ...last.handles, open: 0, leased: 0, waiting: 0 };
      this.#before = this.#before ? addedStats(this.#before, counters) : counters;
    }
    this.#last.set(place, figures);
  }

  /** @param own the handles of this process, whose `maxOpen` is what the executors have divided among them */
  with(own: HandleCacheStats): HandleCacheStats {
    const all = [...this.#last.values()].map(({ handles }) => handles);
    if (this.#before) all.push(this.#before);
    return { ...all.reduce(addedStats, own), maxOpen: own.maxOpen };
  }
}
