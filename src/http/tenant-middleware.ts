// Owns the middleware that an application puts before its own routes: the tenant and its database.
// Does not ask who the caller is: the application knows its users.
import type { Context, MiddlewareHandler, Next } from "hono";
import type { Catalog } from "../catalog/catalog.ts";
import type { TenantDatabase } from "../database/tenant-database.ts";
import type { TenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import type { TenantScope } from "../tenants/tenant-scope.ts";
import { findTenant } from "../tenants/find-tenant.ts";
import { createTenantResolver, headersOf, type ResolveTenantOptions } from "./resolve-tenant.ts";

/** What the middleware puts into Hono's context. */
export interface TenantEnv {
  Variables: {
    tenant: TenantId;
    db: TenantDatabase;
  };
}

/** What the middleware works on. */
export interface TenantMiddlewareParts {
  readonly catalog: Catalog;
  readonly scope: TenantScope;
  readonly database: (tenant: TenantId) => TenantDatabase;
}

/** How the middleware finds a request's tenant. */
export type MiddlewareOptions = ResolveTenantOptions;

/**
 * Finds the tenant by path (`/t/acme/…`), the header `X-Tenant-Id`, or the host, and runs what follows in
 * its scope. Its errors are TenantryErrors: `errorResponse()` answers them.
 */
export function tenantMiddleware(
  { catalog, scope, database }: TenantMiddlewareParts,
  options: MiddlewareOptions = {},
): MiddlewareHandler<TenantEnv> {
  const resolver = createTenantResolver({
    lookupAlias: (host) => catalog.peekHost(host) ?? catalog.tenantOfHost(host),
    ...options,
  });
  const enter = (c: Context<TenantEnv>, tenant: TenantId, next: Next): Promise<void> => {
    c.set("tenant", tenant);
    c.set("db", database(tenant));
    return scope.run(tenant, next);
  };
  const enterUnknown = async (
    c: Context<TenantEnv>,
    named: TenantId | undefined | Promise<TenantId | undefined>,
    next: Next,
  ): Promise<void> => {
    const tenant = await named;
    if (tenant === undefined) {
      throw new TenantryError("TENANT_REQUIRED", "The request names no tenant.", {
        hint: "Use /t/acme/…, the header X-Tenant-Id, or the tenant's host.",
      });
    }
    await findTenant(catalog, tenant);
    return enter(c, tenant, next);
  };
  // Nearly every request is of a tenant that is in memory, and waits for nothing.
  return (c, next) => {
    const named = resolver.resolve(c.req.url, headersOf(c));
    return typeof named === "string" && catalog.peek(named)
      ? enter(c, named, next)
      : enterUnknown(c, named, next);
  };
}
