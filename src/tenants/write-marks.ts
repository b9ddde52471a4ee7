// Owns what a write must see to in the catalog: that its tenant is known to have writes that may not be in the
// replica before anybody is told that the write is done. Does not replicate.
import type { Catalog } from "../catalog/catalog.ts";
import type { TenantRecord } from "../catalog/tenant-record.ts";
import type { TenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";

/** What {@link WriteMarks} works on. */
export interface WriteMarksOptions {
  readonly catalog: () => Catalog;
  /** Whether a tenant that was never replicated is to be from now on. */
  readonly all: boolean;
  /** Waits until what is committed of the tenant is in the replica, if its writes are to be. */
  readonly replicated: (record: TenantRecord) => Promise<void> | undefined;
}

/**
 * Marks tenants as dirty. The look before a write is for the replicator, which learns of the tenant; the look
 * after its commit is what the promise rests on: who takes the mark away waits until it is seen (decisions/100).
 */
export class WriteMarks {
  readonly #options: WriteMarksOptions;

  constructor(options: WriteMarksOptions) {
    this.#options = options;
  }

  before(id: TenantId): Promise<void> | undefined {
    const { catalog } = this.#options;
    const record = catalog().peek(id);
    if (!record) {
      return catalog()
        .get(id)
        .then((found) => found && this.#mark(found));
    }
    return this.#mark(record);
  }

  after(id: TenantId): Promise<void> | undefined {
    const { catalog, replicated } = this.#options;
    const record = catalog().backups.peek(id);
    if (record && this.#suits(record)) return replicated(record);
    return this.#acknowledge(id);
  }

  async #acknowledge(id: TenantId): Promise<void> {
    const { catalog, replicated } = this.#options;
    let record: TenantRecord | undefined;
    try {
      record = await catalog().get(id, { upToNow: true });
      if (record) await this.#mark(record);
    } catch (cause) {
      throw new TenantryError(
        "NOT_REPLICATED",
        `The write to "${id}" is committed, and could not be noted for the replica.`,
        { tenant: id, hint: "Do not write it again. See what is wrong with the catalog.", cause },
      );
    }
    if (record) await replicated(record);
  }

  #suits({ backupState }: TenantRecord): boolean {
    return backupState === "dirty" || (backupState === "none" && !this.#options.all);
  }

  #mark(record: TenantRecord): Promise<void> | undefined {
    return this.#suits(record) ? undefined : this.#options.catalog().backups.markDirty(record.id);
  }
}
