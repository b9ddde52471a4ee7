// Owns what a request's tenant puts into the context: its database, its limits, and the caller's rights.
// Runs no SQL, and admits nobody: admission.ts does.
import type { Context, MiddlewareHandler } from "hono";
import type { Tenants } from "../tenants/tenants.ts";
import { type BookmarkedRequest, bookmarkedRequest } from "./bookmark-header.ts";
import type { Admission, Admitted } from "./admission.ts";
import { authorize } from "./authorize.ts";
import type { RequestLimits, TenantryEnv } from "./env.ts";
import { isHranaPath } from "./hrana-routes.ts";
import type { InFlight } from "./in-flight.ts";
import type { GoesOn } from "./open-transaction.ts";
import { readText } from "./read-body.ts";
import { remoteAddressOf } from "./remote-address.ts";
import { headersOf } from "./resolve-tenant.ts";

/** Bytes of a body that is read before its sender is refused, or not. */
const MAX_LOOKED_AT_BYTES = 64 * 1024;

/** What the context is made from. */
export interface TenantContextOptions {
  readonly admit: Admission;
  readonly inFlight: InFlight;
  readonly goesOn: GoesOn;
  /** Told of each request's tenant. */
  readonly onTenant: (tenant: string) => void;
  /** What the routes work on, where they run in this process. */
  readonly database?: TenantDatabases;
}

/** Where tenants' databases come from, and the bounds of a request to one. */
export interface TenantDatabases {
  readonly tenants: Tenants;
  readonly limits: RequestLimits;
}

/** Puts the tenant, its database and the caller's rights into the context of everything behind it. */
export function tenantContext(options: TenantContextOptions): MiddlewareHandler<TenantryEnv> {
  const { admit, inFlight, goesOn, onTenant, database } = options;
  /** Reads the body, which stays there, where it is a small one as a transaction's requests are. */
  const goesOnFrom = async (c: Context, incarnation: string): Promise<boolean> => {
    const bytes = Number(c.req.header("content-length"));
    if (!isHranaPath(c.req.path) || !(bytes <= MAX_LOOKED_AT_BYTES)) return false;
    return goesOn(await readText(c.req, MAX_LOOKED_AT_BYTES), incarnation);
  };

  return async (c, next) => {
    const admitted = await admit(c.req.url, headersOf(c), remoteAddressOf(c));
    const { caller, tenant, record } = admitted;
    c.set("tenant", tenant);
    c.set("caller", caller);
    c.set("schemaKey", record.incarnation);
    if (record.statementTimeoutMs !== null) c.set("statementTimeoutMs", record.statementTimeoutMs);
    const bookmarked = database && setDatabase(c, database, admitted);
    onTenant(tenant);
    inFlight.enter(tenant, inFlight.full(tenant) && (await goesOnFrom(c, record.incarnation)));
    try {
      await next();
      bookmarked?.tell();
    } finally {
      inFlight.leave(tenant);
    }
  };
}

function setDatabase(
  c: Context<TenantryEnv>,
  { tenants, limits }: TenantDatabases,
  { caller, tenant, record }: Admitted,
): BookmarkedRequest | undefined {
  const { incarnation } = record;
  const { capabilities } = tenants.driverOf(record);
  const runner = tenants.runner(tenant);
  const bookmarked = capabilities.bookmarks ? bookmarkedRequest(c, runner) : undefined;
  c.set("runner", bookmarked?.runner ?? runner);
  c.set("exactIntegers", capabilities.bigint);
  if (!capabilities.sessions) c.set("sessions", false);
  if (capabilities.once) c.set("once", true);
  c.set("limits", limits);
  c.set("authorize", (scope) => authorize(caller, { scope, tenant, incarnation }));
  return bookmarked;
}
