// Owns the API keys: whose they are, what they may, until when. It has their hashes, never their secrets.
// Does not hash, and does not know what a scope allows.
import type { SqlRunner } from "../drivers/driver.ts";
import type { TenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import { SYSTEM_ACTOR, auditIfChanged } from "./audit-log.ts";
import { decodeCursor, encodeCursor, type PageRequest, pageLimit, toPage } from "./page-cursor.ts";
import { randomId } from "./random-id.ts";
import type { RowCache } from "./row-cache.ts";
import { notFound } from "./tenant-changes.ts";

/** A key to be recorded. */
export interface NewKey {
  /** The hash under which it is found again, in whatever spelling the caller keeps to. */
  readonly hash: string;
  /** Whose it is; null for all tenants. */
  readonly tenant: TenantId | null;
  readonly scope: string;
  /** What it is for, for a person. @default "" */
  readonly label?: string | undefined;
  /** Milliseconds since 1970. @default null, never */
  readonly expiresAt?: number | null | undefined;
}

/** A recorded key. Times are milliseconds since 1970, UTC. */
export interface KeyRecord {
  /** 32 hexadecimal digits; no secret. */
  readonly id: string;
  readonly hash: string;
  readonly tenant: TenantId | null;
  readonly scope: string;
  readonly label: string;
  readonly createdAt: number;
  readonly expiresAt: number | null;
  readonly revokedAt: number | null;
  /** As of the last flush of touches. */
  readonly lastUsedAt: number | null;
}

/** Which keys. */
export interface KeyQuery extends PageRequest {
  /** Only keys of this tenant; null: only those for all tenants. @default all keys */
  readonly tenant?: TenantId | null | undefined;
}

/** Keys in the order of their ids, revoked and expired ones too. */
export interface KeyPage {
  readonly keys: KeyRecord[];
  readonly cursor: string | null;
}

/** What a {@link KeyTable} works on. */
export interface KeyTableOptions {
  readonly db: SqlRunner;
  /** By hash. */
  readonly cache: RowCache<KeyRecord>;
  readonly clock: () => number;
}

const COLUMNS = `id, hash, tenant, scope, label, created_at AS createdAt, expires_at AS expiresAt,
  revoked_at AS revokedAt, last_used_at AS lastUsedAt`;

/** API keys by hash and by id. */
export class KeyTable {
  readonly #options: KeyTableOptions;

  constructor(options: KeyTableOptions) {
    this.#options = options;
  }

  async add(key: NewKey, actor = SYSTEM_ACTOR): Promise<KeyRecord> {
    const { db, cache, clock } = this.#options;
    const { hash, tenant, scope, label = "", expiresAt = null } = key;
    const id = randomId();
    const now = clock();
    const values = [id, hash, tenant, scope, label, now, expiresAt];
    const record = await cache.keep(
      hash,
      async () => {
        const [added] = await db.batch([
          {
            sql: `INSERT INTO api_keys (id, hash, tenant, scope, label, created_at, expires_at)
                  SELECT ?, ?, ?, ?, ?, ?, ?
                  WHERE ? IS NULL OR EXISTS (SELECT 1 FROM tenants WHERE id = ? AND state <> 'deleted')
                  RETURNING ${COLUMNS}`,
            params: [...values, tenant, tenant],
          },
          auditIfChanged(
            { actor, action: "key.add", tenant, detail: { key: id, scope, label, expiresAt } },
            now,
          ),
        ]);
        return added?.rows[0] as KeyRecord | undefined;
      },
      (row) => row,
    );
    if (record) return record;
    if (tenant !== null) throw notFound(tenant);
    throw new TenantryError("INTERNAL", "The key was not recorded.");
  }

  /** From memory: the key if it may be used now. */
  peek(hash: string): KeyRecord | undefined {
    return this.#ifUsable(this.#options.cache.peek(hash));
  }

  /** The key if it may be used now. */
  async find(hash: string): Promise<KeyRecord | undefined> {
    return this.#ifUsable(await this.#options.cache.get(hash, this.#read));
  }

  /** Whether there is a key, revoked and expired ones too. */
  async any(): Promise<boolean> {
    const { rows } = await this.#options.db.run({ sql: "SELECT 1 FROM api_keys LIMIT 1", params: [] });
    return rows.length > 0;
  }

  async list({ tenant, limit, cursor }: KeyQuery = {}): Promise<KeyPage> {
    const size = pageLimit(limit);
    const after = decodeCursor("key", cursor, (key) => /^[0-9a-f]{32}$/.test(key)) ?? "";
    const { rows } = await this.#options.db.run({
      sql: `SELECT ${COLUMNS} FROM api_keys
            WHERE ${tenant === undefined ? "" : "tenant IS ? AND "}id > ? ORDER BY id LIMIT ?`,
      params: [...(tenant === undefined ? [] : [tenant]), after, size + 1],
    });
    const page = toPage(rows as unknown[] as KeyRecord[], size, ({ id }) => encodeCursor("key", id));
    return { keys: page.entries, cursor: page.cursor };
  }

  /** Revokes a key; one that is revoked stays as it is. */
  async revoke(id: string, actor = SYSTEM_ACTOR): Promise<KeyRecord> {
    const { db, cache, clock } = this.#options;
    const now = clock();
    const [, , read] = await db.batch([
      {
        sql: `INSERT INTO audit_log (at, actor, action, tenant, detail)
              SELECT ?, ?, 'key.revoke', tenant, json_object('key', id, 'label', label)
              FROM api_keys WHERE id = ? AND revoked_at IS NULL`,
        params: [now, actor, id],
      },
      { sql: "UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", params: [now, id] },
      { sql: `SELECT ${COLUMNS} FROM api_keys WHERE id = ?`, params: [id] },
    ]);
    const record = read?.rows[0] as KeyRecord | undefined;
    if (!record) throw noKey(id);
    cache.delete(record.hash);
    return record;
  }

  /** Gives the key a successor of the same rights; the old one holds for `graceSeconds` more at most. */
  async rotate(id: string, newHash: string, graceSeconds: number, actor = SYSTEM_ACTOR): Promise<KeyRecord> {
    if (!(graceSeconds >= 0 && Number.isFinite(graceSeconds))) {
      throw new TenantryError("INVALID_ARGUMENT", "graceSeconds is a number of seconds from 0.");
    }
    const { db, cache, clock } = this.#options;
    const now = clock();
    const endsAt = now + Math.round(graceSeconds * 1000);
    const newId = randomId();
    const [added, , ended] = await db.batch([
      {
        sql: `INSERT INTO api_keys (id, hash, tenant, scope, label, created_at, expires_at)
              SELECT ?, ?, tenant, scope, label, ?, expires_at FROM api_keys
              WHERE id = ? AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)
              RETURNING ${COLUMNS}`,
        params: [newId, newHash, now, id, now],
      },
      {
        sql: `INSERT INTO audit_log (at, actor, action, tenant, detail)
              SELECT ?, ?, 'key.rotate', tenant, json_object('key', ?, 'successor', id, 'endsAt', ?)
              FROM api_keys WHERE id = ?`,
        params: [now, actor, id, endsAt, newId],
      },
      {
        sql: `UPDATE api_keys SET expires_at = min(coalesce(expires_at, ?), ?)
              WHERE id = ? AND EXISTS (SELECT 1 FROM api_keys WHERE id = ?) RETURNING hash`,
        params: [endsAt, endsAt, id, newId],
      },
    ]);
    const successor = added?.rows[0] as KeyRecord | undefined;
    const old = ended?.rows[0] as { hash: string } | undefined;
    if (!successor || !old) throw noKey(id);
    cache.delete(old.hash);
    return successor;
  }

  #ifUsable(key: KeyRecord | undefined): KeyRecord | undefined {
    if (key === undefined || key.expiresAt === null) return key;
    return key.expiresAt > this.#options.clock() ? key : undefined;
  }

  /** Revoked keys are not kept in memory: they are not found at all. */
  readonly #read = async (hash: string): Promise<KeyRecord | undefined> => {
    const { rows } = await this.#options.db.run({
      sql: `SELECT ${COLUMNS} FROM api_keys WHERE hash = ? AND revoked_at IS NULL`,
      params: [hash],
    });
    return rows[0] as KeyRecord | undefined;
  };
}

function noKey(id: string): TenantryError {
  return new TenantryError("NOT_FOUND", `There is no key ${JSON.stringify(id.slice(0, 40))} in use.`, {
    hint: 'List the keys with "tenantry token list".',
  });
}
