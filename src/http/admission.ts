// Owns whether somebody may come in: who asks, which tenant is named, whether it is there, how often it was asked.
// Runs no SQL, and leaves to the routes what they need the right for.
import { type Caller, LOCAL_CALLER } from "../auth/caller.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { TenantRecord } from "../catalog/tenant-record.ts";
import type { TenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import { unknownTenant } from "../tenants/tenant-errors.ts";
import type { Access } from "./access.ts";
import { authorize, NEEDS_CREDENTIALS, unauthenticated } from "./authorize.ts";
import type { HeaderGetter, TenantResolver } from "./resolve-tenant.ts";
import type { TenantRate } from "./tenant-rate.ts";

/** What {@link admission} is made from. */
export interface AdmissionParts {
  readonly access: Access;
  readonly catalog: Catalog;
  readonly resolver: TenantResolver;
  /** How many requests a tenant may send a second; undefined for any number. */
  readonly rate: TenantRate | undefined;
}

/** Somebody who may read a tenant at least. */
export interface Admitted {
  readonly caller: Caller;
  readonly tenant: TenantId;
  readonly record: TenantRecord;
}

/**
 * Admits a request, or whatever else comes with a URL and headers.
 * @param remoteAddress of the connection, where the runtime tells it
 * @throws {TenantryError} `UNAUTHENTICATED`, `TENANT_NOT_FOUND`, `TENANT_REQUIRED`, `TOO_MANY_REQUESTS`, …
 */
export type Admission = (
  url: string,
  header: HeaderGetter,
  remoteAddress: string | undefined,
) => Promise<Admitted>;

/** The one way in, for requests over HTTP and over sockets. */
export function admission({ access, catalog, resolver, rate }: AdmissionParts): Admission {
  return async (url, header, remoteAddress) => {
    const asked = access.callerOf(header, remoteAddress, () => resolver.resolve(url, header));
    let caller = asked instanceof Promise ? await asked : asked;
    if (caller === undefined) throw unauthenticated(NEEDS_CREDENTIALS);
    const named = resolver.resolve(url, header, caller);
    const tenant = named instanceof Promise ? await named : named;
    if (tenant === undefined) throw tenantRequired();
    // Whether the tenant is there is nobody's to know who may not even read it.
    authorize(caller, { scope: "read", tenant });
    const record = catalog.peek(tenant) ?? (await catalog.get(tenant));
    if (record === undefined) throw unknownTenant(tenant);
    // Open means that nobody has made a key: for this tenant somebody has.
    const keyed = record.jwtKey !== null && caller === LOCAL_CALLER;
    if (keyed) caller = await access.callerByKeyOf(tenant, header);
    if (keyed || caller.incarnation !== null) {
      authorize(caller, { scope: "read", tenant, incarnation: record.incarnation });
    }
    if (rate) await rate(tenant);
    return { caller, tenant, record };
  };
}

function tenantRequired(): TenantryError {
  return new TenantryError("TENANT_REQUIRED", "The request names no tenant.", {
    hint: "Use /t/acme/…, the header X-Tenant-Id, or the tenant's host.",
  });
}
