// Owns what is known of tenants whose statements had to be killed: how long they are kept out, and how long they
// run apart from the others. Does not kill anything.
import { TenantryError } from "../tenantry-error.ts";

/** Milliseconds that a tenant is kept out after its first kill; doubled with each further one. */
export const FIRST_BACKOFF_MS = 1_000;
export const MAX_BACKOFF_MS = 60_000;
/** Milliseconds without a kill after which a tenant is like any other again. */
export const FORGIVEN_AFTER_MS = 120_000;

interface Offender {
  kills: number;
  outUntil: number;
  forgivenAt: number;
}

/** The tenants that keep doing it. */
export class Offenders {
  readonly #offenders = new Map<string, Offender>();
  readonly #clock: () => number;

  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
  }

  /** A statement of the tenant had to be killed. */
  killed(tenant: string): void {
    const now = this.#clock();
    const kills = (this.#known(tenant)?.kills ?? 0) + 1;
    // The first time may be bad luck: it costs the tenant its place among the others, and nothing else.
    const backoffMs = kills === 1 ? 0 : Math.min(FIRST_BACKOFF_MS * 2 ** (kills - 2), MAX_BACKOFF_MS);
    this.#offenders.set(tenant, {
      kills,
      outUntil: now + backoffMs,
      forgivenAt: now + backoffMs + FORGIVEN_AFTER_MS,
    });
  }

  /** @throws {TenantryError} `TENANT_THROTTLED` while the tenant is kept out */
  check(tenant: string): void {
    if (this.#offenders.size === 0) return;
    const known = this.#known(tenant);
    const waitMs = known ? known.outUntil - this.#clock() : 0;
    if (waitMs <= 0) return;
    throw new TenantryError(
      "TENANT_THROTTLED",
      `Statements of tenant "${tenant}" ran past their time limit again and again.`,
      {
        tenant,
        hint: "Find the statement that does not end, and wait as long as Retry-After says.",
        retryAfterSeconds: Math.ceil(waitMs / 1000),
      },
    );
  }

  /** Whether the tenant is to run apart from the others. */
  isApart(tenant: string): boolean {
    return this.#offenders.size > 0 && this.#known(tenant) !== undefined;
  }

  get size(): number {
    return this.#offenders.size;
  }

  #known(tenant: string): Offender | undefined {
    const known = this.#offenders.get(tenant);
    if (known && known.forgivenAt <= this.#clock()) {
      this.#offenders.delete(tenant);
      return undefined;
    }
    return known;
  }
}
