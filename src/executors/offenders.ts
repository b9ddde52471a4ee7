// Owns what is known of tenants whose statements had to be killed: how long they are kept out, and how long they
// run apart from the others. Does not kill anything.
import { TenantryError } from "../tenantry-error.ts";

/** Milliseconds that a tenant is kept out after its second kill; doubled with each further one. */
export const FIRST_BACKOFF_MS = 1_000;
export const MAX_BACKOFF_MS = 60_000;
/** Milliseconds without a kill after which a tenant is like any other again. */
export const FORGIVEN_AFTER_MS = 120_000;

interface Offender {
  kills: number;
  /** Crashes of executors that its statements may have caused. */
  suspicions: number;
  outUntil: number;
  forgivenAt: number;
}

/** The times, in milliseconds. */
export interface OffenderTimes {
  /** For how long a tenant is kept out after its second kill; doubled with each further one. @default 1000 */
  readonly firstBackoffMs?: number;
  /** @default 60000 */
  readonly maxBackoffMs?: number;
  /** How long a tenant must have behaved to be like any other again. @default 120000 */
  readonly forgivenAfterMs?: number;
}

const BLAMELESS = { kills: 0, suspicions: 0 };

/** The tenants that keep doing it. */
export class Offenders {
  readonly #offenders = new Map<string, Offender>();
  readonly #times: Required<OffenderTimes>;
  readonly #clock: () => number;

  constructor(times: OffenderTimes = {}, clock: () => number = () => performance.now()) {
    this.#times = {
      firstBackoffMs: FIRST_BACKOFF_MS,
      maxBackoffMs: MAX_BACKOFF_MS,
      forgivenAfterMs: FORGIVEN_AFTER_MS,
      ...times,
    };
    this.#clock = clock;
  }

  /** A statement of the tenant had to be killed. @returns for how many milliseconds it is kept out */
  killed(tenant: string): number {
    const { firstBackoffMs, maxBackoffMs } = this.#times;
    const { kills, suspicions } = this.#known(tenant) ?? BLAMELESS;
    // The first time may be bad luck: it costs the tenant its place among the others, and nothing else.
    const backoffMs = kills === 0 ? 0 : Math.min(firstBackoffMs * 2 ** (kills - 1), maxBackoffMs);
    this.#note(tenant, { kills: kills + 1, suspicions }, backoffMs);
    return backoffMs;
  }

  /**
   * An executor crashed while a statement of the tenant ran, or just after it. That happens to anybody; the second
   * time costs the tenant its place among the others.
   */
  suspected(tenant: string): void {
    const known = this.#known(tenant);
    const { kills, suspicions } = known ?? BLAMELESS;
    const leftMs = Math.max(0, (known?.outUntil ?? 0) - this.#clock());
    this.#note(tenant, { kills, suspicions: suspicions + 1 }, leftMs);
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
    if (this.#offenders.size === 0) return false;
    const { kills, suspicions } = this.#known(tenant) ?? BLAMELESS;
    return kills > 0 || suspicions > 1;
  }

  #note(tenant: string, counts: { kills: number; suspicions: number }, backoffMs: number): void {
    const now = this.#clock();
    for (const [other, { forgivenAt }] of this.#offenders) {
      if (forgivenAt <= now) this.#offenders.delete(other);
    }
    this.#offenders.set(tenant, {
      ...counts,
      outUntil: now + backoffMs,
      forgivenAt: now + backoffMs + this.#times.forgivenAfterMs,
    });
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
