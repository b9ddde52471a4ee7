// Owns how many requests of one tenant run at the same time.
// Does not queue them: who is over the limit is told to come back.
import { TenantryError } from "../tenantry-error.ts";

/** Tenants that stay with none in flight: to fill and empty a `Map` all the time is dear (decisions/095). */
const KEPT_TENANTS = 1_000;

/** Counts the requests in flight, tenant by tenant. */
export class InFlight {
  readonly #max: number;
  readonly #running = new Map<string, number>();

  constructor(max: number) {
    this.#max = max;
  }

  /**
   * @param goesOn with an open transaction: all that run may be waiting for its end, so that as many again may be
   * @throws {TenantryError} `TOO_MANY_REQUESTS`
   */
  enter(tenant: string, goesOn = false): void {
    const running = this.#running.get(tenant) ?? 0;
    if (running >= (goesOn ? 2 * this.#max : this.#max)) {
      throw new TenantryError(
        "TOO_MANY_REQUESTS",
        `More than ${this.#max} requests of this tenant are running.`,
        {
          tenant,
          hint: "Send fewer at a time.",
          retryAfterSeconds: 1,
        },
      );
    }
    this.#running.set(tenant, running + 1);
  }

  /** Whether who does not go on with something would be refused. */
  full(tenant: string): boolean {
    return (this.#running.get(tenant) ?? 0) >= this.#max;
  }

  leave(tenant: string): void {
    const running = (this.#running.get(tenant) ?? 1) - 1;
    if (running === 0 && this.#running.size > KEPT_TENANTS) this.#running.delete(tenant);
    else this.#running.set(tenant, running);
  }
}
