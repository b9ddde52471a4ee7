// Owns ending several things in the reverse order of their beginning, all of them, whichever fails.
// Does not know what they are.

/** What has begun, and how each ends. */
export class Closers {
  readonly #ends: (() => unknown)[] = [];

  /** Has `end` called before all that was added earlier. */
  add(end: () => unknown): void {
    this.#ends.push(end);
  }

  /** Ends everything. @throws the first failure, once all have ended */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (let end = this.#ends.pop(); end; end = this.#ends.pop()) {
      try {
        await end();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
