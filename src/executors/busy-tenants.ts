// Owns how long each tenant's statements ran since it was last asked.

/** Tenants reported at a time: those that matter are few. */
const REPORTED = 5;
/** Milliseconds below which nobody is worth a word. */
const LEAST_MS = 50;

/** Adds up statements' times by tenant. */
export class BusyTenants {
  #ms = new Map<string, number>();

  add(tenant: string, ms: number): void {
    this.#ms.set(tenant, (this.#ms.get(tenant) ?? 0) + ms);
  }

  /** The busiest, and begins anew. */
  take(): [tenant: string, ms: number][] {
    const busy = [...this.#ms].filter(([, ms]) => ms >= LEAST_MS).sort(([, a], [, b]) => b - a);
    this.#ms = new Map();
    return busy.slice(0, REPORTED);
  }
}
