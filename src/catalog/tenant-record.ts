// Owns what the catalog knows of a tenant: the record's shape and its states.
// Does not read or write it: that is `tenant-table.ts`.
import type { TenantId } from "../tenant-id.ts";

/**
 * Every state of a tenant. `active`: serves. `suspended`: an operator closed it. `migrating`: its schema is
 * being changed. `quarantined`: a migration failed, `reason` says how. `moving`: on its way to another
 * shard. `deleted`: a tombstone.
 */
export const TENANT_STATES = [
  "active",
  "suspended",
  "migrating",
  "quarantined",
  "moving",
  "deleted",
] as const;

/** One of {@link TENANT_STATES}. */
export type TenantState = (typeof TENANT_STATES)[number];

/** A state of a tenant that is there. Only `create()` leads out of `deleted`. */
export type LiveTenantState = Exclude<TenantState, "deleted">;

/** All states but `deleted`. */
export const LIVE_TENANT_STATES: readonly LiveTenantState[] = TENANT_STATES.filter(
  (state) => state !== "deleted",
);

/**
 * What is known of a tenant's replica. `none`: it has never been in one. `dirty`: it may have writes that are
 * not there. `settling`: the server is finding out. `clean`: its last write is there.
 */
export const BACKUP_STATES = ["none", "dirty", "settling", "clean"] as const;

/** One of {@link BACKUP_STATES}. */
export type BackupState = (typeof BACKUP_STATES)[number];

/** When a write is acknowledged: once it is committed here, or once it is in the replica, too. */
export const TENANT_DURABILITIES = ["local", "replicated"] as const;

/** One of {@link TENANT_DURABILITIES}. */
export type TenantDurability = (typeof TENANT_DURABILITIES)[number];

/** What the catalog knows of a tenant. Times are milliseconds since 1970, UTC. */
export interface TenantRecord {
  readonly id: TenantId;
  /** 32 hexadecimal digits, new at each creation: tells a re-created tenant from its former self. */
  readonly incarnation: string;
  readonly state: TenantState;
  /** Why it is in that state, for a person. */
  readonly reason: string | null;
  readonly driver: string;
  readonly shard: string;
  /** The newest migration applied, by name; empty when none is. */
  readonly schemaVersion: string;
  readonly schemaHash: string;
  /** Bytes of the database when they were last recorded. */
  readonly sizeBytes: number;
  readonly createdAt: number;
  /** When state, place or schema last changed. */
  readonly updatedAt: number;
  /** When it was last opened, to a minute. */
  readonly openedAt: number | null;
  /** Milliseconds that a request of this tenant may take; null for the server's own limit. */
  readonly statementTimeoutMs: number | null;
  readonly deletedAt: number | null;
  readonly backupState: BackupState;
  /** Rises with each restore and move: the last part of the replica's path. From 1. */
  readonly backupEpoch: number;
  /** Litestream's number of the last transaction that is known to be in the replica; 0 for none. */
  readonly backupTxid: number;
  /** When it was last found to have its last write in the replica. */
  readonly backupSettledAt: number | null;
  /** When a restore of it was last tried out. */
  readonly backupVerifiedAt: number | null;
  /** What was wrong then; null when nothing was, or none was tried. */
  readonly backupVerifyFailure: string | null;
  /** When its writes are acknowledged; null for the server's own rule. */
  readonly durability: TenantDurability | null;
}

/** The columns as a record's properties, so that a row needs no translation. */
export const TENANT_COLUMNS = [
  "id, incarnation, state, reason, driver, shard, schema_version AS schemaVersion",
  "schema_hash AS schemaHash, size_bytes AS sizeBytes, created_at AS createdAt, updated_at AS updatedAt",
  "opened_at AS openedAt, statement_timeout_ms AS statementTimeoutMs, deleted_at AS deletedAt",
  "backup_state AS backupState, backup_epoch AS backupEpoch, backup_txid AS backupTxid",
  "backup_settled_at AS backupSettledAt, backup_verified_at AS backupVerifiedAt",
  "backup_verify_failure AS backupVerifyFailure, durability",
].join(", ");
