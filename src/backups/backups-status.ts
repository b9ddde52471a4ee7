// Owns how the replication stands, in figures, and what of it is an alarm.
// Measures nothing itself.
import type { TenantId } from "../tenant-id.ts";
import type { CanaryState } from "./canary.ts";

/** Milliseconds after which what is not in the replica is an alarm. */
export const DEFAULT_STALE_MS = 60_000;

/** Bytes of what Litestream keeps beside a database, beyond four times the database, that are an alarm. */
export const LARGE_FOLDER_BYTES = 64 * 1024 * 1024;

/** A tenant that is being replicated. */
export interface TenantBackup {
  readonly tenant: TenantId;
  /** Milliseconds for which writes may have been missing from the replica; 0 where none is. */
  readonly lagMs: number;
  /** Whether the replica has had all of it since the server began to replicate it. */
  readonly confirmed: boolean;
  /** Why the last upload failed; null where it did not. */
  readonly failure: string | null;
  /** Whether the replica has numbers that this database has not reached: somebody else writes there. */
  readonly ahead: boolean;
}

/** What can be wrong. Each is for as long as it is so. */
export const BACKUP_ALARMS = {
  "lease-lost": "another server has taken the replica; nothing is replicated any more",
  canary: "a row that was written to be seen in the replica has not arrived there",
  stale: "tenants' writes have been missing from the replica for too long",
  failing: "uploads of tenants fail",
  ahead: "the replica has transactions that a tenant has not: something else writes there",
  stranded: "suspended tenants have writes that are not in the replica; they go there when they are resumed",
  "large-folders": "what Litestream keeps beside databases has grown",
  catalog: "the catalog cannot be read",
} as const;

/** One of {@link BACKUP_ALARMS}. */
export type BackupAlarm = keyof typeof BACKUP_ALARMS;

/** How the replication stands. */
export interface BackupsStatus {
  /** Without passwords. */
  readonly replica: string;
  /** Litestream's version. */
  readonly litestream: string;
  readonly pids: readonly number[];
  /** Databases that Litestream has now: tenants, the catalog, and the canary. */
  readonly registered: number;
  /** Tenants marked dirty. */
  readonly dirty: number;
  /** The longest for which a tenant's writes may have been missing from the replica, in milliseconds. */
  readonly maxLagMs: number;
  readonly canary: CanaryState;
  /** Litestream processes that have ended by themselves, since the start. */
  readonly restarts: number;
  /** Syncs that failed, since the start. */
  readonly failures: number;
  /** Tenants brought round though nobody writes to them, since the start. */
  readonly rotation: { readonly rotated: number; readonly failures: number };
  readonly alarms: readonly BackupAlarm[];
}

/** What `/readyz` says: nothing that names a tenant or a place. */
export type BackupsHealth =
  | { readonly state: "on"; readonly alarms: readonly BackupAlarm[] }
  | { readonly state: "off"; readonly reason: string };

/** What a server that replicates tells the other processes on its folder. */
export interface BackupsReport {
  readonly status: BackupsStatus;
  readonly tenants: readonly TenantBackup[];
}

/** What {@link alarmsOf} looks at. */
export interface AlarmFacts {
  readonly lost: boolean;
  readonly startedAt: number;
  readonly canary: CanaryState;
  readonly tenants: readonly TenantBackup[];
  readonly stranded: number;
  readonly largeFolders: number;
  readonly catalogError: unknown;
  readonly staleMs: number;
}

/** What is wrong. */
export function alarmsOf(facts: AlarmFacts, now: number): BackupAlarm[] {
  const { tenants, staleMs, canary } = facts;
  const when: Readonly<Record<BackupAlarm, boolean>> = {
    "lease-lost": facts.lost,
    canary: now - (canary.arrivedAt ?? facts.startedAt) > staleMs,
    stale: tenants.some(({ lagMs }) => lagMs > staleMs),
    failing: tenants.some(({ failure }) => failure !== null),
    ahead: tenants.some(({ ahead }) => ahead),
    stranded: facts.stranded > 0,
    "large-folders": facts.largeFolders > 0,
    catalog: facts.catalogError !== undefined,
  };
  return (Object.keys(when) as BackupAlarm[]).filter((alarm) => when[alarm]);
}
