// Owns the replication of a data folder: it starts and ends what does it, and tells how it stands.
// Restores nothing.
import type { Catalog } from "../catalog/catalog.ts";
import type { TenantRecord } from "../catalog/tenant-record.ts";
import type { LocalDriver } from "../drivers/local/local-driver.ts";
import type { TenantId } from "../tenant-id.ts";
import { HotSet, type HotSetOptions } from "./hot-set.ts";
import { findLitestream, type LitestreamBinary } from "./litestream-binary.ts";
import type { RetentionOptions } from "./litestream-config.ts";
import { type LitestreamEvent, LitestreamPool } from "./litestream-pool.ts";
import { ReplicationGate } from "./replication-gate.ts";
import type { ReplicaUrl } from "./replica-url.ts";

/** Milliseconds that the end of a server gives to bring the last writes into the replica. */
export const DEFAULT_BACKUPS_GRACE_MS = 10_000;

/** How a data folder is replicated. */
export interface BackupsOptions
  extends RetentionOptions, Pick<HotSetOptions, "maxHot" | "settleIdleMs" | "pollMs"> {
  /** @default the one that {@link findLitestream} finds */
  readonly binary?: LitestreamBinary | undefined;
  /** Databases of one Litestream process. @default 500 */
  readonly maxDatabasesPerProcess?: number | undefined;
  readonly onEvent?: ((event: LitestreamEvent) => void) | undefined;
}

/** What a {@link Backups} works on. */
export interface BackupsParts {
  readonly catalog: Catalog;
  readonly driver: LocalDriver;
  readonly replica: ReplicaUrl;
}

/** A tenant that is being replicated. */
export interface TenantBackup {
  readonly tenant: TenantId;
  /** Milliseconds for which writes may have been missing from the replica; 0 where none is. */
  readonly lagMs: number;
  /** Why the last upload failed; null where it did not. */
  readonly failure: string | null;
  /** Whether the replica has numbers that this database has not reached: somebody else writes there. */
  readonly ahead: boolean;
}

/** How the replication stands. */
export interface BackupsStatus {
  /** Without passwords. */
  readonly replica: string;
  readonly litestream: string;
  readonly pids: readonly number[];
  /** Tenants that Litestream has now. */
  readonly replicating: number;
  /** Tenants marked dirty. */
  readonly dirty: number;
  /** The longest for which a tenant's writes may have been missing from the replica, in milliseconds. */
  readonly maxLagMs: number;
  readonly restarts: number;
  readonly failures: number;
}

/** What a server that replicates tells the other processes on its folder. */
export interface BackupsReport {
  readonly status: BackupsStatus;
  readonly tenants: readonly TenantBackup[];
}

/** Replicates every tenant that is written to, and knows of each of the others that its last write is safe. */
export class Backups {
  readonly replica: ReplicaUrl;
  readonly binary: LitestreamBinary;
  readonly hot: HotSet;
  readonly #pool: LitestreamPool;
  #gate: ReplicationGate | undefined;
  #closing: Promise<void> | undefined;

  /** Begins to replicate. @throws {TenantryError} `BACKUPS_UNAVAILABLE`, `DATABASE_*` for the catalog */
  static async start(
    { catalog, driver, replica }: BackupsParts,
    { binary: given, maxDatabasesPerProcess, onEvent, ...options }: BackupsOptions = {},
  ): Promise<Backups> {
    const binary = given ?? (await findLitestream());
    const { snapshotHours, retentionHours, ...hotOptions } = options;
    const pool = new LitestreamPool({
      binary: binary.path,
      maxDatabasesPerProcess,
      snapshotHours,
      retentionHours,
      onEvent,
    });
    const hot = new HotSet({
      ...hotOptions,
      catalog,
      pool,
      replica,
      driver: driver.name,
      pathOf: (id) => driver.files.pathOf(id),
    });
    const backups = new Backups(replica, binary, pool, hot);
    backups.#gate = await ReplicationGate.open(driver.dir, backups);
    try {
      await hot.start();
      return backups;
    } catch (error) {
      await backups.close(0);
      throw error;
    }
  }

  /** Use {@link Backups.start}. */
  private constructor(replica: ReplicaUrl, binary: LitestreamBinary, pool: LitestreamPool, hot: HotSet) {
    this.replica = replica;
    this.binary = binary;
    this.#pool = pool;
    this.hot = hot;
  }

  /** Waits until what is committed of a tenant now is in the replica. @throws where it is not in `timeoutMs` */
  replicated(id: TenantId, timeoutMs: number): Promise<number> {
    return this.hot.replicated(id, timeoutMs);
  }

  /** Lets go of the file of a tenant that has been closed. */
  release({ id }: TenantRecord): Promise<void> {
    return this.hot.release(id);
  }

  status(): BackupsStatus {
    const { pids, registered, restarts, failures } = this.#pool.stats();
    return {
      replica: this.replica.shown,
      litestream: this.binary.version,
      pids,
      replicating: registered,
      dirty: this.hot.dirty,
      maxLagMs: this.tenants().reduce((max, { lagMs }) => Math.max(max, lagMs), 0),
      restarts,
      failures,
    };
  }

  /** The tenants that are being replicated now. */
  tenants(): TenantBackup[] {
    const now = Date.now();
    return Array.from(this.hot.tenants, ({ record, path, since, wroteAt, lastFailure, ahead }) => {
      const syncedAt = this.#pool.syncedAt(path);
      return {
        tenant: record.id,
        lagMs: syncedAt > wroteAt ? 0 : Math.max(0, now - Math.max(since, syncedAt)),
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
    return (this.#closing ??= this.#close(graceMs));
  }

  async #close(graceMs: number): Promise<void> {
    const deadline = performance.now() + graceMs;
    try {
      await this.#gate?.close();
      await this.hot.close(graceMs);
    } finally {
      await this.#pool.close(Math.max(0, deadline - performance.now()));
    }
  }
}
