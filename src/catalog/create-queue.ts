// Owns bringing tenants into the catalog: exactly one creator of an id wins, and many share a commit.
// Does not know how a database comes into being: `provision` does that.
import type { SqlRunner } from "../drivers/driver.ts";
import type { TenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import { SYSTEM_ACTOR } from "./audit-log.ts";
import type { CatalogLock } from "./catalog-lock.ts";
import { randomId } from "./random-id.ts";
import type { RowCache } from "./row-cache.ts";
import { DEFAULT_TENANT_SETTINGS, type TenantRecord, type TenantSettings } from "./tenant-record.ts";

/** Creations that share a commit at most. */
export const MAX_CREATIONS_PER_COMMIT = 100;

/** A tenant to be. */
export interface NewTenant {
  readonly id: TenantId;
  readonly driver: string;
  readonly shard: string;
  readonly schemaVersion: string;
  readonly schemaHash: string;
  readonly sizeBytes: number;
  /** 32 hexadecimal digits. @default random */
  readonly incarnation?: string | undefined;
  /** Why it is suspended from the first moment on. @default it is active */
  readonly suspended?: string | undefined;
  /** What is set for it from the first moment on. @default nothing */
  readonly settings?: Partial<TenantSettings> | undefined;
  /** Whether it is to be replicated from the beginning. @default "none" */
  readonly backupState?: "none" | "dirty" | undefined;
  /** Who creates it. @default "system" */
  readonly actor?: string | undefined;
  /**
   * Puts the prepared database into its place. It runs while the catalog is locked and knows that no such
   * tenant exists, so a database that it finds there is what a crash has left. It should do no more than
   * rename: nobody else can write to the catalog meanwhile. If it rejects, this tenant is not created.
   */
  readonly provision: (record: TenantRecord) => Promise<void>;
}

/** What a {@link CreateQueue} works on. */
export interface CreateQueueOptions {
  readonly lock: CatalogLock;
  readonly cache: RowCache<TenantRecord>;
  readonly clock: () => number;
  /** Called before a tenant is there, so that nothing of its former self is written to it. */
  readonly onCreating: (id: TenantId) => void;
}

interface Creation {
  readonly tenant: NewTenant;
  readonly resolve: (record: TenantRecord) => void;
  readonly reject: (error: unknown) => void;
}

interface Made {
  readonly creation: Creation;
  readonly record: TenantRecord;
}

const INSERT_SQL = `
INSERT INTO tenants (id, incarnation, state, reason, driver, shard, schema_version, schema_hash, size_bytes,
  created_at, updated_at, statement_timeout_ms, transaction_timeout_ms, max_bytes, blocked, block_reason, jwt_key, durability,
  backup_state)
SELECT made.value ->> 'id', made.value ->> 'incarnation', made.value ->> 'state', made.value ->> 'reason', made.value ->> 'driver',
  made.value ->> 'shard', made.value ->> 'schemaVersion', made.value ->> 'schemaHash',
  made.value ->> 'sizeBytes', made.value ->> 'createdAt', made.value ->> 'updatedAt',
  made.value ->> 'statementTimeoutMs', made.value ->> 'transactionTimeoutMs', made.value ->> 'maxBytes',
  made.value ->> 'blocked', made.value ->> 'blockReason', made.value ->> 'jwtKey', made.value ->> 'durability', made.value ->> 'backupState'
FROM json_each(?) AS made WHERE true
ON CONFLICT (id) DO UPDATE SET
  incarnation = excluded.incarnation, state = excluded.state, reason = excluded.reason, driver = excluded.driver,
  shard = excluded.shard, schema_version = excluded.schema_version, schema_hash = excluded.schema_hash,
  size_bytes = excluded.size_bytes, created_at = excluded.created_at, updated_at = excluded.updated_at,
  opened_at = NULL, deleted_at = NULL, statement_timeout_ms = excluded.statement_timeout_ms,
  transaction_timeout_ms = excluded.transaction_timeout_ms, max_bytes = excluded.max_bytes,
  blocked = excluded.blocked, block_reason = excluded.block_reason, jwt_key = excluded.jwt_key,
  backup_state = excluded.backup_state, backup_epoch = 1, backup_txid = 0, backup_settled_at = NULL,
  backup_verified_at = NULL, backup_verify_failure = NULL, away_since = NULL, durability = excluded.durability
WHERE tenants.state = 'deleted'`;

const AUDIT_SQL = `
INSERT INTO audit_log (at, actor, action, tenant, detail)
SELECT made.value ->> 'at', made.value ->> 'actor', 'tenant.create', made.value ->> 'tenant',
  made.value ->> 'detail'
FROM json_each(?) AS made`;

/**
 * Creations in line. While one transaction commits, those that come gather for the next; where each tenant has a
 * lock of its own, nobody stands in line.
 */
export class CreateQueue {
  readonly #options: CreateQueueOptions;
  #waiting: Creation[] = [];
  #working: Promise<void> | undefined;

  constructor(options: CreateQueueOptions) {
    this.#options = options;
  }

  create(tenant: NewTenant): Promise<TenantRecord> {
    return new Promise((resolve, reject) => {
      if (!this.#options.lock.ofAllTenants) {
        void this.#createTogether([{ tenant, resolve, reject }]);
        return;
      }
      this.#waiting.push({ tenant, resolve, reject });
      this.#working ??= this.#work();
    });
  }

  /** Resolves when nobody is in line. */
  async idle(): Promise<void> {
    await this.#working;
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0) await this.#createTogether(this.#takeGroup());
    this.#working = undefined;
  }

  /** Each id once: the second creator of an id must see what became of the first. */
  #takeGroup(): Creation[] {
    const group = new Map<TenantId, Creation>();
    const later: Creation[] = [];
    let taken = 0;
    for (const creation of this.#waiting) {
      if (group.size === MAX_CREATIONS_PER_COMMIT) break;
      taken++;
      if (group.has(creation.tenant.id)) later.push(creation);
      else group.set(creation.tenant.id, creation);
    }
    this.#waiting = [...later, ...this.#waiting.slice(taken)];
    return [...group.values()];
  }

  async #createTogether(group: readonly Creation[]): Promise<void> {
    const { lock, cache } = this.#options;
    const tickets = group.map(({ tenant }) => ({ id: tenant.id, ticket: cache.begin(tenant.id) }));
    const records = new Map<TenantId, TenantRecord>();
    try {
      const ids = group.map(({ tenant }) => tenant.id);
      const made = await lock.hold(ids, (tx) => this.#provisionAndInsert(tx, group));
      for (const { creation, record } of made) {
        records.set(record.id, record);
        creation.resolve(record);
      }
    } catch (error) {
      for (const { reject } of group) reject(error);
    } finally {
      for (const { id, ticket } of tickets) cache.end(id, ticket, records.get(id));
    }
  }

  async #provisionAndInsert(tx: SqlRunner, group: readonly Creation[]): Promise<Made[]> {
    const { rows } = await tx.run({
      sql: "SELECT id FROM tenants WHERE id IN (SELECT value FROM json_each(?)) AND state <> 'deleted'",
      params: [JSON.stringify(group.map(({ tenant }) => tenant.id))],
    });
    const present = new Set((rows as { id: TenantId }[]).map(({ id }) => id));
    const now = this.#options.clock();
    const provisioned = await Promise.all(
      group.map(async (creation): Promise<Made | undefined> => {
        const { tenant } = creation;
        if (present.has(tenant.id)) {
          creation.reject(exists(tenant.id));
          return undefined;
        }
        const record = newRecord(tenant, now);
        this.#options.onCreating(tenant.id);
        try {
          await tenant.provision(record);
        } catch (error) {
          creation.reject(error);
          return undefined;
        }
        return { creation, record };
      }),
    );
    const made = provisioned.filter((one) => one !== undefined);
    if (made.length === 0) return made;
    const audits = made.map(({ creation, record }) => ({
      at: now,
      actor: creation.tenant.actor ?? SYSTEM_ACTOR,
      tenant: record.id,
      detail: { incarnation: record.incarnation, driver: record.driver, shard: record.shard },
    }));
    await tx.batch([
      { sql: INSERT_SQL, params: [JSON.stringify(made.map(({ record }) => record))] },
      { sql: AUDIT_SQL, params: [JSON.stringify(audits)] },
    ]);
    return made;
  }
}

function newRecord(tenant: NewTenant, now: number): TenantRecord {
  const { id, driver, shard, schemaVersion, schemaHash, sizeBytes, incarnation = randomId() } = tenant;
  return {
    id,
    incarnation,
    state: tenant.suspended === undefined ? "active" : "suspended",
    reason: tenant.suspended ?? null,
    driver,
    shard,
    schemaVersion,
    schemaHash,
    sizeBytes,
    createdAt: now,
    updatedAt: now,
    openedAt: null,
    deletedAt: null,
    backupState: tenant.backupState ?? "none",
    backupEpoch: 1,
    backupTxid: 0,
    backupSettledAt: null,
    backupVerifiedAt: null,
    backupVerifyFailure: null,
    awaySince: null,
    ...DEFAULT_TENANT_SETTINGS,
    ...tenant.settings,
  };
}

function exists(id: TenantId): TenantryError {
  return new TenantryError("TENANT_EXISTS", `There is a tenant "${id}" already.`, {
    tenant: id,
    hint: "Choose another id, or delete that tenant first.",
  });
}
