// Owns the watch for tenants that another process has stopped: it waits until this one has closed their databases.
// Stops nobody.
import type { Catalog } from "../catalog/catalog.ts";
import type { TenantRecord } from "../catalog/tenant-record.ts";
import { MAX_TIMER_MS } from "../fifo-lock.ts";
import type { TenantId } from "../tenant-id.ts";
import type { Backends } from "./backends.ts";

/** Milliseconds between two looks at what other processes have changed in the catalog. */
export const DEFAULT_WATCH_MS = 250;

/** Milliseconds that a tenant stopped by another process is given before it is looked at again. */
const STOPPED_DRAIN_MS = 10_000;

/** What a {@link StoppedElsewhere} watches. */
export interface StoppedElsewhereParts {
  readonly catalog: Catalog;
  readonly backends: Backends;
  /** Milliseconds between two looks; 0 for never. @default 250 */
  readonly watchMs?: number | undefined;
}

/** Looks after open databases. */
export class StoppedElsewhere {
  readonly #catalog: Catalog;
  readonly #backends: Backends;
  /** Whose handles are open, by incarnation. */
  readonly #open = new Map<string, TenantId>();
  readonly #watch: ReturnType<typeof setInterval> | undefined;
  #lookAgain = false;

  constructor({ catalog, backends, watchMs = DEFAULT_WATCH_MS }: StoppedElsewhereParts) {
    this.#catalog = catalog;
    this.#backends = backends;
    if (watchMs === 0) return;
    this.#watch = setInterval(() => void this.#look(), Math.min(watchMs, MAX_TIMER_MS));
    if (typeof this.#watch === "object") this.#watch.unref();
  }

  /** From now on the tenant is looked after. */
  opened({ incarnation, id }: TenantRecord): void {
    this.#open.set(incarnation, id);
  }

  closed({ incarnation }: TenantRecord): void {
    this.#open.delete(incarnation);
  }

  /** Looks no more. */
  close(): void {
    clearInterval(this.#watch);
  }

  async #look(): Promise<void> {
    try {
      if (!this.#catalog.changedElsewhere() && !this.#lookAgain) return;
      this.#lookAgain = false;
      const open = [...this.#open];
      const records = await this.#catalog.getMany(open.map(([, id]) => id));
      const stopped = open.filter(([incarnation, id]) => {
        const record = records.get(id);
        return record?.incarnation !== incarnation || record.state !== "active";
      });
      await Promise.all(
        stopped.flatMap(([incarnation]) =>
          this.#backends.all.map(({ cache }) => cache.drain(incarnation, STOPPED_DRAIN_MS)),
        ),
      );
    } catch {
      // A busy catalog or a handle in use: to be tried again.
      this.#lookAgain = true;
    }
  }
}
