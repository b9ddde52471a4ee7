// Owns what a request's tenant puts into the context: its database, its limits, and the caller's rights.
// Runs no SQL, and admits nobody: admission.ts does.
import type { MiddlewareHandler } from "hono";
import { tenantDatabase } from "../database/tenant-database.ts";
import type { Tenants } from "../tenants/tenants.ts";
import { bookmarkedRequest } from "./bookmark-header.ts";
import type { Admission } from "./admission.ts";
import { authorize } from "./authorize.ts";
import type { RequestLimits, TenantryEnv } from "./env.ts";
import type { InFlight } from "./in-flight.ts";
import { remoteAddressOf } from "./remote-address.ts";

/** What the context is made from. */
export interface TenantContextOptions {
  readonly admit: Admission;
  readonly tenants: Tenants;
  readonly inFlight: InFlight;
  readonly limits: RequestLimits;
  /** Told of each request's tenant. */
  readonly onTenant: (tenant: string) => void;
}

/** Puts the tenant, its database and the caller's rights into the context of everything behind it. */
export function tenantContext(options: TenantContextOptions): MiddlewareHandler<TenantryEnv> {
  const { admit, tenants, inFlight, limits, onTenant } = options;

  return async (c, next) => {
    const { caller, tenant, record } = await admit(
      c.req.url,
      (name) => c.req.header(name),
      remoteAddressOf(c),
    );
    const { incarnation } = record;
    const { capabilities } = tenants.driverOf(record);
    const plain = tenants.runner(tenant);
    const bookmarked = capabilities.bookmarks ? bookmarkedRequest(c, plain) : undefined;
    const runner = bookmarked?.runner ?? plain;
    c.set("tenant", tenant);
    c.set("caller", caller);
    c.set("runner", runner);
    c.set("db", tenantDatabase(runner));
    c.set("schemaKey", incarnation);
    c.set("statementTimeoutMs", record.statementTimeoutMs);
    c.set("exactIntegers", capabilities.bigint);
    c.set("sessions", capabilities.sessions);
    if (capabilities.once) c.set("once", true);
    c.set("limits", limits);
    c.set("authorize", (scope) => authorize(caller, { scope, tenant, incarnation }));
    onTenant(tenant);
    inFlight.enter(tenant);
    try {
      await next();
      bookmarked?.tell();
    } finally {
      inFlight.leave(tenant);
    }
  };
}
