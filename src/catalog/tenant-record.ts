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
}

/** The columns as a record's properties, so that a row needs no translation. */
export const TENANT_COLUMNS = [
  "id, incarnation, state, reason, driver, shard, schema_version AS schemaVersion",
  "schema_hash AS schemaHash, size_bytes AS sizeBytes, created_at AS createdAt, updated_at AS updatedAt",
  "opened_at AS openedAt, statement_timeout_ms AS statementTimeoutMs, deleted_at AS deletedAt",
].join(", ");
