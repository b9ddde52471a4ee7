// Owns restoring tenants: in place, as a new tenant, undoing it, and mending what a killed restore left.
// Fetches and checks nothing itself (prepare-restore.ts), and writes no replica.
import type { LiveTenantState, SettingsUpdate, TenantRecord } from "../catalog/tenant-record.ts";
import type { Driver } from "../drivers/driver.ts";
import type { TenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import type { Act } from "../tenants/acts.ts";
import { DEFAULT_DRAIN_TIMEOUT_MS, type Lifecycle } from "../tenants/lifecycle.ts";
import type { Tenants } from "../tenants/tenants.ts";
import { findTenant } from "../tenants/find-tenant.ts";
import { about, unknownTenant } from "../tenants/tenant-errors.ts";
import { type PrepareOptions, type PrepareParts, planRestore, prepareRestore } from "./prepare-restore.ts";
import { dropOlderReplaced, replacedPath } from "./replaced-files.ts";
import type { RestorePlan, RestoreSource } from "./restore-source.ts";
import { lockTenant } from "./tenant-lock.ts";

/** Why a tenant is `moving` while its file is replaced. */
export const RESTORE_REASON = "being restored";

/** Why it is `moving` while its file leaves this disk. */
export const LEAVING_REASON = "leaving this disk";

/** What a restore in place has to do with the replica. The hot set's owner fulfils it. */
export interface ReplicatedTenants {
  /**
   * Lets go of a tenant's file: nobody replicates it any more when this fulfils. What it last wrote has been
   * sent to the replica as far as that could be done.
   */
  release(record: TenantRecord): Promise<void>;
  /** Brings what a tenant wrote up to now into the replica. @returns its last transaction; undefined where nobody can */
  flush(record: TenantRecord): Promise<number | undefined>;
  /** Takes away what is kept beside the file for its replication: it is about the file of before. */
  forget(record: TenantRecord): Promise<void>;
  /**
   * Waits until all of a tenant is in the replica, if what is acknowledged of it is to be; undefined where it is not.
   * @throws {TenantryError} `NOT_REPLICATED`
   */
  acknowledge(record: TenantRecord): Promise<void> | undefined;
}

/** What {@link Restores} is made of. */
export interface RestoresParts extends PrepareParts {
  readonly tenants: Tenants;
  readonly lifecycle: Lifecycle;
  readonly driver: Driver;
  readonly replicated: ReplicatedTenants;
  /** Whether there is a replica. */
  readonly replicates: boolean;
  /** Milliseconds that running requests are given. @default 10000 */
  readonly drainTimeoutMs?: number | undefined;
}

/** How far a restore is. */
export type RestorePhase = "fetching" | "checking" | "pausing" | "replacing" | "replicating" | "done";

/** Options of a restore. */
export interface RestoreOptions extends Act, Omit<PrepareOptions, "onPhase"> {
  readonly onPhase?: ((phase: RestorePhase) => void) | undefined;
}

/** Options of a restore that makes a new tenant. */
export interface NewTenantOptions extends RestoreOptions {
  /** The new tenant's limits, block and key. @default none */
  readonly settings?: SettingsUpdate | undefined;
}

/** What a restore did. */
export interface RestoreResult {
  readonly tenant: TenantRecord;
  readonly restored: RestorePlan;
  /** Bytes of the database that came back. */
  readonly sizeBytes: number;
  /** Migrations that it was behind, by name. */
  readonly migrated: readonly string[];
  /** Migrations that it has and this code does not. */
  readonly ahead: readonly string[];
  /** Milliseconds for which the tenant did not serve; 0 where it was not touched. */
  readonly pausedMs: number;
}

/** Restores tenants. */
export class Restores {
  readonly #parts: RestoresParts;

  constructor(parts: RestoresParts) {
    this.#parts = parts;
  }

  /** @throws {TenantryError} `TENANT_NOT_FOUND` where there is no tenant of that name, and never was */
  async assertThere(id: TenantId): Promise<void> {
    await this.#find(id);
  }

  /** What would come back. @throws {TenantryError} as {@link inPlace} does */
  async plan(id: TenantId, source: RestoreSource): Promise<RestorePlan> {
    return planRestore(this.#parts, await this.#find(id), source);
  }

  /**
   * Puts what comes back in the tenant's place. The file is fetched, checked and migrated while the tenant
   * serves; then it answers 503 `TENANT_BUSY` for as long as its requests need to end and a file to be renamed.
   * What was there is kept, for {@link undo}. Killed at any point, the tenant has the one file or the other.
   * Where writes are acknowledged when the replica has them, it fulfils when that has what came back; a suspended
   * tenant gets there when it is resumed.
   * @throws {TenantryError} `TENANT_NOT_FOUND`, `TENANT_STATE`, `TENANT_BUSY`, and what `prepareRestore()` throws;
   * `NOT_REPLICATED` where it is restored, and was to be in the replica
   */
  async inPlace(id: TenantId, source: RestoreSource, options: RestoreOptions = {}): Promise<RestoreResult> {
    const { dir } = this.#parts;
    using lock = await lockTenant(dir, id);
    if (!lock) throw restoredAlready(id);
    let record = await this.#find(id);
    if (isStuck(record)) record = await this.#mend(record);
    if (record.state === "deleted") throw unknownTenant(id);
    if (record.driver !== this.#parts.driver.name) throw keptElsewhere(record);
    await using prepared = await prepareRestore(this.#parts, record, source, options);
    options.signal?.throwIfAborted();
    // What is not on this disk would be fetched over what comes back now.
    if (record.awaySince !== null) await this.#parts.tenants.catalog.backups.setAway(record, null);
    const { examined, plan } = prepared;
    const { version, hash, applied = [], missing = [] } = examined.migrated ?? { version: null, hash: "" };
    const started = performance.now();
    const tenant = await this.#replace(record, prepared.path, options);
    const pausedMs = record.state === "active" ? performance.now() - started : 0;
    const { catalog } = this.#parts.tenants;
    await catalog.update(id, {
      schemaVersion: version ?? "",
      schemaHash: hash,
      sizeBytes: examined.sizeBytes,
    });
    await catalog.audit({
      actor: options.actor ?? "system",
      action: "tenant.restore",
      tenant: id,
      detail: { ...plan, incarnation: tenant.incarnation, toEpoch: tenant.backupEpoch },
    });
    await dropOlderReplaced(dir, record);
    const restored = (await catalog.get(id)) ?? tenant;
    const acknowledged = this.#parts.replicated.acknowledge(restored);
    if (acknowledged) options.onPhase?.("replicating");
    await acknowledged;
    options.onPhase?.("done");
    return {
      tenant: restored,
      restored: plan,
      sizeBytes: examined.sizeBytes,
      migrated: applied,
      ahead: missing,
      pausedMs,
    };
  }

  /** Puts back what the last restore replaced; what is there now can be put back in turn. */
  undo(id: TenantId, options: RestoreOptions = {}): Promise<RestoreResult> {
    return this.inPlace(id, { kind: "replaced" }, options);
  }

  /**
   * Makes a new tenant of what comes back; the tenant itself is not touched, and may be deleted.
   * @throws {TenantryError} `TENANT_EXISTS`, and what `prepareRestore()` throws
   */
  async toNew(
    id: TenantId,
    newId: TenantId,
    source: RestoreSource,
    options: NewTenantOptions = {},
  ): Promise<RestoreResult> {
    const { tenants, lifecycle } = this.#parts;
    const record = await this.#find(id);
    if (await tenants.catalog.get(newId)) throw taken(newId);
    await using prepared = await prepareRestore(this.#parts, record, source, options);
    const { plan, examined, path } = prepared;
    options.onPhase?.("replacing");
    const { actor, settings } = options;
    await this.#forgetAnswers(path);
    const tenant = await lifecycle.importFile(newId, path, {
      ...(actor !== undefined && { actor }),
      ...(settings && { settings }),
    });
    await tenants.catalog.audit({
      actor: actor ?? "system",
      action: "tenant.restore",
      tenant: newId,
      detail: { ...plan, from: id, incarnation: tenant.incarnation },
    });
    options.onPhase?.("done");
    return {
      tenant,
      restored: plan,
      sizeBytes: examined.sizeBytes,
      migrated: examined.migrated?.applied ?? [],
      ahead: examined.migrated?.missing ?? [],
      pausedMs: 0,
    };
  }

  /** What was answered for the one tenant was not done in the other. */
  async #forgetAnswers(path: string): Promise<void> {
    const handle = await this.#parts.files.open(path);
    try {
      await handle.exec("DROP TABLE IF EXISTS _tenantry_idempotency");
    } finally {
      await handle.close();
    }
  }

  /**
   * Lets the tenants serve again whose restore was killed: whichever file they have is whole.
   * @returns those that were mended; one that is being restored by a living process is left alone
   */
  async mend(): Promise<TenantRecord[]> {
    const { dir, tenants } = this.#parts;
    const mended: TenantRecord[] = [];
    for await (const record of tenants.catalog.iterate({ state: "moving" })) {
      if (!isStuck(record)) continue;
      using lock = await lockTenant(dir, record.id);
      const now = lock && (await tenants.catalog.get(record.id, { fresh: true }));
      if (now && isStuck(now)) mended.push(await this.#mend(now));
    }
    return mended;
  }

  /** The pause: everything here is a rename, a commit, or a wait for requests to end. */
  async #replace(
    record: TenantRecord,
    path: string,
    { actor, onPhase }: RestoreOptions,
  ): Promise<TenantRecord> {
    const { dir, driver, tenants, replicates, replicated } = this.#parts;
    const { drainTimeoutMs = DEFAULT_DRAIN_TIMEOUT_MS } = this.#parts;
    const { id, incarnation, state } = record;
    const { catalog } = tenants;
    onPhase?.("pausing");
    // A suspended tenant stays so throughout; nobody but its operator may change that.
    const during: LiveTenantState = state === "suspended" ? "suspended" : "moving";
    const paused = await catalog.setState(
      id,
      {
        from: state === "suspended" ? ["suspended"] : ["active", "quarantined"],
        to: during,
        reason: during === "moving" ? RESTORE_REASON : record.reason,
        incarnation,
      },
      actor,
    );
    try {
      await replicated.release(paused);
      await tenants.drain(paused, drainTimeoutMs);
      // From here on, whichever of the two files is there begins a line of its own in the replica.
      const raised = await catalog.backups.raiseEpoch(paused, replicates);
      onPhase?.("replacing");
      const whileLocked = async (now: TenantRecord): Promise<void> => {
        await tenants.drain(now, 0);
        await replicated.forget(raised);
        await driver.files?.replace(id, path, replacedPath(dir, record, Date.now()));
      };
      const to = during === "moving" ? "active" : "suspended";
      const reason = during === "moving" ? null : record.reason;
      return await catalog.setState(id, { from: [during], to, reason, incarnation, whileLocked }, actor);
    } catch (error) {
      // As it was before: nothing has been replaced, or all of it.
      if (during === "moving") {
        const before = state === "quarantined" ? "quarantined" : "active";
        await catalog.setState(
          id,
          { from: ["moving"], to: before, reason: record.reason, incarnation },
          actor,
        );
      }
      throw about(id, error);
    }
  }

  async #mend(record: TenantRecord): Promise<TenantRecord> {
    const { tenants, replicates, replicated } = this.#parts;
    if (record.reason === RESTORE_REASON) {
      await replicated.release(record);
      const raised = await tenants.catalog.backups.raiseEpoch(record, replicates);
      await replicated.forget(raised);
    }
    return tenants.catalog.setState(
      record.id,
      { from: ["moving"], to: "active", incarnation: record.incarnation },
      "restore",
    );
  }

  /** A deleted tenant can come back under another name, from what is left of it. */
  async #find(id: TenantId): Promise<TenantRecord> {
    return findTenant(this.#parts.tenants.catalog, id, { deleted: true });
  }
}

/** Whether somebody paused the tenant to replace or remove its file, and is not known to have ended. */
export function isStuck({ state, reason }: Pick<TenantRecord, "state" | "reason">): boolean {
  return state === "moving" && (reason === RESTORE_REASON || reason === LEAVING_REASON);
}

function keptElsewhere({ id, driver }: TenantRecord): TenantryError {
  return new TenantryError("UNSUPPORTED", `Tenant "${id}" is no file of this machine: ${driver} keeps it.`, {
    tenant: id,
    hint: "Restore it where it is kept, or make a new tenant of a copy with --to.",
  });
}

function restoredAlready(tenant: TenantId): TenantryError {
  return new TenantryError("TENANT_BUSY", `Tenant "${tenant}" is being restored already.`, {
    tenant,
    hint: "Try again when that has ended.",
    retryAfterSeconds: 5,
  });
}

function taken(tenant: TenantId): TenantryError {
  return new TenantryError("TENANT_EXISTS", `There is a tenant "${tenant}" already.`, {
    tenant,
    hint: "Choose another name for the copy.",
  });
}
