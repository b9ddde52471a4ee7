// Owns looking at something time and again: one look at a time, sooner when somebody waits for it.
// Does not know what is looked at.

/** A look that is taken time and again. */
export class RecurringLook {
  readonly #look: () => Promise<void>;
  readonly #everyMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #looking: Promise<void> = Promise.resolve();
  #isLooking = false;
  #stopped = false;
  #lastError: unknown;

  /** @param everyMs from the end of one look to the next */
  constructor(everyMs: number, look: () => Promise<void>) {
    this.#everyMs = everyMs;
    this.#look = look;
  }

  /** What went wrong at the last look; undefined where nothing did. */
  get lastError(): unknown {
    return this.#lastError;
  }

  /** Looks as soon as that is possible, if no look is under way, and goes on from there. */
  now(): void {
    if (this.#isLooking) return;
    clearTimeout(this.#timer);
    this.#in(0);
  }

  /** Ends it, and waits until no look is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#looking;
  }

  #in(ms: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#isLooking = true;
      this.#looking = this.#look()
        .then(
          () => (this.#lastError = undefined),
          (error: unknown) => (this.#lastError = error),
        )
        .then(() => {
          this.#isLooking = false;
          this.#in(this.#everyMs);
        });
    }, ms);
    this.#timer.unref();
  }
}
