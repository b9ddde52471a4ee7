// Owns changes of tenants that are there: state, settings, schema, place, sizes and times.
// Does not create tenants: that is `create-queue.ts`.
import type { SqlRunner, Statement } from "../drivers/driver.ts";
import type { TenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import { SYSTEM_ACTOR } from "./audit-log.ts";
import type { CatalogLock } from "./catalog-lock.ts";
import type { RowCache } from "./row-cache.ts";
import {
  type LiveTenantState,
  type SettingsUpdate,
  TENANT_COLUMNS,
  type TenantRecord,
  type TenantState,
} from "./tenant-record.ts";

/** A change of state that holds only from the states named. */
export interface StateChange {
  /** The states in which the change is right. */
  readonly from: readonly LiveTenantState[];
  readonly to: TenantState;
  /** Why, for a person. @default null */
  readonly reason?: string | null | undefined;
  /** Only this incarnation. @default whichever is there */
  readonly incarnation?: string | undefined;
  /**
   * Runs once the state has been found right, while the catalog is locked, so that neither this process nor
   * another can change the state or make the tenant anew meanwhile: it removes a deleted tenant's files. The
   * change is written if it fulfils. Nobody else can write to the catalog until it does: keep it short.
   */
  readonly whileLocked?: ((record: TenantRecord) => Promise<void>) | undefined;
}

/** Facts about a tenant that have changed, and settings. */
export interface TenantUpdate extends SettingsUpdate {
  readonly driver?: string | undefined;
  readonly shard?: string | undefined;
  readonly schemaVersion?: string | undefined;
  readonly schemaHash?: string | undefined;
  readonly sizeBytes?: number | undefined;
  /** Milliseconds since 1970. */
  readonly openedAt?: number | undefined;
}

/** The column of each fact. */
const COLUMN_OF: Readonly<Record<keyof TenantUpdate, string>> = {
  driver: "driver",
  shard: "shard",
  schemaVersion: "schema_version",
  schemaHash: "schema_hash",
  sizeBytes: "size_bytes",
  openedAt: "opened_at",
  statementTimeoutMs: "statement_timeout_ms",
  transactionTimeoutMs: "transaction_timeout_ms",
  maxBytes: "max_bytes",
  blocked: "blocked",
  blockReason: "block_reason",
  jwtKey: "jwt_key",
  durability: "durability",
};

/** What {@link TenantChanges} works on. */
export interface TenantChangesOptions {
  readonly db: SqlRunner;
  readonly lock: CatalogLock;
  readonly cache: RowCache<TenantRecord>;
  readonly clock: () => number;
  /** Called after a tenant has been deleted: its aliases and keys went with it. */
  readonly onDeleted: (id: TenantId) => void;
  /** Reads a tenant, deleted or not. */
  readonly read: (id: TenantId) => Promise<TenantRecord | undefined>;
}

/** Changes tenants. */
export class TenantChanges {
  readonly #options: TenantChangesOptions;

  constructor(options: TenantChangesOptions) {
    this.#options = options;
  }

  /** Compares and sets the state, in one transaction with its audit entry. */
  async setState(id: TenantId, change: StateChange, actor = SYSTEM_ACTOR): Promise<TenantRecord> {
    const { lock, cache, clock, onDeleted } = this.#options;
    const { whileLocked } = change;
    const statements = stateStatements(id, change, actor, clock());
    const record = await cache.keep(
      id,
      async () => {
        const results = whileLocked
          ? await lock.hold([id], async (tx) => {
              const { rows } = await tx.run(statements.find);
              if (rows[0] === undefined) return [];
              await whileLocked(rows[0] as unknown as TenantRecord);
              return tx.batch(statements.change);
            })
          : await lock.batch(id, statements.change);
        return results[1]?.rows[0] as TenantRecord | undefined;
      },
      (row) => (row?.state === "deleted" ? undefined : row),
    );
    if (!record) throw await this.#refusal(id, change);
    if (record.state === "deleted") onDeleted(id);
    return record;
  }

  /** Writes facts. */
  async update(id: TenantId, update: TenantUpdate): Promise<TenantRecord> {
    const { db, cache, clock } = this.#options;
    const columns: string[] = [];
    const values: unknown[] = [];
    for (const [fact, column] of Object.entries(COLUMN_OF)) {
      const value = update[fact as keyof TenantUpdate];
      if (value === undefined) continue;
      columns.push(`${column} = ?`);
      values.push(value);
    }
    const record = await cache.keep(
      id,
      async () => {
        const { rows } = await db.run({
          sql: `UPDATE tenants SET ${[...columns, "updated_at = ?"].join(", ")}
                WHERE id = ? AND state <> 'deleted' RETURNING ${TENANT_COLUMNS}`,
          params: [...values, clock(), id],
        });
        return rows[0] as TenantRecord | undefined;
      },
      (row) => row,
    );
    if (!record) throw notFound(id);
    return record;
  }

  async #refusal(id: TenantId, { from, incarnation }: StateChange): Promise<TenantryError> {
    const present = await this.#options.read(id);
    if (!present || present.state === "deleted") return notFound(id);
    if (incarnation !== undefined && incarnation !== present.incarnation) {
      return new TenantryError(
        "TENANT_NOT_FOUND",
        `Tenant "${id}" has been deleted and made anew meanwhile.`,
        {
          tenant: id,
          hint: "Read the tenant again before changing it.",
        },
      );
    }
    return new TenantryError(
      "TENANT_STATE",
      `Tenant "${id}" is ${present.state}; this needs it to be ${from.join(" or ")}.`,
      {
        tenant: id,
        ...(present.reason !== null && { hint: `It is ${present.state} because: ${present.reason}` }),
      },
    );
  }
}

/** The error for a tenant that is not in the catalog. */
export function notFound(id: TenantId): TenantryError {
  return new TenantryError("TENANT_NOT_FOUND", `There is no tenant "${id}".`, {
    tenant: id,
    hint: `Create it with "tenantry tenants create ${id}", or look for its name with "tenantry tenants list".`,
  });
}

/** The statements that find the tenant in the state for a change, and that change it: the second returns it. */
function stateStatements(
  id: TenantId,
  { from, to, reason = null, incarnation }: StateChange,
  actor: string,
  now: number,
): { readonly find: Statement; readonly change: readonly Statement[] } {
  const condition = `id = ? AND state IN (${from.map(() => "?").join(", ")})${
    incarnation === undefined ? "" : " AND incarnation = ?"
  }`;
  const params = [id, ...from, ...(incarnation === undefined ? [] : [incarnation])];
  return {
    find: { sql: `SELECT ${TENANT_COLUMNS} FROM tenants WHERE ${condition}`, params },
    change: [
      // Before the update, so that it says what the state was.
      {
        sql: `INSERT INTO audit_log (at, actor, action, tenant, detail)
              SELECT ?, ?, 'tenant.state', id,
                json_object('from', state, 'to', ?, 'reason', ?, 'incarnation', incarnation)
              FROM tenants WHERE ${condition}`,
        params: [now, actor, to, reason, ...params],
      },
      {
        // While a tenant was closed its file may have been replaced by another. Who moves it sees to that himself.
        sql: `UPDATE tenants SET state = ?, reason = ?, updated_at = ?, deleted_at = ?,
                backup_state = iif(? = 'active' AND state <> 'moving' AND backup_state <> 'none', 'dirty', backup_state)
              WHERE ${condition} RETURNING ${TENANT_COLUMNS}`,
        params: [to, reason, now, to === "deleted" ? now : null, to, ...params],
      },
      ...(to === "deleted" ? leftovers(id, now) : []),
    ],
  };
}

/** A later tenant of the same name must inherit neither hosts nor keys. */
function leftovers(id: TenantId, now: number): Statement[] {
  const deleted = "AND EXISTS (SELECT 1 FROM tenants WHERE id = ? AND state = 'deleted')";
  return [
    { sql: `DELETE FROM aliases WHERE tenant = ? ${deleted}`, params: [id, id] },
    {
      sql: `UPDATE api_keys SET revoked_at = ? WHERE tenant = ? AND revoked_at IS NULL ${deleted}`,
      params: [now, id, id],
    },
  ];
}
