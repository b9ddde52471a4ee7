// Owns the composition on Cloudflare Workers: the rooms of an isolate, over bindings. createTenantry() is Node's.
// Nothing else constructs more than its own parts.
import type { MiddlewareHandler } from "hono";
import { hashApiKey } from "./auth/api-key.ts";
import { type Catalog, openCatalog } from "./catalog/catalog.ts";
import type { TenantDatabase } from "./database/tenant-database.ts";
import type { Driver, Handle } from "./drivers/driver.ts";
import { IsolateHandles } from "./handle-cache/isolate-handles.ts";
import { type App, type AppOptions, createApp } from "./http/app.ts";
import { boundRate, type RateLimitBinding } from "./http/bound-rate.ts";
import { type MiddlewareOptions, type TenantEnv, tenantMiddleware } from "./http/tenant-middleware.ts";
import { type MigrationSet, migrationSet } from "./migrations/migration-set.ts";
import { parseTenantId, type TenantId } from "./tenant-id.ts";
import { type Backend, Backends, type OpenTenant } from "./tenants/backends.ts";
import { FleetMigration } from "./tenants/fleet-migration.ts";
import { Lifecycle } from "./tenants/lifecycle.ts";
import { TenantScope } from "./tenants/tenant-scope.ts";
import { Tenants } from "./tenants/tenants.ts";
import { TenantryError } from "./tenantry-error.ts";

/** Milliseconds for which an isolate takes a tenant, a host or a key to be as it read it. */
export const DEFAULT_WORKER_CACHE_MS = 5_000;

/** Options of {@link createWorkerTenantry}. */
export interface WorkerTenantryOptions {
  /** Where tenants' databases are. New tenants go to the first of several. */
  readonly driver: Driver | readonly Driver[];
  /** The database of the catalog: an object's, by `objectDatabase()`, or D1's, by `d1Database()`. */
  readonly catalog: Handle | Promise<Handle>;
  /** Made by `migrationSet()` from the files that are bundled. @default none */
  readonly migrations?: MigrationSet;
  /**
   * Milliseconds for which an isolate takes a tenant, a host or a key to be as it read it: a key that was revoked
   * through another isolate works for that long. A tenant that was suspended or deleted is refused at once by its
   * own object. @default 5000
   */
  readonly cacheMs?: number;
}

/** Options of {@link WorkerTenantry.app}. */
export interface WorkerAppOptions extends Omit<AppOptions, "maxRequestsPerSecond"> {
  /**
   * An API key of scope admin that is a secret of the Worker and not in the catalog: the one to begin with.
   * "tenantry token generate" makes one.
   * @default none: tokens and the catalog's keys only
   */
  readonly adminKey?: string | undefined;
  /** A binding for rate limits, by tenant: an isolate's own count would say little. @default no limit */
  readonly rateLimit?: RateLimitBinding | undefined;
}

/** What {@link createWorkerTenantry} gives: the same as `createTenantry()`, without what needs a machine. */
export interface WorkerTenantry {
  readonly catalog: Catalog;
  readonly migrations: MigrationSet;
  readonly tenants: Tenants;
  readonly lifecycle: Lifecycle;
  readonly fleet: FleetMigration;
  /** A tenant's database, by D1's API. @throws {TenantryError} `INVALID_TENANT_ID`, `WRONG_TENANT` */
  database(tenant: string): TenantDatabase;
  /** Runs a job in the scope of one tenant. @throws {TenantryError} `WRONG_TENANT` inside another's scope */
  run<T>(tenant: string, fn: (db: TenantDatabase) => T): T;
  /** The tenant of the running code. @throws {TenantryError} `NO_TENANT_SCOPE` */
  currentTenant(): TenantId;
  /** Runs `fn` with every tenant in reach, also inside a tenant's scope. */
  acrossTenants<T>(fn: () => T): T;
  /**
   * The HTTP application. On Workers it is never open to anybody without credentials.
   * @throws {TenantryError} `INVALID_OPTION` where there is neither an admin key nor a key that signs tokens
   */
  app(options?: WorkerAppOptions): Promise<App>;
  /** Hono middleware: finds the request's tenant, and gives `c.var.tenant` and `c.var.db`. */
  middleware(options?: MiddlewareOptions): MiddlewareHandler<TenantEnv>;
  /** Writes what was noted, such as when keys were used, where it is due. For `ctx.waitUntil()` after a request. */
  afterRequest(): Promise<void>;
}

/**
 * Composes Tenantry in a Worker's isolate. What it gives serves many requests.
 *
 * @throws {TenantryError} `INVALID_OPTION`, `MIGRATION_MISSING`, `DATABASE_*` for the catalog
 * @example
 * const migrations = await migrationSet([{ name: "0001_notes.sql", sql: "CREATE TABLE notes (body TEXT)" }]);
 * const tenantry = await createWorkerTenantry({ driver, catalog, migrations });
 * await tenantry.database("acme").prepare("SELECT body FROM notes").all();
 */
export async function createWorkerTenantry(options: WorkerTenantryOptions): Promise<WorkerTenantry> {
  const migrations = options.migrations ?? (await migrationSet([]));
  const catalog = await openCatalog({
    handle: await options.catalog,
    lock: "lease",
    ioPerRequest: true,
    cacheMs: options.cacheMs ?? DEFAULT_WORKER_CACHE_MS,
  });
  const [first, ...others] = [options.driver].flat().map((driver): Backend => {
    return { driver, cache: new IsolateHandles<OpenTenant>() };
  });
  if (first === undefined) throw new TenantryError("INVALID_OPTION", "There is no driver for tenants.");
  const scope = new TenantScope();
  const tenants = new Tenants({
    catalog,
    backends: new Backends(first, others),
    migrations,
    scope,
    watchMs: 0,
  });
  const lifecycle = new Lifecycle(tenants);
  const fleet = new FleetMigration(tenants);
  const database = (id: TenantId): TenantDatabase => tenants.database(id);

  return {
    catalog,
    migrations,
    tenants,
    lifecycle,
    fleet,
    database: (tenant) => database(parseTenantId(tenant)),
    run: (tenant, fn) => {
      const id = parseTenantId(tenant);
      return scope.run(id, () => fn(database(id)));
    },
    currentTenant: () => scope.current(),
    acrossTenants: (fn) => scope.across(fn),
    async app({ adminKey, rateLimit, ...appOptions } = {}) {
      if (adminKey === undefined && (appOptions.publicKeys ?? []).length === 0) throw open();
      const adminKeyHash = adminKey === undefined ? undefined : await hashApiKey(adminKey);
      return createApp(
        {
          catalog,
          tenants,
          lifecycle,
          fleet,
          ...(adminKeyHash !== undefined && { adminKeyHash }),
          ...(rateLimit && { tenantRate: () => boundRate(rateLimit) }),
        },
        appOptions,
      );
    },
    middleware: (middlewareOptions) => tenantMiddleware({ catalog, scope, database }, middlewareOptions),
    afterRequest: async () => {
      if (catalog.flushDue()) await catalog.flush();
    },
  };
}

function open(): TenantryError {
  return new TenantryError(
    "INVALID_OPTION",
    "A Worker is for everybody to reach, and this one has no keys.",
    {
      hint: 'Make an admin key with "tenantry token generate", and give it with "wrangler secret put TENANTRY_ADMIN_KEY".',
    },
  );
}
