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

/** What callers of a blocked tenant cannot do: `writes`, or `all`. */
export const TENANT_BLOCKS = ["writes", "all"] as const;

/** One of {@link TENANT_BLOCKS}. */
export type TenantBlock = (typeof TENANT_BLOCKS)[number];

/** What an operator sets for one tenant. Null stands for what all tenants have. */
export interface TenantSettings {
  /** Milliseconds that a request of this tenant may take; null for the server's own limit. */
  readonly statementTimeoutMs: number | null;
  /** Milliseconds that its transactions may be open; null for the server's own limit. */
  readonly transactionTimeoutMs: number | null;
  /** Bytes that its database may grow to; null for the server's own limit. */
  readonly maxBytes: number | null;
  /** What its callers cannot do; null where they can do what their credentials say. */
  readonly blocked: TenantBlock | null;
  /** Why it is blocked, for a person. */
  readonly blockReason: string | null;
  /** An Ed25519 public key besides the server's: tokens signed with its other half are good for this tenant. */
  readonly jwtKey: string | null;
  /** When its writes are acknowledged; null for the server's own rule. */
  readonly durability: TenantDurability | null;
}

/** Settings that change; what is left out, or undefined, stays. */
export type SettingsUpdate = { readonly [Name in keyof TenantSettings]?: TenantSettings[Name] | undefined };

/** The settings of a tenant for which none were made. */
export const DEFAULT_TENANT_SETTINGS: TenantSettings = {
  statementTimeoutMs: null,
  transactionTimeoutMs: null,
  maxBytes: null,
  blocked: null,
  blockReason: null,
  jwtKey: null,
  durability: null,
};

/** What the catalog knows of a tenant. Times are milliseconds since 1970, UTC. */
export interface TenantRecord extends TenantSettings {
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
  /**
   * When its file left this machine's disk for the replica, in milliseconds since 1970; null while it is here.
   * Its first use brings it back.
   */
  readonly awaySince: number | null;
}

/** The columns as a record's properties, so that a row needs no translation. */
export const TENANT_COLUMNS = [
  "id, incarnation, state, reason, driver, shard, schema_version AS schemaVersion",
  "schema_hash AS schemaHash, size_bytes AS sizeBytes, created_at AS createdAt, updated_at AS updatedAt",
  "opened_at AS openedAt, deleted_at AS deletedAt, statement_timeout_ms AS statementTimeoutMs",
  "transaction_timeout_ms AS transactionTimeoutMs, max_bytes AS maxBytes, blocked",
  "block_reason AS blockReason, jwt_key AS jwtKey",
  "backup_state AS backupState, backup_epoch AS backupEpoch, backup_txid AS backupTxid",
  "backup_settled_at AS backupSettledAt, backup_verified_at AS backupVerifiedAt",
  "backup_verify_failure AS backupVerifyFailure, away_since AS awaySince, durability",
].join(", ");
