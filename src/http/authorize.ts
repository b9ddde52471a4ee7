// Owns whether a caller may do something, to a tenant or to all of them.
// Knows neither SQL nor credentials: the action is named by who knows the SQL, the caller by src/auth.
import { includesScope, scopeOver, type Caller, type Scope } from "../auth/caller.ts";
import { unknownTenant } from "../tenants/tenant-errors.ts";
import { TenantryError } from "../tenantry-error.ts";

/** What somebody wants to do, and to whom. */
export interface Action {
  /** The scope that it needs. */
  readonly scope: Scope;
  /** Left out for what is about all tenants. */
  readonly tenant?: string;
  /** The tenant's present incarnation, where it is known: credentials for another one are for nobody. */
  readonly incarnation?: string;
}

/**
 * Passes a caller who may do it, or throws. A tenant that the caller has no right to looks exactly like one
 * that is not there.
 *
 * @param nowMs Milliseconds since 1970; credentials may end while a long request lasts.
 * @throws {TenantryError} `UNAUTHENTICATED` without credentials or with expired ones, `FORBIDDEN` when the
 * scope is too small, `TENANT_NOT_FOUND` when there is none.
 */
export function authorize(caller: Caller | undefined, action: Action, nowMs = Date.now()): void {
  if (caller === undefined) throw unauthenticated(NEEDS_CREDENTIALS);
  if (caller.expiresAt !== null && caller.expiresAt <= nowMs) {
    throw unauthenticated("The credentials have expired.");
  }
  const { scope, tenant, incarnation } = action;
  if (tenant === undefined || scope === "admin") {
    if (caller.everywhere === null || !includesScope(caller.everywhere, scope)) throw forbidden(scope);
    return;
  }
  const granted = scopeOver(caller, tenant);
  if (granted === undefined || isOutlived(caller, incarnation)) throw unknownTenant(tenant);
  if (!includesScope(granted, scope)) throw forbidden(scope, tenant);
}

function isOutlived({ incarnation }: Caller, present: string | undefined): boolean {
  return incarnation !== null && present !== undefined && incarnation !== present;
}

/** What is said to a caller who has shown nothing. */
export const NEEDS_CREDENTIALS = "This needs credentials.";

/** The error for a caller who has shown nothing, or nothing that still holds. */
export function unauthenticated(message: string): TenantryError {
  return new TenantryError("UNAUTHENTICATED", message, {
    hint: 'Make a token or a key with "tenantry token create", and send it as "Authorization: Bearer …".',
  });
}

/** The error for a scope that is too small. */
export function forbidden(scope: Scope, tenant?: string): TenantryError {
  const where = tenant === undefined ? "over all tenants" : `on tenant "${tenant}"`;
  return new TenantryError("FORBIDDEN", `This needs the scope ${scope} ${where}.`, {
    hint: "Ask whoever runs this server for a token with that scope.",
    ...(tenant !== undefined && { tenant }),
  });
}

/** Authorises who has that scope over the tenant, as somebody else has found out. */
export function byScope(scope: Scope, tenant: string): (action: Scope) => void {
  return (action) => {
    if (!includesScope(scope, action)) throw forbidden(action, tenant);
  };
}
