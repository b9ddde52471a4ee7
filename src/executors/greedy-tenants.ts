// Owns which tenants run apart because their statements take nearly all of an executor's time.
// Does not know those whose statements had to be ended: offenders.ts does.

/** The part of a second that one tenant's statements may run, second after second, among the others. */
const APART_SHARE_MS = 800;
/** Seconds in a row after which such a tenant runs apart. */
const APART_AFTER_SECONDS = 5;
/** Milliseconds that it then does. */
const APART_FOR_MS = 60_000;

/** Notes who is greedy, and for how long. */
export class GreedyTenants {
  /** Tenants that take a whole second, where, and for how many seconds in a row. */
  readonly #seconds = new Map<string, { readonly place: string; readonly count: number }>();
  readonly #apartUntil = new Map<string, number>();

  /** @param busy milliseconds that tenants' statements ran in a place's last second @returns who runs apart from now on */
  hear(place: string, busy: readonly (readonly [tenant: string, ms: number])[]): readonly string[] {
    const greedy = new Set(busy.filter(([, ms]) => ms >= APART_SHARE_MS).map(([tenant]) => tenant));
    for (const [tenant, { place: of }] of this.#seconds) {
      if (of === place && !greedy.has(tenant)) this.#seconds.delete(tenant);
    }
    return [...greedy].filter((tenant) => {
      const count = (this.#seconds.get(tenant)?.count ?? 0) + 1;
      if (count < APART_AFTER_SECONDS) {
        this.#seconds.set(tenant, { place, count });
        return false;
      }
      this.#seconds.delete(tenant);
      this.#apartUntil.set(tenant, performance.now() + APART_FOR_MS);
      return true;
    });
  }

  /** Whether the tenant runs apart. */
  isApart(tenant: string): boolean {
    if (this.#apartUntil.size === 0) return false;
    const until = this.#apartUntil.get(tenant);
    if (until === undefined) return false;
    if (until > performance.now()) return true;
    this.#apartUntil.delete(tenant);
    return false;
  }
}
