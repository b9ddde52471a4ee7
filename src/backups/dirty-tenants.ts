// Owns who is to be taken in, by the catalog: tenants that are marked dirty, and those that were never replicated.
// Takes nobody in.
import type { Catalog } from "../catalog/catalog.ts";
import type { TenantRecord } from "../catalog/tenant-record.ts";

/** Tenants that were never replicated and are taken in at once, so that those in use are not behind them. */
const SEED_AT_ONCE = 32;
/** Milliseconds until the catalog is asked again for such tenants, after it had none. */
const SEED_PAUSE_MS = 10_000;

/** Where {@link DirtyTenants} looks. */
export interface DirtyTenantsParts {
  readonly catalog: Catalog;
  /** The driver whose tenants are files. */
  readonly driver: string;
  /** Tenants that are read at once. */
  readonly limit: number;
}

/** The tenants of a catalog that are not known to be in the replica. */
export class DirtyTenants {
  readonly #parts: DirtyTenantsParts;
  #seedsAt = 0;
  #count = 0;
  #stranded = 0;

  constructor(parts: DirtyTenantsParts) {
    this.#parts = parts;
  }

  /** Those marked dirty when they were last read, up to the limit. */
  get count(): number {
    return this.#count;
  }

  /** Those among them that are suspended: nobody can have their files open. */
  get stranded(): number {
    return this.#stranded;
  }

  /** Those that are marked dirty and whose files can be had open; the longest waiting first, up to the limit. */
  async read(): Promise<TenantRecord[]> {
    const { catalog, driver, limit } = this.#parts;
    const dirty = await catalog.backups.list("dirty", limit, undefined, driver);
    this.#count = dirty.length;
    this.#stranded = dirty.filter(({ state }) => state === "suspended").length;
    // Those that cannot be taken in must not stand before those that can.
    return dirty.length < limit ? dirty : catalog.backups.open("dirty", driver, limit);
  }

  /** Marks some of the tenants that were there before there was a replica: they come in a few at a time. */
  async markSeeds(): Promise<void> {
    const now = Date.now();
    if (now < this.#seedsAt) return;
    const { catalog, driver } = this.#parts;
    const seeds = await catalog.backups.open("none", driver, SEED_AT_ONCE);
    if (seeds.length === 0) this.#seedsAt = now + SEED_PAUSE_MS;
    await Promise.all(seeds.map(({ id }) => catalog.backups.markDirty(id)));
  }
}
