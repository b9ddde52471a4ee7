// Owns the routes below a tenant's root: rows, SQL, schema. The same in the server's process and in an executor.
// Does not find the tenant or its caller's rights: the context has them.
import { Hono } from "hono";
import { createSchemaCache } from "../database/schema-cache.ts";
import { createGuard } from "../sql/guard.ts";
import type { Tenants } from "../tenants/tenants.ts";
import type { AppSettings } from "./app-options.ts";
import type { TenantryEnv } from "./env.ts";
import { HranaPipelines } from "./hrana-pipelines.ts";
import { hranaRoutes } from "./hrana-routes.ts";
import { idempotency } from "./idempotency.ts";
import { queryRoutes } from "./query-routes.ts";
import { restRoutes } from "./rest/rest-routes.ts";
import { schemaRoutes } from "./schema-routes.ts";

/** What {@link tenantRoutes} are made with. */
export interface TenantRoutesParts {
  readonly settings: AppSettings;
  readonly pipelines: HranaPipelines;
  /** Routes that only some runtimes have: `/dump`. */
  readonly more?: Hono<TenantryEnv> | undefined;
}

/** `/query`, `/batch`, `/rest/:table`, `/schema`, `/openapi.json`, and Hrana's. */
export function tenantRoutes({ settings, pipelines, more }: TenantRoutesParts): Hono<TenantryEnv> {
  const schemas = createSchemaCache();
  const routes = new Hono<TenantryEnv>();
  // Before idempotency: what a stream does is not one request's to repeat.
  routes.route("/", hranaRoutes(pipelines, settings.onInternalError));
  if (more) routes.route("/", more);
  routes.use(idempotency);
  routes.route(
    "/",
    queryRoutes({
      guard: createGuard({ maxSqlBytes: settings.maxSqlBytes }),
      maxParameters: settings.maxParameters,
      maxBatchStatements: settings.maxBatchStatements,
    }),
  );
  routes.route("/rest", restRoutes({ schemas }));
  routes.route("/", schemaRoutes({ schemas }));
  return routes;
}

/** Hrana over HTTP at `tenants`. */
export function tenantPipelines(settings: AppSettings, tenants: Pick<Tenants, "session">): HranaPipelines {
  return new HranaPipelines({
    guard: createGuard({ maxSqlBytes: settings.maxSqlBytes }),
    openSession: (tenant) => tenants.session(tenant),
    maxParameters: settings.maxParameters,
    batonKey: settings.batonKey,
  });
}
