// Owns the composition: it builds the rooms, hands each what it needs, and closes them in order.
// Nothing else constructs more than its own parts.
import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type Database from "better-sqlite3";
import { acknowledgements, DEFAULT_REPLICATED_TIMEOUT_MS } from "./backups/acknowledgements.ts";
import { createRecovery, type Recovery } from "./backups/recovery.ts";
import { Backups, type BackupsOptions } from "./backups/backups.ts";
import type { BackupsHealth } from "./backups/backups-status.ts";
import { parseReplicaUrl } from "./backups/replica-url.ts";
import { askReplicated } from "./backups/replication-gate.ts";
import { type Catalog, openCatalog } from "./catalog/catalog.ts";
import { type TenantDatabase, tenantDatabase } from "./database/tenant-database.ts";
import type { Driver } from "./drivers/driver.ts";
import { replicationFolder } from "./drivers/local/database-file.ts";
import { ExecutorPool } from "./executors/executor-pool.ts";
import { CHECKPOINT_PAGES_REPLICATED, type LocalDriver, localDriver } from "./drivers/local/local-driver.ts";
import { StatementCounter } from "./drivers/statement-figures.ts";
import { DEFAULT_MAX_OPEN, HandleCache } from "./handle-cache/handle-cache.ts";
import { type MigrationSet, migrationSet } from "./migrations/migration-set.ts";
import { readMigrations } from "./migrations/read-migrations.ts";
import { assertFits, descriptorLimit, handlesThatFit } from "./observe/descriptor-limit.ts";
import { givenOptions } from "./given-options.ts";
import { openCatalogFile } from "./open-catalog-file.ts";
import type { ExecutorOptions, ServerOptions } from "./server-options.ts";
import { parseTenantId, type TenantId } from "./tenant-id.ts";
import { type Backend, Backends, type OpenTenant } from "./tenants/backends.ts";
import { FleetMigration } from "./tenants/fleet-migration.ts";
import { DEFAULT_DRAIN_TIMEOUT_MS, Lifecycle } from "./tenants/lifecycle.ts";
import { WriteMarks } from "./tenants/write-marks.ts";
import type { Elsewhere, HeavyActs } from "./tenants/acts.ts";
import { TenantScope } from "./tenants/tenant-scope.ts";
import { checkTenantryOptions, type TenantryOptions } from "./tenantry-options.ts";
import { TenantryError } from "./tenantry-error.ts";
import { Tenants } from "./tenants/tenants.ts";
import { Hono } from "hono";
import type { AppOptions } from "./http/app.ts";
import { backupRoutes } from "./http/backup-routes.ts";
import type { AdminEnv } from "./http/env.ts";
import { dumpImporter } from "./http/dump-source.ts";
import { type ExecutorApp, executorApp } from "./http/executor-app.ts";
import { DEFAULT_MAX_IMPORT_BYTES, fileRoutes } from "./http/file-routes.ts";
import { createServedApp, type ServedApp } from "./http/served-app.ts";
import { tenantRate } from "./http/tenant-rate.ts";
import { type MiddlewareOptions, type TenantEnv, tenantMiddleware } from "./http/tenant-middleware.ts";
import { MACHINE_ROUTES } from "./http/openapi/machine-openapi.ts";
import { Metrics } from "./observe/metrics.ts";
import type { MiddlewareHandler } from "hono";

/** Bytes of page cache that all open handles share. */
export const DEFAULT_MAX_OPEN_BYTES = 256 * 1024 * 1024;

/** The least page cache that a handle gets, in bytes. */
const MIN_CACHE_BYTES = 64 * 1024;

/** Milliseconds that a suspension waits for the replica to take the tenant's last writes. */
const BEFORE_SUSPENSION_MS = 3_000;

/** What {@link createTenantry} gives. */
export interface Tenantry extends AsyncDisposable {
  readonly catalog: Catalog;
  /** The driver of the data folder's own files. */
  readonly driver: LocalDriver;
  readonly migrations: MigrationSet;
  /** Leases and statements, for those who build rooms of their own. */
  readonly tenants: Tenants;
  /** Create, suspend, resume, delete, import, export. */
  readonly lifecycle: Lifecycle;
  /** Migrations over all tenants. */
  readonly fleet: FleetMigration;
  /** Snapshots, and bringing tenants back from them, from a replica, or from files. */
  readonly recovery: Recovery;

  /** A tenant's database, by D1's API. @throws {TenantryError} `INVALID_TENANT_ID`, `WRONG_TENANT` */
  database(tenant: string): TenantDatabase;
  /**
   * Runs `fn` with the raw better-sqlite3 database of a tenant. `fn` is synchronous, and must end the
   * transactions that it begins.
   */
  withSqlite<T>(tenant: string, fn: (sqlite: Database.Database) => T): Promise<T>;
  /** Runs a job in the scope of one tenant. @throws {TenantryError} `WRONG_TENANT` inside another's scope */
  run<T>(tenant: string, fn: (db: TenantDatabase) => T): T;
  /** The tenant of the running code. @throws {TenantryError} `NO_TENANT_SCOPE` */
  currentTenant(): TenantId;
  /** Runs `fn` with every tenant in reach, also inside a tenant's scope. */
  acrossTenants<T>(fn: () => T): T;
  /** What the statements of tenants came to that ran in this process. */
  readonly statements: StatementCounter;
  /** The HTTP application over these tenants: rows, SQL, schema, administration. */
  app(options?: ServerOptions): ServedApp;
  /**
   * Processes that run tenants' SQL: from then on `database()`, `run()` and `middleware()` use them. They
   * divide this one's budgets among them, and end with it.
   * @throws {TenantryError} `INVALID_OPTION` where the migrations are not a folder, or tenants are not files
   */
  executors(options: ExecutorOptions): ExecutorPool;
  /**
   * Replicates the tenants to the `replica`: those that are written to at once, the others by and by. One server
   * of a data folder does; it ends with this Tenantry.
   * @throws {TenantryError} `INVALID_OPTION` without a `replica`, `BACKUPS_UNAVAILABLE` without a Litestream
   */
  backups(options?: BackupsOptions): Promise<Backups>;
  /** The routes below a tenant's root, for requests that another process has resolved and authorised. */
  tenantApp(options?: AppOptions): ExecutorApp;
  /** Hono middleware: finds the request's tenant, and gives `c.var.tenant` and `c.var.db`. */
  middleware(options?: MiddlewareOptions): MiddlewareHandler<TenantEnv>;
  /** Finishes what runs, for `graceMs` at most, then closes every database. Idempotent. @param graceMs @default 10000 */
  close(graceMs?: number): Promise<void>;
}

/**
 * Opens a data folder: the catalog, and every tenant in a file of its own.
 *
 * @throws {TenantryError} `INVALID_OPTION`, `MIGRATIONS_INVALID`, `DATABASE_*` for the catalog
 * @example
 * await using tenantry = await createTenantry({ data: "./data", migrations: "./migrations" });
 * await tenantry.lifecycle.create(parseTenantId("acme"));
 * await tenantry.database("acme").prepare("SELECT count(*) AS n FROM customers").first("n");
 */
export async function createTenantry(given: TenantryOptions): Promise<Tenantry> {
  const options = checkTenantryOptions(given);
  const dir = resolve(options.data);
  const migrations =
    typeof options.migrations === "string"
      ? await readMigrations(options.migrations)
      : (options.migrations ?? (await migrationSet([])));

  const replica = options.replica === undefined ? undefined : parseReplicaUrl(options.replica);
  const marksWrites = options.marksWrites ?? replica !== undefined;
  let replication: Promise<Backups> | undefined;
  let backups: Backups | undefined;
  let notBackedUp = "No replica is configured.";
  const backupsHealth = (): BackupsHealth =>
    backups ? { state: "on", alarms: backups.status().alarms } : { state: "off", reason: notBackedUp };
  /** Asks this process's own replication, or the server that has it. */
  const bringOver = async (id: TenantId, timeoutMs: number): Promise<number> =>
    replication ? (await replication).replicated(id, timeoutMs) : askReplicated(dir, id, timeoutMs);
  const counter = new StatementCounter();
  const acknowledged = acknowledgements(options.durability, bringOver);
  const marks = new WriteMarks({
    catalog: () => catalog,
    all: marksWrites,
    replicated: (record) => acknowledged.write(record),
  });

  const limit = descriptorLimit();
  const maxOpen = options.maxOpen ?? Math.min(DEFAULT_MAX_OPEN, handlesThatFit(limit, 3));
  const driver = localDriver({
    dir,
    cacheBytes: Math.max(
      MIN_CACHE_BYTES,
      Math.floor((options.maxOpenBytes ?? DEFAULT_MAX_OPEN_BYTES) / maxOpen),
    ),
    ...givenOptions({
      durability: options.durability === "replicated" ? "normal" : options.durability,
      busyTimeoutMs: options.busyTimeoutMs,
      transactionTimeoutMs: options.transactionTimeoutMs,
      statementCacheEntries: options.statementCacheEntries,
      maxSessions: options.maxSessions,
      maxDatabaseBytes: options.maxDatabaseBytes,
      checkpointPages: marksWrites ? CHECKPOINT_PAGES_REPLICATED : undefined,
    }),
    statements: {
      begin: (name) => options.statements?.begin(name),
      end: (name, ms) => options.statements?.end(name, ms),
      ran: (name, sql, ms, read, written) => counter.add(name, sql, ms, read, written),
    },
    writes: {
      before: (name) => marks.before(name as TenantId),
      after: (name) => marks.after(name as TenantId),
    },
  });
  assertFits(maxOpen, limit, driver.descriptorsPerHandle);

  const backend = (of: Driver, open = of.maxOpen): Backend => ({
    driver: of,
    cache: new HandleCache<OpenTenant>(
      givenOptions({ maxOpen: open, idleMs: options.idleMs, acquireTimeoutMs: options.acquireTimeoutMs }),
    ),
  });
  const files = backend(driver, maxOpen);
  const remote = [options.driver ?? []].flat().map((of) => backend(of));
  const [first = files, ...others] = [...remote, files];
  const backends = new Backends(first, others);

  const catalogHandle = await openCatalogFile(dir, marksWrites);
  const catalog = await openCatalog({
    handle: catalogHandle,
    dataVersion: () => catalogHandle.dataVersion(),
  }).catch(async (error: unknown) => {
    await catalogHandle.close();
    throw error;
  });
  const scope = new TenantScope();
  const tenants = new Tenants({
    catalog,
    backends,
    migrations,
    scope,
    hydrate: (record) => recovery.hydration.hydrate(record),
    ...givenOptions({ watchMs: options.watchMs }),
  });

  const pools: ExecutorPool[] = [];
  const elsewhere: Elsewhere = () => {
    const pool = pools.at(-1);
    return pool && choresOf(pool);
  };
  const lifecycle = new Lifecycle(tenants, {
    elsewhere,
    drainTimeoutMs: options.drainTimeoutMs,
    backupState: marksWrites ? "dirty" : "none",
    replicated: (record) => acknowledged.whole(record),
    bringOver: marksWrites ? async (id) => void (await bringOver(id, BEFORE_SUSPENSION_MS)) : undefined,
  });
  const fleet = new FleetMigration(tenants, elsewhere);
  const recovery = createRecovery({
    tenants,
    lifecycle,
    driver,
    replica: options.replica,
    snapshots: options.snapshots,
    drainTimeoutMs: options.drainTimeoutMs,
    replicated: {
      release: async (record) => (await replication)?.release(record),
      flush: async ({ id }) => {
        const now = await catalog.get(id, { upToNow: true });
        if (now?.backupState === "clean") return now.backupTxid;
        return bringOver(id, DEFAULT_REPLICATED_TIMEOUT_MS).catch(() => undefined);
      },
      acknowledge: (record) => acknowledged.whole(record),
      forget: ({ id }) => rm(replicationFolder(driver.files.pathOf(id)), { recursive: true, force: true }),
    },
  });

  const executors = ({ executors: size, app = {}, ...poolOptions }: ExecutorOptions): ExecutorPool => {
    if (options.driver !== undefined) {
      throw new TenantryError("INVALID_OPTION", "Executors run the SQL of files, not of another driver.", {
        hint: "Leave them out: a remote database runs its SQL in its own place.",
      });
    }
    if (typeof options.migrations !== "string" && options.migrations !== undefined) {
      throw new TenantryError("INVALID_OPTION", "Executors need the migrations as a folder.", {
        hint: "Give createTenantry() the path of the folder.",
      });
    }
    const { data: _data, migrations: folder, statements: _statements, driver: _driver, ...rest } = options;
    const pool = new ExecutorPool({
      ...poolOptions,
      executors: size,
      scratchDir: join(dir, "scratch"),
      settings: {
        app,
        tenantry: {
          ...rest,
          data: dir,
          marksWrites,
          // One more for those who run apart.
          maxOpen: Math.max(1, Math.floor(maxOpen / (size + 1))),
          maxOpenBytes: Math.floor((options.maxOpenBytes ?? DEFAULT_MAX_OPEN_BYTES) / (size + 1)),
          ...(folder !== undefined && { migrations: resolve(folder) }),
        },
      },
    });
    pools.push(pool);
    return pool;
  };

  const databaseOf = (id: TenantId): TenantDatabase => {
    const pool = pools.at(-1);
    scope.check(id);
    if (!pool) return tenants.database(id);
    const timeoutMs = (): number | null | undefined => catalog.peek(id)?.statementTimeoutMs;
    return tenantDatabase(pool.runner(id, () => scope.check(id), timeoutMs));
  };

  const startBackups = (backupsOptions?: BackupsOptions): Promise<Backups> => {
    if (!replica) {
      throw new TenantryError("INVALID_OPTION", "There is no replica to back up to.", {
        hint: 'Give createTenantry() one, such as { replica: "file:///var/backups/tenants" }.',
      });
    }
    const durability = options.durability ?? "normal";
    replication ??= Backups.start({ catalog, driver, replica, durability }, backupsOptions).then(
      (started) => (backups = started),
      (error: unknown) => {
        // It can be tried again.
        replication = undefined;
        notBackedUp = error instanceof Error ? error.message : String(error);
        throw error;
      },
    );
    return replication;
  };

  let closing: Promise<void> | undefined;
  const close = async (graceMs: number): Promise<void> => {
    try {
      // In one turn: what comes after the call of close() is refused, here and there.
      await Promise.all([
        recovery.close(graceMs),
        tenants.close(graceMs),
        ...pools.map((pool) => pool.close(graceMs)),
      ]);
    } finally {
      // After the last write, and before the catalog, which is told what came of it.
      await replication?.catch(() => undefined);
      await Promise.resolve(backups?.close(graceMs))
        .finally(() => catalog.close())
        .finally(() => catalogHandle.close());
    }
  };
  const closeOnce = (graceMs = DEFAULT_DRAIN_TIMEOUT_MS): Promise<void> => (closing ??= close(graceMs));

  return {
    catalog,
    driver,
    migrations,
    tenants,
    lifecycle,
    fleet,
    recovery,
    database: (tenant) => databaseOf(parseTenantId(tenant)),
    withSqlite: async (tenant, fn) => tenants.withSqlite(parseTenantId(tenant), fn),
    run: (tenant, fn) => {
      const id = parseTenantId(tenant);
      return scope.run(id, () => fn(databaseOf(id)));
    },
    currentTenant: () => scope.current(),
    acrossTenants: (fn) => scope.across(fn),
    statements: counter,
    executors,
    backups: async (backupsOptions) => startBackups(backupsOptions),
    app: ({
      maxImportBytes = DEFAULT_MAX_IMPORT_BYTES,
      dumpHosts = [],
      pool,
      adminKeyHash,
      ...appOptions
    } = {}) =>
      createServedApp(
        {
          catalog,
          tenants,
          lifecycle,
          fleet,
          metrics: new Metrics({
            catalog,
            handles: () => (pool ? pool.handles(tenants.stats()) : tenants.stats()),
            ...(pool && { pool: () => pool.stats() }),
            backups: () => backups?.status(),
            failedJobs: () => recovery.jobs.failures(),
          }),
          moreDescribed: MACHINE_ROUTES,
          moreAdminRoutes: new Hono<AdminEnv>()
            .route("/", fileRoutes({ files: driver.files, lifecycle, maxImportBytes }))
            .route("/", backupRoutes(recovery)),
          figures: async (id) => (pool ? pool.figures(id) : counter.of(id)),
          forgetStatements: async (id) => (pool ? pool.forgetStatements(id) : counter.forgetStatements(id)),
          importDump: dumpImporter({
            files: driver.files,
            lifecycle,
            maxBytes: maxImportBytes,
            hosts: dumpHosts,
            exceptDir: dir,
          }),
          ...(replica && { history: recovery }),
          isReady: () => closing === undefined,
          backups: backupsHealth,
          tenantRate,
          ...(pool && { pool }),
          ...(adminKeyHash !== undefined && { adminKeyHash }),
        },
        appOptions,
      ),
    tenantApp: (options = {}) => executorApp(tenants, options),
    middleware: (options) => tenantMiddleware({ catalog, scope, database: databaseOf }, options),
    close: closeOnce,
    [Symbol.asyncDispose]: () => closeOnce(),
  };
}

/** What executors do of the work on whole databases. */
function choresOf(pool: ExecutorPool): HeavyActs {
  const chore =
    (name: keyof HeavyActs) =>
    (...args: unknown[]): Promise<never> =>
      pool.chore(name, args) as Promise<never>;
  return {
    importFile: chore("importFile"),
    exportFile: chore("exportFile"),
    fork: chore("fork"),
    migrate: chore("migrate"),
  };
}
