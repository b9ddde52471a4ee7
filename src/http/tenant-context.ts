// Owns what a request's tenant puts into the context: its database, its limits, and the caller's rights.
// Runs no SQL, and admits nobody: admission.ts does.
import type { Context, MiddlewareHandler } from "hono";
import { BOOKMARK_HEADER } from "./bookmark-header.ts";
import type { Admission } from "./admission.ts";
import type { TenantryEnv } from "./env.ts";
import { isHranaPath } from "./hrana-routes.ts";
import type { InFlight } from "./in-flight.ts";
import type { GoesOn } from "./open-transaction.ts";
import { readText } from "./read-body.ts";
import { remoteAddressOf } from "./remote-address.ts";
import { type RequestDatabase, requestDatabase, type TenantDatabases } from "./request-database.ts";
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
    const header = headersOf(c);
    const admitted = await admit(c.req.url, header, remoteAddressOf(c));
    const { caller, tenant, record } = admitted;
    c.set("tenant", tenant);
    c.set("caller", caller);
    c.set("schemaKey", record.incarnation);
    if (record.statementTimeoutMs !== null) c.set("statementTimeoutMs", record.statementTimeoutMs);
    const used = database && requestDatabase(database, admitted, header);
    if (used) setDatabase(c, used);
    onTenant(tenant);
    inFlight.enter(tenant, inFlight.full(tenant) && (await goesOnFrom(c, record.incarnation)));
    try {
      await next();
      const bookmark = used?.bookmark();
      if (bookmark !== undefined) c.header(BOOKMARK_HEADER, bookmark);
    } finally {
      inFlight.leave(tenant);
    }
  };
}

function setDatabase(c: Context<TenantryEnv>, database: RequestDatabase): void {
  c.set("runner", database.runner);
  c.set("exactIntegers", database.exactIntegers);
  if (!database.sessions) c.set("sessions", false);
  if (database.once) c.set("once", true);
  c.set("limits", database.limits);
  c.set("authorize", database.authorize);
}
