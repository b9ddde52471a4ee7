// Owns which statements of a connection stay prepared: a bounded number, those in use rather than others.
// Does not prepare them.

/** What is kept. */
export interface KeptStatement {
  /** Whether it has been asked for since it was last looked at. */
  used: boolean;
}

/**
 * Statements by their text. At the bound the oldest that nobody has asked for again gives way: the CLOCK
 * algorithm, whose hit sets a flag, and which is made at no cost, as every open of a database makes one.
 */
export class StatementCache<Kept extends KeptStatement> {
  readonly #maxEntries: number;
  readonly #kept = new Map<string, Kept>();

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  get(sql: string): Kept | undefined {
    const kept = this.#kept.get(sql);
    if (kept) kept.used = true;
    return kept;
  }

  /** Keeps a statement that is not kept yet. */
  add(sql: string, statement: Kept): void {
    if (this.#kept.size >= this.#maxEntries) this.#makeRoom();
    this.#kept.set(sql, statement);
  }

  clear(): void {
    this.#kept.clear();
  }

  #makeRoom(): void {
    // What is put back is met again, unused then, so that this ends in the second round.
    for (const [sql, kept] of this.#kept) {
      this.#kept.delete(sql);
      if (!kept.used) return;
      kept.used = false;
      this.#kept.set(sql, kept);
    }
  }
}
