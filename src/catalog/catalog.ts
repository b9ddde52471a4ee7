// Owns the catalog as the other rooms see it: what tenants exist, their state, hosts, keys, and the audit log.
// Does not open tenant databases, and closes no handle: whoever opened the catalog's does.
import type { Handle } from "../drivers/driver.ts";
import type { TenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import { AliasTable } from "./alias-table.ts";
import { type AuditAct, type AuditPage, type AuditQuery, auditStatement, listAudit } from "./audit-log.ts";
import { BackupTable } from "./backup-table.ts";
import { leaseLock, transactionLock } from "./catalog-lock.ts";
import { migrateCatalog } from "./catalog-schema.ts";
import { CreateQueue, type NewTenant } from "./create-queue.ts";
import { DeferredWrites, type TenantSchema, type TenantTouch } from "./deferred-writes.ts";
import { type KeyPage, type KeyQuery, type KeyRecord, KeyTable, type NewKey } from "./key-table.ts";
import { Freshness, RowCache } from "./row-cache.ts";
import { type StateChange, TenantChanges, type TenantUpdate } from "./tenant-changes.ts";
import type { LiveTenantState, TenantRecord, TenantState } from "./tenant-record.ts";
import {
  SWEPT_STATES,
  type TenantFilter,
  type TenantPage,
  type TenantQuery,
  TenantTable,
} from "./tenant-table.ts";

/** Rows of each kind (tenants, hosts, keys) kept in memory; a tenant's takes about half a kilobyte. */
export const DEFAULT_CATALOG_CACHE_ENTRIES = 10_000;

/** Milliseconds for which a row in memory holds when nothing tells that it has changed. */
export const DEFAULT_CATALOG_CACHE_MS = 1000;

/** Milliseconds after which times and sizes are written. */
export const DEFAULT_TOUCH_FLUSH_MS = 10_000;

/** Under which it is remembered whether there are keys. */
const ANY_KEY = "any";

/** What a catalog is opened with. */
export interface CatalogOptions {
  /** The catalog's database, with transactions. */
  readonly handle: Handle;
  /**
   * A number that changes when another connection has committed to the catalog: `PRAGMA data_version`. It is
   * asked once a turn of the event loop at most.
   * @default none: rows hold for `cacheMs`
   */
  readonly dataVersion?: (() => number) | undefined;
  /** Rows of each kind kept in memory, at least 1. @default 10000 */
  readonly cacheEntries?: number | undefined;
  /** Milliseconds for which a row holds without `dataVersion`, at least 1. @default 1000 */
  readonly cacheMs?: number | undefined;
  /** Milliseconds after which touches are written, at least 1; a crash loses those. @default 10000 */
  readonly touchFlushMs?: number | undefined;
  /**
   * What keeps others from a tenant that is being made or removed: a write transaction of the handle, or a row
   * with an end, for handles that have no interactive transactions.
   * @default "transaction"
   */
  readonly lock?: "transaction" | "lease" | undefined;
  /**
   * Promises and timers end with the request that made them, as in Workers: none is shared, and what was
   * noted is written when {@link Catalog.flush} is called, which is due as {@link Catalog.flushDue} says.
   * @default false
   */
  readonly ioPerRequest?: boolean | undefined;
  /** Milliseconds since 1970. @default Date.now */
  readonly clock?: (() => number) | undefined;
}

/** Figures for metrics. */
export interface CatalogStats {
  /** Rows in memory, of all kinds. */
  readonly cachedRows: number;
  /** How often the rows in memory were dropped because another connection had written. */
  readonly drops: number;
  /** Rows that wait to be written: touches, and tenants recorded as migrated. */
  readonly pendingWrites: number;
  /** Flushes in the background that failed one after the other; 0 when the last one did its work. */
  readonly flushFailures: number;
  readonly lastFlushError: unknown;
}

/** How to look for a tenant. */
export interface GetTenantOptions {
  /** As the database has it at this moment. @default false */
  readonly fresh?: boolean | undefined;
  /**
   * As others have left it up to this moment, acknowledged or not; what waits here to be written counts, too. A
   * tenth of the cost of `fresh`.
   * @default false
   */
  readonly upToNow?: boolean | undefined;
  /** The tombstone too, where the tenant is deleted. Reads the database. @default false */
  readonly deleted?: boolean | undefined;
}

/**
 * What tenants exist and their state. What this process writes is seen by it at once. Where there is `dataVersion`,
 * a change of a state, a host or a key resolves when every process sees it, some five milliseconds after the commit;
 * without it others see what was written within `cacheMs`.
 */
export interface Catalog extends AsyncDisposable {
  /** What is known of tenants' replicas. */
  readonly backups: BackupTable;
  /** The tenant from memory: undefined says that `get()` must look. Never a deleted one. */
  peek(id: TenantId): TenantRecord | undefined;
  /** The tenant, from memory if it can be. */
  get(id: TenantId, options?: GetTenantOptions): Promise<TenantRecord | undefined>;
  /** Those of `ids` that are there and not deleted, in one read of the database. */
  getMany(ids: readonly TenantId[]): Promise<Map<TenantId, TenantRecord>>;
  /** A number that has grown when a tenant's row may have changed, here or elsewhere. */
  readonly revision: number;
  /**
   * Whether another connection may have written since this was last asked. Who keeps handles open asks it on a
   * timer, and then reads the tenants of those handles again with `getMany()`.
   */
  changedElsewhere(): boolean;

  /**
   * Creates a tenant: exactly one of several creators wins, here and in other processes. Creations that come
   * together share a commit. Killed at any point it leaves no row, or a whole tenant.
   * @throws {TenantryError} `TENANT_EXISTS`, and whatever `provision` throws
   */
  create(tenant: NewTenant): Promise<TenantRecord>;
  /**
   * Changes the state if it is one of `from`. A tenant that becomes `deleted` loses its aliases, and its keys
   * are revoked.
   * @throws {TenantryError} `TENANT_NOT_FOUND`, or `TENANT_STATE`, which says the present state; and whatever
   * `whileLocked` throws
   */
  setState(id: TenantId, change: StateChange, actor?: string): Promise<TenantRecord>;
  /** Writes facts at once. @throws {TenantryError} `TENANT_NOT_FOUND` */
  update(id: TenantId, update: TenantUpdate): Promise<TenantRecord>;
  /**
   * Notes that tenants have this schema now: seen here at once, and written together soon. A crash before that
   * leaves them to be found up to date by the next sweep. Passes over deleted ones.
   */
  recordMigrated(ids: readonly TenantId[], schema: TenantSchema): void;
  /** Notes times and sizes, to be written with the next flush. Costs no commit. */
  touch(id: TenantId, touch: TenantTouch): void;
  /** Writes what was noted. @throws the write's error; what was noted waits on */
  flush(): Promise<void>;
  /** Whether what was noted waits for longer than it should. */
  flushDue(): boolean;

  /** A page of tenants by id. @throws {TenantryError} `INVALID_ARGUMENT` */
  list(query?: TenantQuery): Promise<TenantPage>;
  /** All tenants of the filter, by id, read in pages. @throws {TenantryError} `INVALID_ARGUMENT` */
  iterate(filter?: TenantFilter): AsyncGenerator<TenantRecord, void, undefined>;
  /** How many tenants are in each state. */
  count(): Promise<Record<TenantState, number>>;
  /**
   * All tenants whose schema hash is not `schemaHash`, read in pages, in no promised order; tenants may be
   * recorded as migrated meanwhile. @param states by default all but `moving` and `deleted`
   */
  behind(
    schemaHash: string,
    states?: readonly LiveTenantState[],
  ): AsyncGenerator<TenantRecord, void, undefined>;
  /** How many tenants `behind()` would give. */
  countBehind(schemaHash: string, states?: readonly LiveTenantState[]): Promise<number>;

  /** Gives a tenant a host. @throws {TenantryError} `ALIAS_EXISTS`, `TENANT_NOT_FOUND`, `INVALID_ARGUMENT` */
  addAlias(host: string, id: TenantId, actor?: string): Promise<void>;
  /** Takes a host away. @throws {TenantryError} `NOT_FOUND`, `INVALID_ARGUMENT` */
  removeAlias(host: string, actor?: string): Promise<void>;
  /** The host's tenant from memory: undefined says that `tenantOfHost()` must look. */
  peekHost(host: string): TenantId | undefined;
  /** The tenant of a host in lower case, without port; from memory if it can be. */
  tenantOfHost(host: string): Promise<TenantId | undefined>;
  /** A tenant's hosts, in order. */
  aliasesOf(id: TenantId): Promise<string[]>;

  /** Records a key. @throws {TenantryError} `TENANT_NOT_FOUND`, `CONSTRAINT` when the hash is there already */
  addKey(key: NewKey, actor?: string): Promise<KeyRecord>;
  /** The key from memory if it may be used now: undefined says that `findKey()` must look. */
  peekKey(hash: string): KeyRecord | undefined;
  /** The key of that hash, if it is neither revoked nor expired; from memory if it can be. */
  findKey(hash: string): Promise<KeyRecord | undefined>;
  /** Whether a key was ever made, from memory: undefined says that `hasKeys()` must look. */
  peekHasKeys(): boolean | undefined;
  /** Whether a key was ever made, revoked and expired ones too; from memory if it can be. */
  hasKeys(): Promise<boolean>;
  /** Notes that a key was used now, to be written with the next flush. */
  touchKey(id: string): void;
  /** A page of keys. @throws {TenantryError} `INVALID_ARGUMENT` */
  listKeys(query?: KeyQuery): Promise<KeyPage>;
  /** Ends a key at once; one that is revoked stays so. @throws {TenantryError} `NOT_FOUND` */
  revokeKey(id: string, actor?: string): Promise<KeyRecord>;
  /**
   * Records a successor with the same tenant, scope, label and end; the old key holds for `graceSeconds` more
   * at most. @throws {TenantryError} `NOT_FOUND` when the key is not in use, `INVALID_ARGUMENT`
   */
  rotateKey(id: string, newHash: string, graceSeconds: number, actor?: string): Promise<KeyRecord>;

  /** Records an administrative act that the catalog does not record itself. */
  audit(act: AuditAct): Promise<void>;
  /** A page of the audit log, newest first. @throws {TenantryError} `INVALID_ARGUMENT` */
  listAudit(query?: AuditQuery): Promise<AuditPage>;

  stats(): CatalogStats;
  /** Waits for creations in line and writes what was noted. Idempotent. The handle stays open. */
  close(): Promise<void>;
}

/**
 * Opens a catalog, and brings its schema up.
 *
 * @throws {TenantryError} `INVALID_OPTION`, `MIGRATION_MISSING`, `DATABASE_*`
 * @example
 * const catalog = await openCatalog({ handle, dataVersion: () => handle.dataVersion });
 * for await (const tenant of catalog.behind(schemaHash)) console.log(tenant.id);
 */
export async function openCatalog({
  handle,
  dataVersion,
  cacheEntries = DEFAULT_CATALOG_CACHE_ENTRIES,
  cacheMs = DEFAULT_CATALOG_CACHE_MS,
  touchFlushMs = DEFAULT_TOUCH_FLUSH_MS,
  lock: kindOfLock = "transaction",
  ioPerRequest = false,
  clock = Date.now,
}: CatalogOptions): Promise<Catalog> {
  atLeastOne({ cacheEntries, cacheMs, touchFlushMs });
  await migrateCatalog(handle, clock());

  const freshness = new Freshness({ dataVersion, cacheMs, clock, ioPerRequest });
  const rows = new RowCache<TenantRecord>(freshness, cacheEntries);
  const hosts = new RowCache<TenantId>(freshness, cacheEntries);
  const keyRows = new RowCache<KeyRecord>(freshness, cacheEntries);
  const anyKey = new RowCache<boolean>(freshness, 1);

  const deferred = new DeferredWrites({
    db: handle,
    clock,
    flushMs: touchFlushMs,
    timers: !ioPerRequest,
    onWritten: (id, written) => rows.patch(id, (row) => ({ ...row, ...written })),
  });
  const tenants = new TenantTable(handle, rows);
  const lock = kindOfLock === "lease" ? leaseLock(handle, clock) : transactionLock(handle);
  const changes = new TenantChanges({
    db: handle,
    lock,
    cache: rows,
    clock,
    read: (id) => tenants.read(id),
    onDeleted: (id) => {
      deferred.forget(id);
      hosts.clear();
      keyRows.clear();
    },
  });
  const creations = new CreateQueue({ lock, cache: rows, clock, onCreating: (id) => deferred.forget(id) });
  const aliases = new AliasTable({ db: handle, cache: hosts, clock });
  const keys = new KeyTable({ db: handle, cache: keyRows, clock });

  const seen = async <T>(change: Promise<T>): Promise<T> => {
    const result = await change;
    await freshness.seenByOthers();
    return result;
  };
  const backups = new BackupTable({ db: handle, cache: rows, clock, seen });

  let ownChanges = 0;
  const counted = <T>(change: Promise<T>): Promise<T> => change.finally(() => ownChanges++);
  let generation = freshness.generation;
  let closing: Promise<void> | undefined;
  const whileOpen = (): void => {
    if (closing) throw new TenantryError("CLOSED", "The catalog is closed.");
  };
  const close = (): Promise<void> => (closing ??= creations.idle().then(() => deferred.flush()));

  return {
    backups,
    peek: (id) => rows.peek(id),
    get(id, { fresh = false, upToNow = false, deleted = false } = {}) {
      if (deleted) return tenants.read(id);
      if (fresh) return tenants.getFresh(id);
      return upToNow ? tenants.getUpToNow(id) : tenants.get(id);
    },
    getMany: (ids) => tenants.getMany(ids),
    get revision() {
      return freshness.generation + ownChanges + backups.changes;
    },
    changedElsewhere() {
      const before = generation;
      generation = freshness.generation;
      return generation !== before;
    },

    async create(tenant) {
      whileOpen();
      return counted(creations.create(tenant));
    },
    setState: (id, change, actor) => seen(counted(changes.setState(id, change, actor))),
    update: (id, update) => seen(counted(changes.update(id, update))),
    recordMigrated(ids, schema) {
      whileOpen();
      const change = { schemaVersion: schema.version, schemaHash: schema.hash, updatedAt: clock() };
      deferred.migrated(ids, schema);
      for (const id of ids) rows.patch(id, (row) => ({ ...row, ...change }));
    },
    touch(id, touch) {
      whileOpen();
      deferred.touch(id, touch);
    },
    flush: () => deferred.flush(),
    flushDue: () => deferred.due,

    list: (query) => tenants.list(query),
    iterate: (filter) => tenants.iterate(filter),
    count: () => tenants.count(),
    async *behind(hash, states = SWEPT_STATES) {
      await deferred.flush();
      yield* tenants.behind(hash, states);
    },
    async countBehind(hash, states = SWEPT_STATES) {
      await deferred.flush();
      return tenants.countBehind(hash, states);
    },

    addAlias: (host, id, actor) => seen(aliases.add(host, id, actor)),
    removeAlias: (host, actor) => seen(aliases.remove(host, actor)),
    peekHost: (host) => hosts.peek(host),
    tenantOfHost: (host) => aliases.tenantOf(host),
    aliasesOf: (id) => aliases.of(id),

    addKey: (key, actor) =>
      seen(
        anyKey.keep(
          ANY_KEY,
          () => keys.add(key, actor),
          () => true,
        ),
      ),
    peekKey: (hash) => keys.peek(hash),
    findKey: (hash) => keys.find(hash),
    peekHasKeys: () => anyKey.peek(ANY_KEY),
    hasKeys: async () => (await anyKey.get(ANY_KEY, () => keys.any())) ?? false,
    touchKey(id) {
      whileOpen();
      deferred.used(id, clock());
    },
    listKeys: (query) => keys.list(query),
    revokeKey: (id, actor) => seen(keys.revoke(id, actor)),
    rotateKey: (id, newHash, graceSeconds, actor) => seen(keys.rotate(id, newHash, graceSeconds, actor)),

    audit: async (act) => void (await handle.run(auditStatement(act, clock()))),
    listAudit: (query) => listAudit(handle, query),

    stats: () => ({
      cachedRows: rows.size + hosts.size + keyRows.size,
      drops: freshness.drops,
      pendingWrites: deferred.pending,
      flushFailures: deferred.failures,
      lastFlushError: deferred.lastError,
    }),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** @throws {TenantryError} `INVALID_OPTION` */
function atLeastOne(options: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    throw new TenantryError("INVALID_OPTION", `${name} is a whole number from 1, not ${value}.`);
  }
}
