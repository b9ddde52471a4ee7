// Owns work that goes on in the background: one of each kind at a time, a few things of it at once.
// Does not know what it is.
import { inParallel } from "./in-parallel.ts";

/** Works that go on, by what they are. */
export class BackgroundWorks {
  readonly #works = new Map<string, Promise<void>>();
  readonly #atOnce: number;
  readonly #onError: (error: unknown) => void;

  /** @param onError is told what a work threw; the others go on */
  constructor(atOnce: number, onError: (error: unknown) => void) {
    this.#atOnce = atOnce;
    this.#onError = onError;
  }

  /** Works on several things, unless such work is under way: whoever asks again finds what is left. */
  begin<T>(what: string, things: readonly T[], work: (thing: T) => Promise<void>): void {
    if (things.length === 0 || this.#works.has(what)) return;
    const noted = inParallel(this.#atOnce, things, work)
      .catch(this.#onError)
      .finally(() => this.#works.delete(what));
    this.#works.set(what, noted);
  }

  /** Fulfils when all that goes on now has ended. */
  async ended(): Promise<void> {
    await Promise.all(this.#works.values());
  }
}
