// Owns what the catalog knows of tenants' replicas: who may have writes that are not there, and who is next.
// Does not know how databases are replicated.
import type { SqlRunner } from "../drivers/driver.ts";
import type { TenantId } from "../tenant-id.ts";
import type { RowCache } from "./row-cache.ts";
import { notFound } from "./tenant-changes.ts";
import { BACKUP_STATES, type BackupState, TENANT_COLUMNS, type TenantRecord } from "./tenant-record.ts";

/** Tenants that are marked in one commit at most. */
const MAX_MARKS_PER_COMMIT = 250;

/** The index is named as those of `tenant-table.ts` are. */
const BY_BACKUP = "tenants INDEXED BY tenants_by_backup";

/** Which tenant, and which of those that have had its name. */
export type TenantKey = Pick<TenantRecord, "id" | "incarnation">;

/** What {@link BackupTable} works on. */
export interface BackupTableOptions {
  readonly db: SqlRunner;
  readonly cache: RowCache<TenantRecord>;
  readonly clock: () => number;
  /** Waits for a change, and until nobody holds for true what was read before it. */
  readonly seen: <T>(change: Promise<T>) => Promise<T>;
}

/**
 * The marks by which a tenant whose last write is in the replica is told from one whose may not be. A writer
 * sees to it that its tenant is `dirty` before its write is acknowledged; the server alone leads from there to
 * `clean`, by way of `settling`, which every writer that comes between them undoes (decisions/100).
 */
export class BackupTable {
  readonly #options: BackupTableOptions;
  #marks = new Map<TenantId, { readonly done: Promise<void>; readonly end: PromiseWithResolvers<void> }>();
  #marking = false;
  #changes = 0;

  constructor(options: BackupTableOptions) {
    this.#options = options;
  }

  /** How often something was written here. */
  get changes(): number {
    return this.#changes;
  }

  /**
   * The tenant, if it is in memory, with a mark that is not older than what {@link settle} waits for; else undefined:
   * `get()` of the catalog must look.
   */
  peek(id: TenantId): TenantRecord | undefined {
    return this.#options.cache.peekSeen(id);
  }

  /**
   * Marks a tenant as having writes that may not be in the replica. Durable when it fulfils; marks that come
   * together share a commit. A tenant that is not there is passed over.
   */
  markDirty(id: TenantId): Promise<void> {
    const under = this.#marks.get(id);
    if (under) return under.done;
    const end = Promise.withResolvers<void>();
    this.#marks.set(id, { done: end.promise, end });
    if (!this.#marking) {
      this.#marking = true;
      void this.#markAll();
    }
    return end.promise;
  }

  /**
   * `dirty` → `settling`: from here on a writer changes the mark again, for when this fulfils nobody holds it for
   * `dirty` any more. @returns whether it was `dirty`
   */
  async settle(tenant: TenantKey): Promise<boolean> {
    const sql = `UPDATE tenants SET backup_state = 'settling'
      WHERE id = ? AND incarnation = ? AND backup_state = 'dirty' AND state <> 'deleted'
      RETURNING ${TENANT_COLUMNS}`;
    const settled = this.#change(tenant.id, sql, [tenant.id, tenant.incarnation]);
    return (await this.#options.seen(settled)) !== undefined;
  }

  /**
   * `settling` → `clean`, of that line of the replica. @param txid the last transaction found there
   * @param dueAt when the tenant is to be brought round, in ms since 1970: see {@link due}
   * @returns whether nobody has written meanwhile
   */
  async clean(
    tenant: TenantKey & Pick<TenantRecord, "backupEpoch">,
    txid: number,
    dueAt: number | null = null,
  ): Promise<boolean> {
    const { id, incarnation, backupEpoch } = tenant;
    const sql = `UPDATE tenants SET backup_state = 'clean', backup_txid = ?, backup_settled_at = ?,
        backup_due_at = ?
      WHERE id = ? AND incarnation = ? AND backup_epoch = ? AND backup_state = 'settling' AND state <> 'deleted'
      RETURNING ${TENANT_COLUMNS}`;
    const params = [txid, this.#options.clock(), dueAt, id, incarnation, backupEpoch];
    return (await this.#change(id, sql, params)) !== undefined;
  }

  /**
   * Begins a new line of the tenant's replica: what was written to the old one stays, and nothing is added.
   * The tenant is `dirty` then, for the new line is empty.
   * @param replicates whether there is a replica; without one, what never was in any stays `none`
   * @throws {TenantryError} `TENANT_NOT_FOUND`
   */
  async raiseEpoch({ id, incarnation }: TenantKey, replicates: boolean): Promise<TenantRecord> {
    const state = replicates ? "'dirty'" : "iif(backup_state = 'none', 'none', 'dirty')";
    const sql = `UPDATE tenants SET backup_epoch = backup_epoch + 1, backup_state = ${state}, backup_txid = 0
      WHERE id = ? AND incarnation = ? AND state <> 'deleted' RETURNING ${TENANT_COLUMNS}`;
    const record = await this.#change(id, sql, [id, incarnation]);
    if (!record) throw notFound(id);
    return record;
  }

  /** Clean tenants whose files are here and in whose replicas something is to be done by `now`; the oldest first. */
  async due(limit: number, now: number): Promise<TenantRecord[]> {
    const { rows } = await this.#options.db.run({
      sql: `SELECT ${TENANT_COLUMNS} FROM tenants INDEXED BY tenants_due
            WHERE backup_due_at <= ? AND backup_state = 'clean' AND state <> 'deleted'
              AND state = 'active' AND away_since IS NULL
            ORDER BY backup_due_at, id LIMIT ?`,
      params: [now, limit],
    });
    return rows as unknown[] as TenantRecord[];
  }

  /** When the tenant is to be brought round next, in ms since 1970; null for when it has been written to again. */
  async setDue({ id, incarnation }: TenantKey, at: number | null): Promise<void> {
    const sql = `UPDATE tenants SET backup_due_at = ?
      WHERE id = ? AND incarnation = ? AND state <> 'deleted' RETURNING ${TENANT_COLUMNS}`;
    await this.#change(id, sql, [at, id, incarnation]);
  }

  /** Notes what came of trying out a restore. @param failure null when all was right */
  async verified({ id, incarnation }: TenantKey, failure: string | null): Promise<void> {
    const sql = `UPDATE tenants SET backup_verified_at = ?, backup_verify_failure = ?
      WHERE id = ? AND incarnation = ? AND state <> 'deleted' RETURNING ${TENANT_COLUMNS}`;
    await this.#change(id, sql, [this.#options.clock(), failure, id, incarnation]);
  }

  /** Tenants whose last drill failed, by name. @param limit of rows */
  async failing(limit: number): Promise<TenantRecord[]> {
    const { rows } = await this.#options.db.run({
      sql: `SELECT ${TENANT_COLUMNS} FROM tenants INDEXED BY tenants_by_verify_failure
            WHERE backup_verify_failure IS NOT NULL AND state <> 'deleted' ORDER BY id LIMIT ?`,
      params: [limit],
    });
    return rows as unknown[] as TenantRecord[];
  }

  /** Notes that a tenant's file has left this disk, or is back. @returns undefined where it is another one by now */
  setAway({ id, incarnation }: TenantKey, since: number | null): Promise<TenantRecord | undefined> {
    const sql = `UPDATE tenants SET away_since = ?
      WHERE id = ? AND incarnation = ? AND state <> 'deleted' RETURNING ${TENANT_COLUMNS}`;
    return this.#change(id, sql, [since, id, incarnation]);
  }

  /** Every tenant is away from now on: for a catalog that came back alone. @returns how many */
  async setAllAway(since: number): Promise<number> {
    const { rows } = await this.#options.db.run({
      sql: `UPDATE tenants SET away_since = ? WHERE state <> 'deleted' AND driver = 'local' RETURNING 1`,
      params: [since],
    });
    return rows.length;
  }

  /** Bytes of the databases that are here, as they were last recorded. Reads every row: for a slow timer. */
  async bytesHere(): Promise<number> {
    const { rows } = await this.#options.db.run({
      sql: `SELECT coalesce(sum(size_bytes), 0) AS bytes FROM tenants
            WHERE away_since IS NULL AND state <> 'deleted' AND driver = 'local'`,
      params: [],
    });
    return (rows[0] as { bytes: number }).bytes;
  }

  /**
   * Active tenants whose last write is in the replica, those first that were opened longest ago.
   * @param before not opened since, in milliseconds since 1970
   */
  async coldest(limit: number, before: number): Promise<TenantRecord[]> {
    const { rows } = await this.#options.db.run({
      sql: `SELECT ${TENANT_COLUMNS} FROM ${BY_BACKUP}
            WHERE backup_state = 'clean' AND backup_txid > 0 AND state = 'active' AND state <> 'deleted'
              AND away_since IS NULL AND driver = 'local' AND coalesce(opened_at, created_at) < ?
            ORDER BY coalesce(opened_at, created_at), id LIMIT ?`,
      params: [before, limit],
    });
    return rows as unknown[] as TenantRecord[];
  }

  /** How many tenants' last drill failed. */
  async countFailing(): Promise<number> {
    const { rows } = await this.#options.db.run({
      sql: `SELECT count(*) AS tenants FROM tenants INDEXED BY tenants_by_verify_failure
            WHERE backup_verify_failure IS NOT NULL AND state <> 'deleted'`,
      params: [],
    });
    return (rows[0] as { tenants: number }).tenants;
  }

  /** How many tenants' files are not here. */
  async countAway(): Promise<number> {
    const { rows } = await this.#options.db.run({
      sql: `SELECT count(*) AS tenants FROM tenants INDEXED BY tenants_away
            WHERE away_since IS NOT NULL AND state <> 'deleted'`,
      params: [],
    });
    return (rows[0] as { tenants: number }).tenants;
  }

  /** Tenants whose file is not here, by name, in pages. @param after the last of the page before */
  async away(limit: number, after = ""): Promise<TenantRecord[]> {
    const { rows } = await this.#options.db.run({
      sql: `SELECT ${TENANT_COLUMNS} FROM tenants INDEXED BY tenants_away
            WHERE away_since IS NOT NULL AND state <> 'deleted' AND id > ? ORDER BY id LIMIT ?`,
      params: [after, limit],
    });
    return rows as unknown[] as TenantRecord[];
  }

  /**
   * Tenants of one state; those that have waited longest come first. @param limit of rows
   * @param before only those last found in the replica before that time, in ms since 1970
   * @param driver only those that it keeps
   */
  async list(
    state: BackupState,
    limit: number,
    before = Number.MAX_SAFE_INTEGER,
    driver: string | null = null,
  ): Promise<TenantRecord[]> {
    const { rows } = await this.#options.db.run({
      sql: `SELECT ${TENANT_COLUMNS} FROM ${BY_BACKUP}
            WHERE backup_state = ? AND (backup_settled_at IS NULL OR backup_settled_at < ?)
              AND state <> 'deleted' AND driver = coalesce(?, driver)
            ORDER BY backup_settled_at, id LIMIT ?`,
      params: [state, before, driver, limit],
    });
    return rows as unknown[] as TenantRecord[];
  }

  /**
   * Tenants of one state whose files are here for somebody to have open: those that have waited longest come first.
   * @param driver only those that it keeps @param limit of rows
   */
  async open(state: "none" | "dirty", driver: string, limit: number): Promise<TenantRecord[]> {
    const { rows } = await this.#options.db.run({
      sql: `SELECT ${TENANT_COLUMNS} FROM ${BY_BACKUP}
            WHERE backup_state = ? AND state <> 'deleted' AND state IN ('active', 'quarantined', 'migrating')
              AND away_since IS NULL AND driver = ?
            ORDER BY backup_settled_at, id LIMIT ?`,
      params: [state, driver, limit],
    });
    return rows as unknown[] as TenantRecord[];
  }

  /** How many tenants are in each state. Reads the index of all of them: for people, not for a timer. */
  async count(): Promise<Record<BackupState, number>> {
    const counts: [BackupState, number][] = [];
    for (const state of BACKUP_STATES) counts.push([state, await this.countOf(state)]);
    return Object.fromEntries(counts) as Record<BackupState, number>;
  }

  /** How many tenants are in one state; costs as much as there are. */
  async countOf(state: BackupState): Promise<number> {
    const sql = `SELECT count(*) AS tenants FROM ${BY_BACKUP} WHERE backup_state = ? AND state <> 'deleted'`;
    const { rows } = await this.#options.db.run({ sql, params: [state] });
    return (rows[0] as { tenants: number }).tenants;
  }

  async #change(
    id: TenantId,
    sql: string,
    params: readonly (string | number | null)[],
  ): Promise<TenantRecord | undefined> {
    const { db, cache } = this.#options;
    this.#changes++;
    return cache.keep(
      id,
      async () => (await db.run({ sql, params })).rows[0] as TenantRecord | undefined,
      (row) => row,
    );
  }

  async #markAll(): Promise<void> {
    while (this.#marks.size > 0) {
      const group = [...this.#marks].slice(0, MAX_MARKS_PER_COMMIT);
      // Who asks from now on may have committed after this one's look at the row.
      for (const [id] of group) this.#marks.delete(id);
      await this.#mark(group.map(([id]) => id)).then(
        () => group.forEach(([, { end }]) => end.resolve()),
        (error: unknown) => group.forEach(([, { end }]) => end.reject(error)),
      );
    }
    this.#marking = false;
  }

  async #mark(ids: readonly TenantId[]): Promise<void> {
    const { db, cache } = this.#options;
    this.#changes++;
    const tickets = ids.map((id) => ({ id, ticket: cache.begin(id) }));
    const marked = new Map<TenantId, TenantRecord>();
    try {
      const { rows } = await db.run({
        sql: `UPDATE tenants SET backup_state = 'dirty'
              WHERE id IN (SELECT value FROM json_each(?)) AND backup_state <> 'dirty' AND state <> 'deleted'
              RETURNING ${TENANT_COLUMNS}`,
        params: [JSON.stringify(ids)],
      });
      for (const row of rows as unknown[] as TenantRecord[]) marked.set(row.id, row);
    } finally {
      for (const { id, ticket } of tickets) cache.end(id, ticket, marked.get(id));
    }
  }
}
