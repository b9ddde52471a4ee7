// Owns when a write may be acknowledged as replicated: it is in the replica, and so is its tenant's row.
// Takes no tenant in, and lets none go.
import type { Catalog } from "../catalog/catalog.ts";
import type { TenantId } from "../tenant-id.ts";
import { syncLog } from "./database-log.ts";
import type { HotSync } from "./hot-sync.ts";
import type { HotEntry } from "./hot-tenant.ts";
import { pause } from "./time-limits.ts";

/** What {@link ReplicatedWrites} works on. */
export interface ReplicatedWritesParts {
  readonly catalog: Catalog;
  readonly syncs: HotSync;
  /** Brings what is committed of the catalog into the replica. */
  readonly syncCatalog: (timeoutMs: number) => Promise<void>;
  /** Where a tenant's file is. */
  readonly pathOf: (id: TenantId) => string;
  /** The tenant, if it has been taken in. */
  readonly entryOf: (id: TenantId) => HotEntry | undefined;
  /** Looks who is to be taken in. */
  readonly look: () => void;
}

/** Waits for writes to be in the replica. */
export class ReplicatedWrites {
  readonly #parts: ReplicatedWritesParts;

  constructor(parts: ReplicatedWritesParts) {
    this.#parts = parts;
  }

  /**
   * Waits until what is committed of a tenant now is in the replica; callers at the same time share a sync.
   * @returns the number of the last transaction there
   * @throws where that could not be done in `timeoutMs`
   */
  async wait(id: TenantId, timeoutMs: number): Promise<number> {
    const { entryOf, look, syncs } = this.#parts;
    const deadline = performance.now() + timeoutMs;
    const leftMs = (): number => Math.max(1, deadline - performance.now());
    let entry = entryOf(id);
    if (!entry) await this.#mark(id);
    // A look finds it.
    if (!entry?.registered) look();
    while (!entry?.registered) {
      const settled = entry ? undefined : await this.#settled(id, leftMs());
      if (settled !== undefined) return settled;
      if (performance.now() > deadline) throw new Error(entry?.lastFailure ?? "It waits to be replicated.");
      await pause(5);
      entry = entryOf(id);
    }
    try {
      const [txid] = await Promise.all([
        syncs.sync(entry, leftMs()),
        this.#catalogue(entry, leftMs()),
        // A power cut here must not take what the replica has: this database would go on from before it.
        syncLog(entry.path),
      ]);
      return txid;
    } catch (error) {
      const settled = await this.#settled(id, leftMs());
      if (settled === undefined) throw error;
      return settled;
    }
  }

  /** It was marked before this was asked, unless by a process that knows of no replica. */
  async #mark(id: TenantId): Promise<void> {
    const { backups } = this.#parts.catalog;
    if ((await this.#parts.catalog.get(id, { upToNow: true }))?.backupState === "none")
      await backups.markDirty(id);
  }

  /** What was committed before a tenant became clean is in the replica, though it has been let go meanwhile. */
  async #settled(id: TenantId, timeoutMs: number): Promise<number | undefined> {
    const { catalog, syncCatalog, pathOf } = this.#parts;
    const record = await catalog.get(id, { upToNow: true });
    if (record?.backupState !== "clean") return undefined;
    await Promise.all([syncCatalog(timeoutMs), syncLog(pathOf(id))]);
    return record.backupTxid;
  }

  /** Without its row in the replica's catalog, what the replica has of a tenant is nobody's. */
  async #catalogue(entry: HotEntry, timeoutMs: number): Promise<void> {
    if (entry.catalogued) return;
    // The entry was made of that row: whatever is committed now has it.
    await this.#parts.syncCatalog(timeoutMs);
    entry.catalogued = true;
  }
}
