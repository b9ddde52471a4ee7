// Owns a tenant's routes as an executor serves them: the context comes from the message, not from a caller.
// Checks no credentials: the main process has.
import { Hono } from "hono";
import { includesScope, type Scope } from "../auth/caller.ts";
import { createGuard } from "../sql/guard.ts";
import { parseTenantId } from "../tenant-id.ts";
import type { Tenants } from "../tenants/tenants.ts";
import { type AppOptions, appSettings } from "./app-options.ts";
import { forbidden } from "./authorize.ts";
import type { TenantryEnv } from "./env.ts";
import { errorResponse } from "./error-response.ts";
import { unanswered } from "./not-found.ts";
import { type StreamHost, streamHost } from "./stream-host.ts";
import { dumpRoutes } from "./dump-routes.ts";
import { tenantPipelines, tenantRoutes } from "./tenant-routes.ts";

/** What the main process has found out about a request. */
export interface ResolvedRequest {
  readonly tenant: string;
  readonly incarnation: string;
  readonly scope: Scope;
  /** The tenant's root in the request's URL. */
  readonly base: string;
}

/** Answers what has been resolved. */
export interface ExecutorApp {
  fetch(request: Request, resolved: ResolvedRequest): Response | Promise<Response>;
  /** Streams whose requests come one by one, from a socket. */
  readonly streams: StreamHost;
}

/** The routes of `tenants`, for requests that have been resolved. */
export function executorApp(tenants: Tenants, options: AppOptions): ExecutorApp {
  const settings = appSettings(options);
  const { maxRows, maxResponseBytes, maxBodyBytes, onInternalError } = settings;
  const limits = { maxRows, maxResponseBytes, maxBodyBytes };
  const exactIntegers = tenants.driver.capabilities.bigint;
  const hono = new Hono<TenantryEnv & { Bindings: ResolvedRequest }>();
  hono.onError((error, c) => errorResponse(c, error, onInternalError));
  hono.notFound((c) => errorResponse(c, unanswered(hono as never, c), onInternalError));
  hono.use(async (c, next) => {
    const { incarnation, scope } = c.env;
    const tenant = parseTenantId(c.env.tenant);
    c.set("tenant", tenant);
    c.set("runner", tenants.runner(tenant));
    c.set("schemaKey", incarnation);
    c.set("exactIntegers", exactIntegers);
    c.set("limits", limits);
    c.set("authorize", (action) => {
      if (!includesScope(scope, action)) throw forbidden(action, tenant);
    });
    await next();
  });
  const routes = tenantRoutes({
    settings,
    pipelines: tenantPipelines(settings, tenants),
    more: dumpRoutes(tenants),
  });
  hono.route("/t/:tenant", routes);
  hono.route("/", routes);
  return {
    fetch: (request, resolved) => hono.fetch(request, resolved),
    streams: streamHost({
      tenants,
      limits,
      guard: createGuard({ maxSqlBytes: settings.maxSqlBytes }),
      maxParameters: settings.maxParameters,
    }),
  };
}
