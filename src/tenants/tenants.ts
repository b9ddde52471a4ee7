// Owns the way from a tenant's id to its open, migrated database: state, lease, run, release.
// Does not know HTTP, and leaves making and removing tenants to `lifecycle.ts`.
import type { Database } from "better-sqlite3";
import type { Catalog } from "../catalog/catalog.ts";
import type { TenantRecord } from "../catalog/tenant-record.ts";
import { type DatabaseRunner, type TenantDatabase, tenantDatabase } from "../database/tenant-database.ts";
import type { BookmarkedRunner, Driver, Handle, Session, SqlRunner } from "../drivers/driver.ts";
import { StaleHandleError } from "../drivers/stale-handle.ts";
import type { HandleCacheStats, Lease } from "../handle-cache/handles.ts";
import type { MigrationResult } from "../migrations/migrate-database.ts";
import type { MigrationSet } from "../migrations/migration-set.ts";
import type { TenantId } from "../tenant-id.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import { type Backend, type Backends, keepToLimits, type OpenTenant } from "./backends.ts";
import {
  assertReadable,
  BlockableRunner,
  BlockableSession,
  blockedError,
  BlockedRunner,
} from "./blocked-tenant.ts";
import { findTenant } from "./find-tenant.ts";
import { about, assertServing, away, changed, refusal, stillInUse } from "./tenant-errors.ts";
import { StoppedElsewhere } from "./stopped-elsewhere.ts";
import { TenantOpener } from "./tenant-opener.ts";
import type { TenantScope } from "./tenant-scope.ts";

/** What {@link Tenants} is made of. */
export interface TenantsParts {
  readonly catalog: Catalog;
  readonly backends: Backends;
  readonly migrations: MigrationSet;
  readonly scope: TenantScope;
  /** Brings the file of a tenant that is away back to this disk. @default nobody can */
  readonly hydrate?: ((record: TenantRecord) => Promise<TenantRecord>) | undefined;
  /** Milliseconds between two looks for tenants that another process has suspended or deleted; 0 for never. */
  readonly watchMs?: number;
}

/** Work with a tenant's open database. */
type UseOfHandle<T> = (handle: Handle, record: TenantRecord) => Promise<T>;

/** A connection, and the lease under which somebody has it. */
export interface LeasedSession {
  readonly session: Session;
  /** Closes the session and gives the handle back. Calling it twice does nothing. */
  release(): Promise<void>;
}

/** Opens, migrates and lends tenants' databases. */
export class Tenants {
  readonly catalog: Catalog;
  /** The driver of new tenants. */
  readonly driver: Driver;
  readonly migrations: MigrationSet;
  readonly scope: TenantScope;
  readonly #backends: Backends;
  readonly #opener: TenantOpener;
  readonly #stopped: StoppedElsewhere;

  constructor({ catalog, backends, migrations, scope, hydrate, watchMs }: TenantsParts) {
    this.catalog = catalog;
    this.driver = backends.first.driver;
    this.migrations = migrations;
    this.scope = scope;
    this.#backends = backends;
    this.#stopped = new StoppedElsewhere({ catalog, backends, watchMs });
    this.#opener = new TenantOpener({ catalog, migrations, stopped: this.#stopped, hydrate });
  }

  /** The driver that keeps a tenant's database. @throws {TenantryError} `DRIVER_MISSING` */
  driverOf(record: TenantRecord): Driver {
    return this.#backends.of(record).driver;
  }

  /** The database of a tenant, by D1's API. Nothing is opened before its first statement. */
  database(tenant: TenantId): TenantDatabase {
    return tenantDatabase(this.runner(tenant));
  }

  /** The same without D1's shapes, for the rooms above. */
  runner(tenant: TenantId): DatabaseRunner {
    const runner = this.#runnerOver(tenant, (handle) => handle);
    if (!this.#backends.haveBookmarks) return runner;
    return {
      ...runner,
      withBookmark: (from) => {
        let session: BookmarkedRunner | undefined;
        const over = (handle: Handle): SqlRunner =>
          handle.withBookmark ? (session ??= handle.withBookmark(from)) : handle;
        const given = from.startsWith("first-") ? null : from;
        return { ...this.#runnerOver(tenant, over), bookmark: () => session?.bookmark() ?? given };
      },
    };
  }

  #runnerOver(tenant: TenantId, over: (handle: Handle) => SqlRunner): DatabaseRunner {
    this.scope.check(tenant);
    return {
      run: (statement, options) => this.#run(tenant, over, (runner) => runner.run(statement, options)),
      batch: (statements, options) => this.#run(tenant, over, (runner) => runner.batch(statements, options)),
      exec: (sql) => this.#run(tenant, over, (runner) => runner.exec(sql)),
      transaction: (mode, fn, options) =>
        this.use(tenant, async (handle, record) => {
          if (record.blocked && mode === "write") throw blockedError(record);
          assertReadable(record);
          const now = async (): Promise<TenantRecord> =>
            this.catalog.peek(tenant) ?? (await this.#find(tenant));
          return handle.transaction(mode, (tx) => fn(new BlockableRunner(tx, now)), options);
        }),
    };
  }

  /**
   * Runs `fn`, which is synchronous, with the raw database of a tenant. One that takes no writes is lent to read.
   * @throws {TenantryError} as {@link use} does, and `TENANT_BLOCKED`, `UNSUPPORTED`
   */
  withSqlite<T>(tenant: TenantId, fn: (sqlite: Database) => T): Promise<T> {
    return this.use(tenant, async (handle, record) => {
      assertReadable(record);
      if (!handle.withSqlite) {
        throw new TenantryError("UNSUPPORTED", "The driver has no better-sqlite3 database to give.");
      }
      return handle.withSqlite((sqlite) => {
        // Whoever lends it sets it back.
        if (record.blocked) sqlite.pragma("query_only = ON");
        return fn(sqlite);
      });
    });
  }

  /**
   * Runs `fn` with the open handle of a tenant, leased until `fn` settles. Blocks are not looked at: they are for
   * callers' SQL.
   * @throws {TenantryError} `TENANT_NOT_FOUND`, `TENANT_SUSPENDED`, `TENANT_QUARANTINED`, `DATABASE_*`,
   * `CACHE_EXHAUSTED`, `WRONG_TENANT`, and what `fn` throws
   */
  use<T>(tenant: TenantId, fn: UseOfHandle<T>): Promise<T> {
    return this.#use(tenant, fn, false);
  }

  #use<T>(tenant: TenantId, fn: UseOfHandle<T>, once: boolean): Promise<T> {
    const wrong = this.scope.refusal(tenant);
    if (wrong) return Promise.reject(wrong);
    const record = this.catalog.peek(tenant);
    return record
      ? this.#useRecord(record, fn, once)
      : this.#find(tenant).then((found) => this.#useRecord(found, fn, once));
  }

  /** A lease that outlives a call, for sessions and streams. Release it. */
  async lease(tenant: TenantId): Promise<Lease<OpenTenant>> {
    this.scope.check(tenant);
    const record = await this.#find(tenant);
    assertServing(record);
    const { cache, driver } = this.#backends.of(record);
    const lease = await cache
      .acquire(record.incarnation, () => this.#opener.open(record, driver))
      .catch((error: unknown) => {
        throw about(tenant, error);
      });
    keepToLimits(lease.handle, record);
    return lease;
  }

  /**
   * A connection of a tenant for somebody's own use. Release it.
   * @throws {TenantryError} as {@link lease} does, and `UNSUPPORTED`, `DATABASE_BUSY`
   */
  async session(tenant: TenantId): Promise<LeasedSession> {
    const lease = await this.lease(tenant);
    try {
      const session = new BlockableSession(
        await lease.handle.handle.session(),
        () => this.catalog.peek(tenant),
        () => this.#find(tenant),
      );
      return { session, release: () => session.close().finally(() => lease.release()) };
    } catch (error) {
      lease.release();
      throw about(tenant, error);
    }
  }

  /**
   * A tenant's whole database as SQL text, of one moment, in pieces that are made when they are asked for. The tenant
   * is leased until the last, or `return()`; one that is stopped or blocked meanwhile gives no further piece.
   * @throws {TenantryError} with the first piece as {@link use} does, and `TENANT_BLOCKED`, `UNSUPPORTED`
   */
  async *dump(tenant: TenantId): AsyncGenerator<string, void, undefined> {
    assertReadable(await this.#find(tenant));
    const lease = await this.lease(tenant);
    const { handle } = lease.handle;
    try {
      if (!handle.dump) {
        throw new TenantryError("UNSUPPORTED", "The tenant's driver cannot give its database as SQL text.");
      }
      for await (const piece of handle.dump()) {
        yield piece;
        const record = await this.#find(tenant);
        assertServing(record);
        assertReadable(record);
      }
    } catch (error) {
      throw about(tenant, error);
    } finally {
      lease.release();
    }
  }

  /** Whether callers may still read that incarnation of a tenant. */
  async isServing(tenant: TenantId, incarnation: string): Promise<boolean> {
    const record = this.catalog.peek(tenant) ?? (await this.catalog.get(tenant));
    return record?.incarnation === incarnation && record.state === "active" && record.blocked !== "all";
  }

  /**
   * Runs `fn` with a handle of its own, opened past the cache and closed afterwards, unless the tenant is
   * open already: a sweep over all tenants must not push the ones in use out of the cache. The handle has
   * not been migrated, and the tenant's state is the caller's to judge.
   * @throws {TenantryError} `TENANT_NOT_FOUND` and `TENANT_STATE` where it is no longer as `record` says
   */
  async visit<T>(record: TenantRecord, fn: (handle: Handle) => Promise<T>): Promise<T> {
    const { cache, driver } = this.#backends.of(record);
    if (cache.has(record.incarnation) && record.state === "active") return this.#useRecord(record, fn);
    if (record.awaySince !== null) throw away(record.id);
    const handle = await driver.open(record.id, record).catch((error: unknown) => {
      throw about(record.id, error);
    });
    try {
      const now = await this.#opener.unchanged(record);
      if (now.state !== record.state) throw changed(now);
      return await fn(handle);
    } catch (error) {
      throw about(record.id, error);
    } finally {
      await handle.close();
    }
  }

  /** Brings an open database up to date: see {@link TenantOpener.bringUp}. */
  bringUp(record: TenantRecord, handle: Handle): Promise<MigrationResult> {
    return this.#opener.bringUp(record, handle);
  }

  /** Closes the handle of a tenant once it is not in use. @throws {TenantryError} `TENANT_BUSY` */
  async drain(record: TenantRecord, timeoutMs: number): Promise<void> {
    const { cache, driver } = this.#backends.of(record);
    const deadline = performance.now() + timeoutMs;
    try {
      await cache.drain(record.incarnation, timeoutMs);
      await driver.quiesce(record.id, { timeoutMs: Math.max(0, deadline - performance.now()) });
    } catch (error) {
      // A file that is no database is in nobody's use.
      if (isTenantryError(error, "DATABASE_CORRUPT")) return;
      if (!isTenantryError(error, "DATABASE_BUSY") && !isTenantryError(error, "TENANT_BUSY")) throw error;
      throw stillInUse(record.id, timeoutMs, error);
    }
  }

  /** Handles open, leased and waited for. */
  stats(): HandleCacheStats {
    return this.#backends.stats();
  }

  /** Closes every handle, giving those in use `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.#stopped.close();
    await Promise.all(this.#backends.all.map(({ cache }) => cache.close(graceMs)));
  }

  /** Runs callers' SQL, as far as the tenant's block lets it. */
  #run<T>(
    tenant: TenantId,
    over: (handle: Handle) => SqlRunner,
    fn: (runner: SqlRunner) => Promise<T>,
  ): Promise<T> {
    return this.#use(
      tenant,
      (handle, record) =>
        fn(record.blocked === null ? over(handle) : new BlockedRunner(over(handle), record)),
      true,
    );
  }

  /** @param once whether `fn` calls the handle once, so that a call which found it stale can be made again */
  #useRecord<T>(record: TenantRecord, fn: UseOfHandle<T>, once = false): Promise<T> {
    const refused = refusal(record);
    if (refused) return Promise.reject(refused);
    let backend: Backend;
    try {
      backend = this.#backends.of(record);
    } catch (error) {
      return Promise.reject(error);
    }
    return backend.cache
      .use(
        record.incarnation,
        () => this.#opener.open(record, backend.driver),
        (open) => {
          keepToLimits(open, record);
          return fn(open.handle, record);
        },
      )
      .catch(async (error: unknown) => {
        if (!(error instanceof StaleHandleError)) throw about(record.id, error);
        await backend.cache.drain(record.incarnation, 0);
        if (!once) throw about(record.id, error);
        const now = await findTenant(this.catalog, record.id, { fresh: true });
        return this.#useRecord(now, fn);
      });
  }

  async #find(tenant: TenantId): Promise<TenantRecord> {
    return findTenant(this.catalog, tenant);
  }
}
