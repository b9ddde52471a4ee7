// Owns the HTTP application: which room answers which path, and what an error or a stranger gets.
// Constructs the HTTP room's own parts, and nothing else.
import { type Context, type Handler, Hono, type MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { type Caller, LOCAL_CALLER } from "../auth/caller.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Metrics } from "../observe/metrics.ts";
import { shuttingDown } from "../shutting-down.ts";
import type { FleetMigration } from "../tenants/fleet-migration.ts";
import type { Lifecycle } from "../tenants/lifecycle.ts";
import type { Tenants } from "../tenants/tenants.ts";
import { Access } from "./access.ts";
import { adminRoutes } from "./admin-routes.ts";
import { type Admission, admission } from "./admission.ts";
import { type AppOptions, type AppSettings, appSettings } from "./app-options.ts";
import { authorize } from "./authorize.ts";
import { BOOKMARK_HEADER } from "./bookmark-header.ts";
import { databaseRoutes } from "./database-routes.ts";
import type { AdminEnv, TenantryEnv } from "./env.ts";
import { errorResponse } from "./error-response.ts";
import type { HranaPipelines } from "./hrana-pipelines.ts";
import { HRANA_PATHS, hranaProbes } from "./hrana-routes.ts";
import { InFlight } from "./in-flight.ts";
import type { RouteDescription } from "./openapi/route-description.ts";
import { unanswered } from "./not-found.ts";
import { type GoesOn, goesOnWith } from "./open-transaction.ts";
import { adminOpenApi, ROUTES } from "./openapi/admin-openapi.ts";
import { createTenantResolver, headersOf, type TenantResolver } from "./resolve-tenant.ts";
import { remoteAddressOf } from "./remote-address.ts";
import type { TenantDatabases } from "./request-database.ts";
import { routeLabel } from "./route-label.ts";
import type { OnInternalError } from "./shown-error.ts";
import type { TenantRate } from "./tenant-rate.ts";
import { tenantPipelines, tenantRoutes } from "./tenant-routes.ts";
import { tenantContext } from "./tenant-context.ts";

export type { AppOptions };

/** What the application works on. */
export interface AppParts {
  readonly catalog: Catalog;
  readonly tenants: Tenants;
  readonly lifecycle: Lifecycle;
  readonly fleet: FleetMigration;
  /** Answers `/metrics`; without it there is none. */
  readonly metrics?: Metrics;
  /** Routes below `/admin` that only some runtimes have, such as those that move files. */
  readonly moreAdminRoutes?: Hono<AdminEnv>;
  /** How `/openapi.json` describes what only some runtimes have. */
  readonly moreDescribed?: readonly RouteDescription[];
  /** The same below a tenant's root. */
  readonly moreTenantRoutes?: Hono<TenantryEnv>;
  /** Limits each tenant's requests, to so many a second or as it knows itself; without it there is no limit. */
  readonly tenantRate?: (maxRequestsPerSecond: number) => TenantRate | undefined;
  /** See {@link Access}. */
  readonly adminKeyHash?: string;
  /** An administrative API besides `/admin`, below `/v1`. */
  readonly namespaces?: (maxBodyBytes: number) => {
    readonly routes: Hono<AdminEnv>;
    readonly described: readonly RouteDescription[];
  };
  /** Hands tenants' requests to other processes; without it they run in this one. */
  readonly forward?: (settings: AppSettings) => Handler;
  /** Why tenants' requests cannot be answered at present, where they cannot. */
  readonly failure?: () => unknown;
  /** Whether the process is still to be sent requests. */
  readonly isReady?: () => boolean;
  /** How the replication of tenants stands, as JSON; without it `/readyz` says nothing of it. */
  readonly backups?: () => object;
}

/** The HTTP application, and who may use it. */
export interface App {
  readonly hono: Hono;
  readonly access: Access;
  /** `/admin` for the command lines of this machine, who need no credentials: serve it to nobody else. */
  readonly control: Hono;
  /** How a request gets in, for what comes on other ways: see served-app.ts. */
  readonly door: Door;
  /** What libSQL's routes work on, for who answers the same without them; only where they run in this process. */
  readonly hrana?: HranaHere;
}

/** Pipelines, and the databases that they are for. */
export interface HranaHere {
  readonly pipelines: HranaPipelines;
  readonly databases: TenantDatabases;
}

/** What every way in shares, so that a tenant's limits hold over all of them together. */
export interface Door {
  readonly admit: Admission;
  readonly resolver: TenantResolver;
  readonly inFlight: InFlight;
  readonly goesOn: GoesOn;
  readonly onTenant: (tenant: string) => void;
  readonly settings: AppSettings;
}

/** Composes the application. @throws {TenantryError} `INVALID_OPTION` */
export function createApp(parts: AppParts, options: AppOptions = {}): App {
  const { catalog, tenants, metrics, isReady = () => true } = parts;
  const settings = appSettings(options);
  const { onInternalError, maxBodyBytes, maxRows, maxResponseBytes } = settings;
  const access = new Access({
    catalog,
    publicKeys: settings.publicKeys,
    ...(parts.adminKeyHash !== undefined && { adminKeyHash: parts.adminKeyHash }),
  });

  const hono = new Hono();
  hono.onError((error, c) => errorResponse(c, error, onInternalError));
  hono.notFound((c) => errorResponse(c, unanswered(hono, c), onInternalError));
  if (metrics) {
    hono.use(async (c, next) => {
      const started = performance.now();
      await next();
      metrics.request(
        c.req.method,
        routeLabel(c.req.path),
        c.res.status,
        (performance.now() - started) / 1000,
      );
    });
  }
  if (settings.corsOrigins.length > 0) {
    hono.use(
      cors({
        origin: [...settings.corsOrigins],
        exposeHeaders: [BOOKMARK_HEADER, "Content-Range", "Location", "Preference-Applied", "Retry-After"],
      }),
    );
  }

  hono.get("/healthz", (c) => c.json({ status: "ok" }));
  hono.get("/readyz", async (c) => {
    if (!isReady()) throw shuttingDown();
    await catalog.count();
    const failure = parts.failure?.();
    if (failure !== undefined) throw failure;
    // An alarm for people, and no reason to send requests elsewhere.
    const failedDrills = await catalog.backups.countFailing();
    return c.json({
      status: "ready",
      ...(parts.backups && { backups: parts.backups() }),
      ...(failedDrills > 0 && { alarms: { failedDrills } }),
    });
  });

  const admin = new Hono<AdminEnv>();
  const requireAdmin = async (c: Context): Promise<Caller> => {
    const caller = await access.callerOf(headersOf(c), remoteAddressOf(c));
    authorize(caller, { scope: "admin" });
    return caller as Caller;
  };
  const asAdmin: MiddlewareHandler<AdminEnv> = async (c, next) => {
    c.set("caller", await requireAdmin(c));
    await next();
  };
  admin.use(asAdmin);
  const administration = adminRoutes({ ...parts, maxBodyBytes });
  administration.route("/", databaseRoutes({ tenants, lifecycle: parts.lifecycle, settings }));
  if (parts.moreAdminRoutes) administration.route("/", parts.moreAdminRoutes);
  admin.route("/", administration);
  hono.route("/admin", admin);
  const namespaces = parts.namespaces?.(maxBodyBytes);
  if (namespaces) {
    hono.use("/v1/namespaces/*", asAdmin as never);
    hono.route("/v1", namespaces.routes);
  }

  if (metrics) {
    hono.get("/metrics", async (c) => {
      await requireAdmin(c);
      return c.text(await metrics.text(), 200, { "content-type": metrics.contentType });
    });
  }

  const resolver = createTenantResolver({
    lookupAlias: (host) => catalog.peekHost(host) ?? catalog.tenantOfHost(host),
    baseDomains: settings.baseDomains,
    exceptHosts: settings.exceptHosts,
  });
  const inFlight = new InFlight(settings.maxInFlight);
  const goesOn = goesOnWith(settings.batonKey);
  const databases: TenantDatabases = { tenants, limits: { maxRows, maxResponseBytes, maxBodyBytes } };
  const onTenant = (tenant: string): void => metrics?.tenant(tenant);
  const admit = admission({
    access,
    catalog,
    resolver,
    rate: parts.tenantRate?.(settings.maxRequestsPerSecond),
  });
  const context = tenantContext({
    admit,
    inFlight,
    goesOn,
    onTenant,
    ...(!parts.forward && { database: databases }),
  });
  const document = adminOpenApi({
    routes: [...ROUTES, ...(parts.moreDescribed ?? []), ...(namespaces?.described ?? [])].filter(
      isThere(hono),
    ),
  });
  hono.get("/openapi.json", (c) => c.json(document));
  const paths = ["/t/:tenant/*", "/query", "/batch", "/schema", "/dump", "/rest/*", ...HRANA_PATHS];
  const probes = hranaProbes();
  hono.route("/", probes);
  hono.route("/t/:tenant", probes);
  for (const path of paths) hono.use(path, context as never);
  let hrana: HranaHere | undefined;
  if (parts.forward) {
    // Only what the context was made for: any other path is nobody's.
    const handler = parts.forward(settings);
    for (const path of paths) hono.all(path, handler as never);
  } else {
    const pipelines = tenantPipelines(settings, tenants);
    const ofTenant = tenantRoutes({ settings, pipelines, more: parts.moreTenantRoutes });
    hrana = { pipelines, databases };
    hono.route("/t/:tenant", ofTenant);
    hono.route("/", ofTenant);
  }
  const door = { admit, resolver, inFlight, goesOn, onTenant, settings };
  const control = controlApp(administration, onInternalError);
  return { hono, access, door, control, ...(hrana && { hrana }) };
}

/** Whether a described route of `/admin` is one of `hono`'s: not every runtime has all of them. */
function isThere(hono: Hono): (route: RouteDescription) => boolean {
  const there = new Set(hono.routes.map(({ method, path }) => `${method} ${path}`));
  return ({ method, path }) =>
    !path.startsWith("/admin/") ||
    there.has(`${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`);
}

function controlApp(administration: Hono<AdminEnv>, onInternalError: OnInternalError): Hono {
  const control = new Hono<AdminEnv>();
  control.onError((error, c) => errorResponse(c, error, onInternalError));
  control.notFound((c) => errorResponse(c, unanswered(control as never, c), onInternalError));
  control.use(async (c, next) => {
    const subject = decodeURIComponent(c.req.header("x-tenantry-actor") ?? "cli");
    c.set("caller", { ...LOCAL_CALLER, subject });
    c.set("onThisMachine", true);
    await next();
  });
  control.route("/admin", administration);
  return control as unknown as Hono;
}
