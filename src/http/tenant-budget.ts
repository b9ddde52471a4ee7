// Owns how much of something tenants may have, each for itself, over all of their sockets.
// Does not queue: who is over the limit is told so.
import { TenantryError } from "../tenantry-error.ts";

/** Counts what tenants have. */
export class TenantBudget {
  readonly #max: number;
  readonly #what: string;
  readonly #taken = new Map<string, number>();

  /** @param what it is, in the plural, for a person */
  constructor(max: number, what: string) {
    this.#max = max;
    this.#what = what;
  }

  /** Takes some, or gives some back where `count` is negative. @throws {TenantryError} `TOO_MANY_REQUESTS` */
  take(tenant: string, count: number): void {
    const taken = (this.#taken.get(tenant) ?? 0) + count;
    if (count > 0 && taken > this.#max) {
      throw new TenantryError(
        "TOO_MANY_REQUESTS",
        `More than ${this.#max} ${this.#what} of this tenant are open.`,
        {
          tenant,
          hint: "Close those that are done with.",
          retryAfterSeconds: 1,
        },
      );
    }
    if (taken > 0) this.#taken.set(tenant, taken);
    else this.#taken.delete(tenant);
  }

  /** What all tenants have. */
  get total(): number {
    let total = 0;
    for (const taken of this.#taken.values()) total += taken;
    return total;
  }
}
