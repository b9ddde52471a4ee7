// Owns which driver, and which budget of open handles, serves a tenant: the one that its record names.
// Opens nothing.
import type { TenantRecord } from "../catalog/tenant-record.ts";
import type { DatabaseLimits, Driver, Handle } from "../drivers/driver.ts";
import { addedStats } from "../handle-cache/added-stats.ts";
import type { Closable, HandleCacheStats, Handles } from "../handle-cache/handles.ts";
import type { TenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";

/** An open database, and whose it is. The cache keeps these, by incarnation. */
export interface OpenTenant extends Closable {
  readonly id: TenantId;
  readonly handle: Handle;
  /** Those that the handle keeps to. */
  limits: DatabaseLimits;
}

/** A driver, and the handles of it that are open. */
export interface Backend {
  readonly driver: Driver;
  readonly cache: Handles<OpenTenant>;
}

/** The drivers of one Tenantry. New tenants go to the first. */
export class Backends {
  readonly first: Backend;
  readonly all: readonly Backend[];
  /** Whether a driver has copies to read from. */
  readonly haveBookmarks: boolean;
  readonly #byName: ReadonlyMap<string, Backend>;

  /** @throws {TenantryError} `INVALID_OPTION` where two drivers have one name */
  constructor(first: Backend, others: readonly Backend[] = []) {
    this.first = first;
    this.all = [first, ...others];
    this.haveBookmarks = this.all.some(({ driver }) => driver.capabilities.bookmarks);
    this.#byName = new Map(this.all.map((backend) => [backend.driver.name, backend]));
    if (this.#byName.size === this.all.length) return;
    throw new TenantryError("INVALID_OPTION", "Two drivers have the same name.", {
      hint: "Give each its own: the catalog keeps it with every tenant of that driver.",
    });
  }

  /** @throws {TenantryError} `DRIVER_MISSING` */
  of({ id, driver }: Pick<TenantRecord, "id" | "driver">): Backend {
    // Nearly always: one comparison in place of a look-up.
    if (driver === this.first.driver.name) return this.first;
    const backend = this.#byName.get(driver);
    if (backend) return backend;
    throw new TenantryError("DRIVER_MISSING", `Tenant "${id}" is kept by the driver "${driver}".`, {
      tenant: id,
      hint: `Start Tenantry with that driver, too: it has ${[...this.#byName.keys()].join(", ")}.`,
    });
  }

  /** Of all drivers together. */
  stats(): HandleCacheStats {
    const [first, ...others] = this.all.map(({ cache }) => cache.stats());
    return others.reduce(addedStats, first as HandleCacheStats);
  }
}

/** Has an open database keep to what the catalog says by now. */
export function keepToLimits(open: OpenTenant, record: TenantRecord): void {
  const { limits } = open;
  if (limits.maxBytes === record.maxBytes && limits.transactionTimeoutMs === record.transactionTimeoutMs)
    return;
  open.handle.setLimits?.(record);
  open.limits = record;
}
