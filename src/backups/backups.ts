// Owns the replication of a data folder: it starts and ends what does it, and tells how it stands.
// Restores nothing.
import { join } from "node:path";
import type { Catalog } from "../catalog/catalog.ts";
import type { TenantRecord } from "../catalog/tenant-record.ts";
import type { LocalDriver } from "../drivers/local/local-driver.ts";
import type { TenantId } from "../tenant-id.ts";
import {
  alarmsOf,
  type BackupsReport,
  type BackupsStatus,
  DEFAULT_STALE_MS,
  type TenantBackup,
} from "./backups-status.ts";
import { Canary, canaryPath } from "./canary.ts";
import { ColdRotation } from "./cold-rotation.ts";
import { Closers } from "./closers.ts";
import { lockFolder } from "./folder-lock.ts";
import { FolderSizes } from "./folder-sizes.ts";
import { HotSet, type HotSetOptions } from "./hot-set.ts";
import { endLeftovers, processNotes } from "./leftover-processes.ts";
import { findLitestream, type LitestreamBinary } from "./litestream-binary.ts";
import type { RetentionOptions } from "./litestream-config.ts";
import { type LitestreamEvent, LitestreamPool } from "./litestream-pool.ts";
import { CANARY_PATH, catalogPath, type ReplicaUrl } from "./replica-url.ts";
import { type Durability, ReplicationGate } from "./replication-gate.ts";
import { SteadyDatabase } from "./steady-database.ts";
import { takePrefix } from "./take-prefix.ts";

/** Milliseconds that the end of a server gives to bring the last writes into the replica. */
export const DEFAULT_BACKUPS_GRACE_MS = 10_000;

/** Milliseconds that the catalog's last upload may take. */
const LAST_SYNC_MS = 5_000;

/** What happens to the replication. */
export type BackupsEvent = LitestreamEvent | { readonly what: "replica-lost"; readonly replica: string };

/** How a data folder is replicated. */
export interface BackupsOptions
  extends RetentionOptions, Pick<HotSetOptions, "maxHot" | "settleIdleMs" | "pollMs" | "rotateAfterMs"> {
  /** @default the one that `findLitestream()` finds */
  readonly binary?: LitestreamBinary | undefined;
  /** Databases of one Litestream process. @default 500 */
  readonly maxDatabasesPerProcess?: number | undefined;
  /** Databases that a Litestream process is given before it is replaced. @default 20000 */
  readonly maxRegistrations?: number | undefined;
  /** Milliseconds after which what is not in the replica is an alarm. @default 60000 */
  readonly staleMs?: number | undefined;
  /** Milliseconds between two tenants that are brought round though nobody writes to them. @default 1000 */
  readonly rotateEveryMs?: number | undefined;
  /** Milliseconds between two canaries. @default 10000 */
  readonly canaryMs?: number | undefined;
  /** Milliseconds between two renewals of the lease of the replica's prefix. @default 10000 */
  readonly renewMs?: number | undefined;
  readonly onEvent?: ((event: BackupsEvent) => void) | undefined;
}

/** What a {@link Backups} works on. */
export interface BackupsParts {
  readonly catalog: Catalog;
  readonly driver: LocalDriver;
  readonly replica: ReplicaUrl;
  /** The server's rule for tenants that have none of their own: other processes on the folder keep to it. */
  readonly durability: Durability;
}

/** What runs. */
interface Running {
  readonly pool: LitestreamPool;
  readonly hot: HotSet;
  readonly rotation: ColdRotation;
  readonly sizes: FolderSizes;
  readonly canary: Canary;
}

/** Replicates every tenant that is written to, and knows of each of the others that its last write is safe. */
export class Backups {
  readonly replica: ReplicaUrl;
  readonly binary: LitestreamBinary;
  readonly #running: Running;
  readonly #staleMs: number;
  readonly #startedAt = Date.now();
  readonly #isLost: () => boolean;
  readonly #end: (graceMs: number) => Promise<void>;
  #closing: Promise<void> | undefined;

  /**
   * Begins to replicate.
   * @throws {TenantryError} `BACKUPS_UNAVAILABLE`, `REPLICA_TAKEN`, `DATABASE_*` for the catalog
   */
  static async start(parts: BackupsParts, options: BackupsOptions = {}): Promise<Backups> {
    const binary = options.binary ?? (await findLitestream());
    const closers = new Closers();
    try {
      return await Backups.#start(parts, options, binary, closers);
    } catch (error) {
      await closers.close();
      throw error;
    }
  }

  static async #start(
    parts: BackupsParts,
    options: BackupsOptions,
    binary: LitestreamBinary,
    closers: Closers,
  ): Promise<Backups> {
    const { catalog, driver, replica } = parts;
    const { onEvent, snapshotHours, retentionHours, maxDatabasesPerProcess, maxRegistrations } = options;
    const lock = await lockFolder(driver.dir);
    closers.add(() => lock[Symbol.dispose]());
    const notes = processNotes(driver.dir);
    await endLeftovers(notes);
    let lost = false;
    const owner = await takePrefix(replica, driver.dir, {
      renewMs: options.renewMs,
      onLost: () => {
        lost = true;
        onEvent?.({ what: "replica-lost", replica: replica.shown });
        void Promise.all([hot.stop(), rotation.close()]).then(() => pool.close(0));
      },
    });
    closers.add(() => owner.release());
    const pool = new LitestreamPool({
      binary: binary.path,
      notes,
      maxDatabasesPerProcess,
      maxRegistrations,
      snapshotHours,
      retentionHours,
      onEvent,
    });
    const deadline = { at: 0 };
    const leftMs = (): number => Math.max(0, deadline.at - performance.now());
    closers.add(() => pool.close(leftMs()));
    const steady = (path: string, below: string): SteadyDatabase => {
      const database = new SteadyDatabase(pool, path, replica.at(below));
      closers.add(() => database.close(Math.min(LAST_SYNC_MS, leftMs())));
      return database;
    };
    // Both end after the tenants: the catalog says what came of them.
    const canaryDatabase = steady(canaryPath(driver.dir), `${CANARY_PATH}/${owner.catalogEpoch}`);
    const catalogDatabase = steady(join(driver.dir, "catalog.db"), catalogPath(owner.catalogEpoch));
    const hot = new HotSet({
      ...options,
      catalog,
      pool,
      replica,
      driver: driver.name,
      syncCatalog: (timeoutMs) => catalogDatabase.sync(timeoutMs),
      pathOf: (id) => driver.files.pathOf(id),
    });
    const canary = await Canary.open(driver, canaryDatabase, options.canaryMs);
    closers.add(() => canary.close());
    for (const database of [canaryDatabase, catalogDatabase]) database.start();
    closers.add(() => hot.close(leftMs()));
    const rotation = new ColdRotation({
      catalog,
      hot,
      replica,
      binary: binary.path,
      pathOf: (id) => driver.files.pathOf(id),
      retentionHours,
      rotateEveryMs: options.rotateEveryMs,
    });
    closers.add(() => rotation.close());
    const sizes = new FolderSizes(() => Array.from(hot.tenants, ({ path }) => path));
    closers.add(() => sizes.close());
    const backups = new Backups(
      replica,
      binary,
      { pool, hot, rotation, sizes, canary },
      { staleMs: options.staleMs ?? DEFAULT_STALE_MS, isLost: () => lost },
      (ms) => {
        deadline.at = performance.now() + ms;
        return closers.close();
      },
    );
    await hot.start();
    const gate = await ReplicationGate.open(driver.dir, backups, parts.durability);
    closers.add(() => gate.close());
    return backups;
  }

  /** Use {@link Backups.start}. */
  private constructor(
    replica: ReplicaUrl,
    binary: LitestreamBinary,
    running: Running,
    { staleMs, isLost }: { readonly staleMs: number; readonly isLost: () => boolean },
    end: (graceMs: number) => Promise<void>,
  ) {
    this.replica = replica;
    this.binary = binary;
    this.#running = running;
    this.#staleMs = staleMs;
    this.#isLost = isLost;
    this.#end = end;
  }

  /**
   * Waits until what is committed of a tenant now is in the replica.
   * @returns the number of the last transaction there
   * @throws where it is not in `timeoutMs`
   */
  replicated(id: TenantId, timeoutMs: number): Promise<number> {
    return this.#running.hot.replicated(id, timeoutMs);
  }

  /** Lets go of the file of a tenant that has been closed. */
  release({ id }: TenantRecord): Promise<void> {
    return this.#running.hot.release(id);
  }

  status(): BackupsStatus {
    const { pool, hot, rotation, sizes, canary } = this.#running;
    const { pids, registered, restarts, failures } = pool.stats();
    const tenants = this.tenants();
    const now = Date.now();
    const facts = {
      lost: this.#isLost(),
      startedAt: this.#startedAt,
      canary: canary.state,
      tenants,
      stranded: hot.stranded,
      largeFolders: sizes.large.length,
      catalogError: hot.lastError,
      staleMs: this.#staleMs,
    };
    return {
      replica: this.replica.shown,
      litestream: this.binary.version,
      pids,
      registered,
      dirty: hot.dirty,
      maxLagMs: tenants.reduce((max, { lagMs }) => Math.max(max, lagMs), 0),
      canary: canary.state,
      restarts,
      failures,
      rotation: rotation.stats(),
      alarms: alarmsOf(facts, now),
    };
  }

  /** The tenants that are being replicated now. */
  tenants(): TenantBackup[] {
    const { hot, pool } = this.#running;
    const now = Date.now();
    return Array.from(hot.tenants, ({ record, path, since, wroteAt, confirmed, lastFailure, ahead }) => {
      const syncedAt = pool.syncedAt(path);
      return {
        tenant: record.id,
        lagMs: syncedAt > wroteAt ? 0 : Math.max(0, now - Math.max(since, syncedAt)),
        confirmed,
        failure: lastFailure ?? null,
        ahead,
      };
    });
  }

  /** For other processes on the folder: see {@link ReplicationGate}. */
  report(): BackupsReport {
    return { status: this.status(), tenants: this.tenants() };
  }

  /** Brings the last writes into the replica, for `graceMs` at most, and ends. Idempotent. */
  close(graceMs = DEFAULT_BACKUPS_GRACE_MS): Promise<void> {
    return (this.#closing ??= this.#end(graceMs));
  }
}
