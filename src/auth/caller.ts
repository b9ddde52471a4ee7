// Owns who asks and what that lets them do: scopes and the caller.
// Does not know how a caller proved who they are, and does not refuse anybody: http/authorize.ts does.
import { TenantryError } from "../tenantry-error.ts";

/**
 * What a caller may do, each including those before it: read rows, write rows, change the schema, and `admin`:
 * everything, over all tenants.
 */
export const SCOPES = ["read", "write", "schema", "admin"] as const;

/** One of {@link SCOPES}. */
export type Scope = (typeof SCOPES)[number];

/** Somebody whose credentials have been checked. */
export interface Caller {
  /** Whom the audit log names. */
  readonly subject: string;
  /** The scope over all tenants; null when only over those in `tenants`. */
  readonly everywhere: Scope | null;
  /** Scopes over single tenants, by tenant id; never `admin`. */
  readonly tenants: ReadonlyMap<string, Scope>;
  /** The only incarnation of its tenant that the credentials are for; null for any. */
  readonly incarnation: string | null;
  /** When the credentials end, in milliseconds since 1970; null for never. */
  readonly expiresAt: number | null;
}

/** Everybody, on a server without keys that only this machine can reach. */
export const LOCAL_CALLER: Caller = {
  subject: "local",
  everywhere: "admin",
  tenants: new Map(),
  incarnation: null,
  expiresAt: null,
};

/** Whether `scope` includes `action`. */
export function includesScope(scope: Scope, action: Scope): boolean {
  return SCOPES.indexOf(scope) >= SCOPES.indexOf(action);
}

/** The scope that `caller` has over `tenant`; `undefined` when the caller must not even know of it. */
export function scopeOver(caller: Caller, tenant: string): Scope | undefined {
  const single = caller.tenants.get(tenant);
  if (caller.everywhere === null) return single;
  if (single === undefined || includesScope(caller.everywhere, single)) return caller.everywhere;
  return single;
}

/** The tenant that the caller's credentials are for, when they are for exactly one. */
export function onlyTenant(caller: Caller): string | undefined {
  if (caller.everywhere !== null || caller.tenants.size !== 1) return undefined;
  return caller.tenants.keys().next().value;
}

/** @throws {TenantryError} `INVALID_ARGUMENT` when `input` is no scope. */
export function parseScope(input: unknown): Scope {
  const scope = SCOPES.find((known) => known === input);
  if (scope !== undefined) return scope;
  throw new TenantryError(
    "INVALID_ARGUMENT",
    `${JSON.stringify(String(input).slice(0, 40))} is not a scope.`,
    {
      hint: `Use one of ${SCOPES.join(", ")}.`,
    },
  );
}
