// Owns the composition of what brings tenants back: snapshots, the replica as it is read, and restores.
// Writes no replica: that is the hot set's.
import { rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { TenantRecord } from "../catalog/tenant-record.ts";
import type { LocalDriver } from "../drivers/local/local-driver.ts";
import { TenantryError } from "../tenantry-error.ts";
import type { Lifecycle } from "../tenants/lifecycle.ts";
import type { Tenants } from "../tenants/tenants.ts";
import { Archives } from "./archives.ts";
import { DiskBudget, type DiskBudgetParts } from "./disk-budget.ts";
import { Drills } from "./drills.ts";
import { Erasure } from "./erasure.ts";
import { FileExaminer } from "./file-examiner.ts";
import { Hydration } from "./hydration.ts";
import { Jobs } from "./jobs.ts";
import { findLitestream } from "./litestream-binary.ts";
import { objectSnapshots } from "./object-snapshots.ts";
import type { ObjectStore } from "./object-store.ts";
import { openObjectStore } from "./open-object-store.ts";
import { Replica } from "./replica.ts";
import { parseReplicaUrl, type ReplicaUrl } from "./replica-url.ts";
import { type ReplicatedTenants, Restores } from "./restores.ts";
import { localSnapshots } from "./snapshot-store.ts";
import { Snapshots } from "./snapshots.ts";
import { startTimetable, type TimetableOptions } from "./timetable.ts";

/** What {@link createRecovery} is given. */
export interface RecoveryParts {
  readonly tenants: Tenants;
  readonly lifecycle: Lifecycle;
  readonly driver: LocalDriver;
  /** Where the replica lies. @default nowhere */
  readonly replica?: string | undefined;
  /** Where snapshots are kept, as a URL of objects. @default the folder `snapshots/` */
  readonly snapshots?: string | undefined;
  readonly drainTimeoutMs?: number | undefined;
  /** Who replicates tenants in this process. @default nobody */
  readonly replicated?: ReplicatedTenants | undefined;
}

/** What brings tenants back. */
export interface Recovery {
  readonly snapshots: Snapshots;
  readonly restores: Restores;
  readonly drills: Drills;
  /** Brings tenants back to this disk that are away. */
  readonly hydration: Hydration;
  readonly erasure: Erasure;
  readonly archives: Archives;
  /** Work that outlasts a request. */
  readonly jobs: Jobs;
  /** Brings what a tenant wrote up to now into the replica. @returns its last transaction; undefined where nobody can */
  flush(record: TenantRecord): Promise<number | undefined>;
  /** The replica, to be read. @throws {TenantryError} `BACKUPS_UNAVAILABLE`, `INVALID_OPTION` */
  replica(): Promise<Replica>;
  /** Begins to take snapshots and to try restores out by the clock. @throws {TenantryError} `INVALID_OPTION` */
  startTimetable(options: TimetableOptions): Promise<void>;
  /** Begins to keep the disk within a budget. @param maxBytes of tenants' databases */
  keepWithin(
    maxBytes: number,
    options?: Pick<DiskBudgetParts, "coldMs" | "lookMs" | "onProblem">,
  ): DiskBudget;
  /** Stops what runs, which is given `graceMs` for it. Idempotent. */
  close(graceMs: number): Promise<void>;
}

/** Composes it. Nothing is started or read before it is needed. */
export function createRecovery(parts: RecoveryParts): Recovery {
  const { tenants, lifecycle, driver, drainTimeoutMs } = parts;
  const { dir, files } = driver;
  const examiner = new FileExaminer();
  const url = parts.replica === undefined ? undefined : parseReplicaUrl(parts.replica);
  let found: Promise<Replica> | undefined;
  const replica = (): Promise<Replica> => {
    if (!url) return Promise.reject(noReplica());
    found ??= findLitestream().then((binary) => new Replica({ binary, url }));
    found.catch(() => (found = undefined));
    return found;
  };
  const snapshotsUrl = parts.snapshots === undefined ? undefined : parseReplicaUrl(parts.snapshots);
  const store = snapshotsUrl
    ? objectSnapshots(openedOnce(snapshotsUrl), snapshotsUrl.shown)
    : localSnapshots(join(dir, "snapshots"));
  const snapshots = new Snapshots({ tenants, driver: driver.name, files, examiner, store });
  const replicated = parts.replicated ?? replicatedByNobody(driver);
  const flush = (record: TenantRecord): Promise<number | undefined> => replicated.flush(record);
  const restores = new Restores({
    dir,
    driver,
    files,
    tenants,
    lifecycle,
    snapshots,
    examiner,
    migrations: tenants.migrations,
    replica,
    replicated,
    replicates: url !== undefined,
    flush,
    drainTimeoutMs,
  });
  const drills = new Drills({ tenants, driver: driver.name, files, examiner, replica, flush });
  const hydration = new Hydration({ dir, catalog: tenants.catalog, driver, files, examiner, replica });
  const objects = url ? openedOnce(url) : async () => undefined;
  const erasure = new Erasure({ dir, files, tenants, lifecycle, snapshots, objects });
  const archives = new Archives({ catalog: tenants.catalog, lifecycle, files, examiner });
  const jobs = new Jobs();
  const ends: Disposable[] = [];
  const close = async (graceMs: number): Promise<void> => {
    for (const end of ends) end[Symbol.dispose]();
    const stopped = Promise.all([jobs.close(), hydration.close()]);
    examiner.close();
    const { promise: late, resolve } = Promise.withResolvers<void>();
    // Whatever does not stop by then bears being killed.
    const timer = setTimeout(resolve, graceMs);
    await Promise.race([stopped, late]);
    clearTimeout(timer);
  };
  return {
    snapshots,
    restores,
    drills,
    hydration,
    erasure,
    archives,
    jobs,
    flush,
    replica,
    startTimetable: async (options) => {
      ends.push(await startTimetable({ snapshots, drills, jobs }, options));
    },
    keepWithin: (maxBytes, options = {}) => {
      const budget = new DiskBudget({ dir, tenants, driver, replica, maxBytes, ...options });
      ends.push(budget);
      return budget;
    },
    close,
  };
}

/** A store that is opened when it is first needed, and again after it could not be. */
function openedOnce(url: ReplicaUrl): () => Promise<ObjectStore> {
  let opened: Promise<ObjectStore> | undefined;
  return () => {
    opened ??= openObjectStore(url);
    opened.catch(() => (opened = undefined));
    return opened;
  };
}

/** Whoever else replicates a tenant lets go of it by itself: the drain waits for that. */
function replicatedByNobody({ files }: LocalDriver): ReplicatedTenants {
  return {
    release: async () => {},
    forget: async ({ id }) => {
      const path = files.pathOf(id);
      await rm(join(dirname(path), `.${basename(path)}-litestream`), { recursive: true, force: true });
    },
    flush: async () => undefined,
    acknowledge: () => undefined,
  };
}

function noReplica(): TenantryError {
  return new TenantryError("BACKUPS_UNAVAILABLE", "No replica is configured.", {
    hint: "Name it with --replica URL or TENANTRY_REPLICA, or restore from a snapshot or a file.",
  });
}
