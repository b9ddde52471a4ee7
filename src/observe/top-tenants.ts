// Owns which tenants are the busiest, in bounded memory: the Space-Saving algorithm (Metwally, Agrawal and
// El Abbadi, 2005). Counts of the busy are near exact; the rest share what is left.

/** Counters kept for each one that is shown: more of them, and the shown ones are closer to the truth. */
const COUNTERS_PER_SHOWN = 5;

/** Counts requests by tenant. */
export class TopTenants {
  readonly #shown: number;
  readonly #counters = new Map<string, number>();

  constructor(shown: number) {
    this.#shown = shown;
  }

  add(tenant: string): void {
    const count = this.#counters.get(tenant);
    if (count !== undefined) {
      this.#counters.set(tenant, count + 1);
    } else if (this.#counters.size < this.#shown * COUNTERS_PER_SHOWN) {
      this.#counters.set(tenant, 1);
    } else {
      this.#counters.set(tenant, this.#evictLeast() + 1);
    }
  }

  /** The busiest first. A count may be too high by the count that it took over. */
  top(): { tenant: string; requests: number }[] {
    return [...this.#counters]
      .map(([tenant, requests]) => ({ tenant, requests }))
      .sort((a, b) => b.requests - a.requests)
      .slice(0, this.#shown);
  }

  /** Removes one of the least counters, and says what it had counted. */
  #evictLeast(): number {
    let least = "";
    let count = Number.POSITIVE_INFINITY;
    for (const [tenant, requests] of this.#counters) {
      if (requests < count) [least, count] = [tenant, requests];
      if (count === 1) break;
    }
    this.#counters.delete(least);
    return count;
  }
}
