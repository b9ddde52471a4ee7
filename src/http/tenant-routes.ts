// Owns the routes below a tenant's root: rows, SQL, schema. The same in the server's process and in an executor.
// Does not find the tenant or its caller's rights: the context has them.
import { Hono } from "hono";
import { createSchemaCache } from "../database/schema-cache.ts";
import { createGuard } from "../sql/guard.ts";
import type { Tenants } from "../tenants/tenants.ts";
import type { AppSettings } from "./app-options.ts";
import type { TenantryEnv } from "./env.ts";
import { hranaRoutes } from "./hrana-routes.ts";
import { idempotency } from "./idempotency.ts";
import { queryRoutes } from "./query-routes.ts";
import { restRoutes } from "./rest/rest-routes.ts";
import { schemaRoutes } from "./schema-routes.ts";

/**
 * `/query`, `/batch`, `/rest/:table`, `/schema`, `/openapi.json`, and Hrana's.
 * @param more routes that only some runtimes have: `/dump`
 */
export function tenantRoutes(
  settings: AppSettings,
  tenants: Pick<Tenants, "session">,
  more?: Hono<TenantryEnv>,
): Hono<TenantryEnv> {
  const schemas = createSchemaCache();
  const guard = createGuard({ maxSqlBytes: settings.maxSqlBytes });
  const routes = new Hono<TenantryEnv>();
  // Before idempotency: what a stream does is not one request's to repeat.
  routes.route(
    "/",
    hranaRoutes({
      guard,
      openSession: (tenant) => tenants.session(tenant),
      maxParameters: settings.maxParameters,
      batonKey: settings.batonKey,
      onInternalError: settings.onInternalError,
    }),
  );
  if (more) routes.route("/", more);
  routes.use(idempotency);
  routes.route(
    "/",
    queryRoutes({
      guard,
      maxParameters: settings.maxParameters,
      maxBatchStatements: settings.maxBatchStatements,
    }),
  );
  routes.route("/rest", restRoutes({ schemas }));
  routes.route("/", schemaRoutes({ schemas }));
  return routes;
}
