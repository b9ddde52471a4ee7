// Owns the way from a request to its tenant's routes: who asks, which tenant, whether it is there, how many at once.
// Runs no SQL, and leaves to the routes what they need the right for.
import type { MiddlewareHandler } from "hono";
import type { Catalog } from "../catalog/catalog.ts";
import { tenantDatabase } from "../database/tenant-database.ts";
import { TenantryError } from "../tenantry-error.ts";
import { type Tenants, unknownTenant } from "../tenants/tenants.ts";
import type { Access } from "./access.ts";
import { authorize, unauthenticated } from "./authorize.ts";
import type { RequestLimits, TenantryEnv } from "./env.ts";
import type { InFlight } from "./in-flight.ts";
import { remoteAddressOf } from "./remote-address.ts";
import type { TenantRate } from "./tenant-rate.ts";
import type { TenantResolver } from "./resolve-tenant.ts";

/** What the context is made from. */
export interface TenantContextOptions {
  readonly access: Access;
  readonly catalog: Catalog;
  readonly tenants: Tenants;
  readonly resolver: TenantResolver;
  readonly inFlight: InFlight;
  /** How many requests a tenant may send a second; undefined for any number. */
  readonly rate: TenantRate | undefined;
  readonly limits: RequestLimits;
  /** Told of each request's tenant. */
  readonly onTenant: (tenant: string) => void;
}

/** Puts the tenant, its database and the caller's rights into the context of everything behind it. */
export function tenantContext(options: TenantContextOptions): MiddlewareHandler<TenantryEnv> {
  const { access, catalog, tenants, resolver, inFlight, rate, limits, onTenant } = options;
  return async (c, next) => {
    const header = (name: string): string | undefined => c.req.header(name);
    const asked = access.callerOf(header, remoteAddressOf(c));
    const caller = asked instanceof Promise ? await asked : asked;
    if (caller === undefined) throw unauthenticated("This needs credentials.");
    const named = resolver.resolve(c.req.url, header, caller);
    const tenant = named instanceof Promise ? await named : named;
    if (tenant === undefined) throw tenantRequired();
    // Whether the tenant is there is nobody's to know who may not even read it.
    authorize(caller, { scope: "read", tenant });
    const record = catalog.peek(tenant) ?? (await catalog.get(tenant));
    if (record === undefined) throw unknownTenant(tenant);
    const { incarnation } = record;
    authorize(caller, { scope: "read", tenant, incarnation });

    if (rate) await rate(tenant);
    const runner = tenants.runner(tenant);
    c.set("tenant", tenant);
    c.set("caller", caller);
    c.set("runner", runner);
    c.set("db", tenantDatabase(runner));
    c.set("schemaKey", incarnation);
    c.set("statementTimeoutMs", record.statementTimeoutMs);
    c.set("exactIntegers", tenants.driverOf(record).capabilities.bigint);
    c.set("limits", limits);
    c.set("authorize", (scope) => authorize(caller, { scope, tenant, incarnation }));
    onTenant(tenant);
    inFlight.enter(tenant);
    try {
      await next();
    } finally {
      inFlight.leave(tenant);
    }
  };
}

function tenantRequired(): TenantryError {
  return new TenantryError("TENANT_REQUIRED", "The request names no tenant.", {
    hint: "Use /t/acme/…, the header X-Tenant-Id, or the tenant's host.",
  });
}
