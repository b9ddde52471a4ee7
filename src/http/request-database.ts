// Owns what a request that has been admitted works on: its tenant's database, its limits, and the caller's rights.
// Runs no SQL, and knows no framework.
import type { SqlRunner } from "../drivers/driver.ts";
import type { Tenants } from "../tenants/tenants.ts";
import type { Admitted } from "./admission.ts";
import { authorize } from "./authorize.ts";
import { bookmarkedRequest } from "./bookmark-header.ts";
import type { RequestLimits, TenantAction } from "./env.ts";
import type { HeaderGetter } from "./resolve-tenant.ts";

/** Where tenants' databases come from, and the bounds of a request to one. */
export interface TenantDatabases {
  readonly tenants: Tenants;
  readonly limits: RequestLimits;
}

/** A tenant's database, for one request. What is not described here is as `TenantryEnv` has it. */
export interface RequestDatabase {
  readonly runner: SqlRunner;
  readonly limits: RequestLimits;
  readonly exactIntegers: boolean;
  readonly sessions: boolean;
  readonly once: boolean;
  readonly authorize: (action: TenantAction) => void;
  /** Where the request has left the database, for its client's next one; undefined where there is one copy only. */
  bookmark(): string | undefined;
}

/** @throws {TenantryError} `INVALID_ARGUMENT` for a bookmark that is none */
export function requestDatabase(
  { tenants, limits }: TenantDatabases,
  { caller, tenant, record }: Admitted,
  header: HeaderGetter,
): RequestDatabase {
  const { incarnation } = record;
  const { bigint, sessions, once, bookmarks } = tenants.driverOf(record).capabilities;
  const runner = tenants.runner(tenant);
  const bookmarked = bookmarks ? bookmarkedRequest(header, runner) : undefined;
  return {
    runner: bookmarked?.runner ?? runner,
    limits,
    exactIntegers: bigint,
    sessions,
    once: once ?? false,
    authorize: (scope) => authorize(caller, { scope, tenant, incarnation }),
    bookmark: () => bookmarked?.bookmark(),
  };
}
