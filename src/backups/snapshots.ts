// Owns snapshots: taking a checked copy of a tenant or of all of them, listing, fetching, and dropping old ones.
// Does not know where they lie (snapshot-store.ts), nor when to take them (snapshot-schedule.ts).
import type { DatabaseFiles } from "../drivers/driver.ts";
import type { TenantRecord } from "../catalog/tenant-record.ts";
import type { TenantId } from "../tenant-id.ts";
import { isTenantryError, type ErrorCode, TenantryError } from "../tenantry-error.ts";
import type { Act } from "../tenants/acts.ts";
import type { Tenants } from "../tenants/tenants.ts";
import { findTenant } from "../tenants/find-tenant.ts";
import { about } from "../tenants/tenant-errors.ts";
import type { FileExaminer } from "./file-examiner.ts";
import { snapshotMoment, snapshotName } from "./snapshot-name.ts";
import type { SnapshotStore } from "./snapshot-store.ts";
import { workThrough } from "./work-through.ts";

export const DEFAULT_SNAPSHOT_CONCURRENCY = 2;

/** States in which a tenant's file is whole and nobody replaces it. */
const WHOLE = ["active", "suspended", "quarantined"] as const;

/** What {@link Snapshots} is made of. */
export interface SnapshotsParts {
  readonly tenants: Tenants;
  /** The driver whose tenants are files. */
  readonly driver: string;
  readonly files: DatabaseFiles;
  readonly examiner: FileExaminer;
  readonly store: SnapshotStore;
}

/** A snapshot. */
export interface Snapshot {
  readonly tenant: TenantId;
  /** Its moment in UTC, such as `2026-11-22T10-00-00.000Z`. */
  readonly name: string;
  /** The same in milliseconds since 1970. */
  readonly at: number;
  /** Bytes where it lies. */
  readonly storedBytes: number;
}

/** How many are kept of each tenant; the newest one always is. */
export interface SnapshotRetention {
  /** The newest so many. @default all */
  readonly keep?: number | undefined;
  /** None that is older, in milliseconds. @default no limit */
  readonly maxAgeMs?: number | undefined;
}

/** Options of {@link Snapshots.takeAll}. */
export interface SnapshotAllOptions extends Act, SnapshotRetention {
  /** The moment after which all of them are named, in milliseconds since 1970. @default now */
  readonly at?: number;
  /** @default 2 */
  readonly concurrency?: number;
  readonly onProgress?: (progress: {
    readonly done: number;
    readonly total: number;
    readonly failed: number;
  }) => void;
  readonly signal?: AbortSignal | undefined;
}

/** A tenant of which no snapshot could be taken. */
export interface SnapshotFailure {
  readonly tenant: TenantId;
  readonly code: ErrorCode;
  readonly message: string;
}

/** What {@link Snapshots.takeAll} did. */
export interface SnapshotAllResult {
  readonly name: string;
  readonly taken: number;
  /** Tenants whose databases are no files here: another driver keeps them, or the replica alone. */
  readonly passedOver: number;
  readonly removed: number;
  readonly failed: readonly SnapshotFailure[];
}

/** Takes and keeps snapshots. */
export class Snapshots {
  readonly #parts: SnapshotsParts;

  constructor(parts: SnapshotsParts) {
    this.#parts = parts;
  }

  /** Where they lie, for people. */
  get place(): string {
    return this.#parts.store.place;
  }

  /**
   * Takes a snapshot, while the tenant serves. It counts once SQLite has checked all of it.
   * @throws {TenantryError} `TENANT_NOT_FOUND`, `TENANT_STATE`, `DATABASE_CORRUPT`, `DATABASE_FULL`, …
   */
  async take(
    id: TenantId,
    { actor, at = Date.now() }: Act & { readonly at?: number } = {},
  ): Promise<Snapshot> {
    const { catalog } = this.#parts.tenants;
    const record = await findTenant(catalog, id);
    const snapshot = await this.#take(record, at);
    await catalog.audit({
      actor: actor ?? "system",
      action: "snapshot.create",
      tenant: id,
      detail: { name: snapshot.name, storedBytes: snapshot.storedBytes },
    });
    return snapshot;
  }

  /** Takes one of every tenant that is whole, past failures, and drops those that are too old or too many. */
  async takeAll({
    actor,
    at = Date.now(),
    concurrency = DEFAULT_SNAPSHOT_CONCURRENCY,
    onProgress,
    signal,
    ...retention
  }: SnapshotAllOptions = {}): Promise<SnapshotAllResult> {
    const { catalog } = this.#parts.tenants;
    const counts = await catalog.count();
    const total = WHOLE.reduce((sum, state) => sum + counts[state], 0);
    const failed: SnapshotFailure[] = [];
    let taken = 0;
    let passedOver = 0;
    let removed = 0;
    let done = 0;
    await workThrough(catalog.iterate({ state: WHOLE }), {
      concurrency,
      signal,
      work: async (record) => {
        try {
          if (record.driver === this.#parts.driver && record.awaySince === null) {
            await this.#take(record, at);
            taken++;
          } else passedOver++;
          removed += await this.prune(record.id, { ...retention, now: at });
        } catch (error) {
          if (!isTenantryError(error)) throw error;
          // Deleted or stopped since the catalog named it: no failure.
          if (error.code !== "TENANT_NOT_FOUND" && error.code !== "TENANT_STATE") {
            failed.push({ tenant: record.id, code: error.code, message: error.message });
          }
        }
        onProgress?.({ done: ++done, total, failed: failed.length });
      },
    });
    const name = snapshotName(at);
    await catalog.audit({
      actor: actor ?? "system",
      action: "snapshot.all",
      detail: { name, taken, passedOver, removed, failed: failed.length },
    });
    return { name, taken, passedOver, removed, failed };
  }

  /** A tenant's snapshots, oldest first. */
  async list(id: TenantId): Promise<Snapshot[]> {
    const stored = await this.#parts.store.list(id);
    return stored.map(({ name, storedBytes }) => ({
      tenant: id,
      name,
      at: snapshotMoment(name) ?? 0,
      storedBytes,
    }));
  }

  /** Whoever has snapshots: deleted tenants' are kept, too. */
  tenants(): AsyncIterable<TenantId> {
    return this.#parts.store.tenants();
  }

  /**
   * A tenant's snapshot of that name; the newest one without.
   * @throws {TenantryError} `SNAPSHOT_NOT_FOUND`
   */
  async find(id: TenantId, name?: string): Promise<Snapshot> {
    const all = await this.list(id);
    const found = name === undefined ? all.at(-1) : all.find((one) => one.name === name);
    if (found) return found;
    throw new TenantryError(
      "SNAPSHOT_NOT_FOUND",
      name === undefined ? `Tenant "${id}" has no snapshot.` : `Tenant "${id}" has no snapshot ${name}.`,
      {
        tenant: id,
        hint: `See them with "tenantry snapshot list ${id}", or take one with "tenantry snapshot ${id}".`,
      },
    );
  }

  /** Writes a snapshot to a new file at `to`. */
  fetch({ tenant, name }: Snapshot, to: string): Promise<void> {
    return this.#parts.store.fetch(tenant, name, to);
  }

  /** Drops what is too old or too much, but never the newest. @returns how many */
  async prune(
    id: TenantId,
    { keep = Infinity, maxAgeMs = Infinity, now = Date.now() }: SnapshotRetention & { readonly now?: number },
  ): Promise<number> {
    const newestFirst = (await this.list(id)).toReversed();
    const old = newestFirst.filter((one, index) => index > 0 && (index >= keep || now - one.at > maxAgeMs));
    for (const { name } of old) await this.#parts.store.remove(id, name);
    return old.length;
  }

  /** Removes all of a tenant's. */
  removeAll(id: TenantId): Promise<void> {
    return this.#parts.store.removeAll(id);
  }

  /** What is still kept for a tenant, also what is no snapshot any more but an old version of one. */
  remains(id: TenantId): Promise<readonly string[]> {
    return this.#parts.store.remains(id);
  }

  async #take(record: TenantRecord, at: number): Promise<Snapshot> {
    const { tenants, files, examiner, store } = this.#parts;
    const { id, state } = record;
    if (!WHOLE.some((one) => one === state)) {
      throw new TenantryError("TENANT_STATE", `Tenant "${id}" is ${state}: no snapshot is taken of it now.`, {
        tenant: id,
        hint: "Try again when it is active or suspended.",
      });
    }
    await using scratch = await files.scratch();
    await tenants.visit(record, (handle) => handle.snapshot(scratch.path));
    try {
      await examiner.examine({ path: scratch.path, check: true });
      const name = snapshotName(at);
      const { storedBytes } = await store.put(id, name, scratch.path);
      return { tenant: id, name, at, storedBytes };
    } catch (error) {
      throw about(id, error);
    }
  }
}
