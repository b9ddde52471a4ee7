// Owns taking a tenant's database back in time where its service keeps what it was: D1 and Durable Objects.
// Snapshots and replicas of files are src/backups'.
import { SYSTEM_ACTOR } from "../catalog/audit-log.ts";
import type { TenantRecord } from "../catalog/tenant-record.ts";
import type { Handle } from "../drivers/driver.ts";
import type { TenantId } from "../tenant-id.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import type { Act } from "./acts.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Tenants } from "./tenants.ts";
import { findTenant } from "./find-tenant.ts";

/** Where a tenant is to be taken back to: a bookmark, or a time in milliseconds since 1970. */
export type RewindPoint = { readonly bookmark: string } | { readonly at: number };

/** What a rewind did. */
export interface Rewound {
  readonly tenant: TenantRecord;
  /** The bookmark that it was taken back to. */
  readonly bookmark: string;
  /** The bookmark that undoes it. */
  readonly undo: string;
}

/** Where a tenant's database is in time, or was at `at`. @throws {TenantryError} `TENANT_NOT_FOUND`, `UNSUPPORTED` */
export async function bookmarkOf(tenants: Tenants, id: TenantId, at?: number): Promise<string> {
  const record = await recordOf(tenants, id);
  return tenants.visit(record, (handle) => timeOf(handle, record).bookmark(at));
}

/**
 * Takes a tenant's database back, in place. It is suspended meanwhile, and then migrated; cut short, it stays
 * suspended.
 * @throws {TenantryError} `TENANT_NOT_FOUND`, `TENANT_STATE`, `UNSUPPORTED`, `INVALID_ARGUMENT`, `MIGRATION_FAILED`
 */
export async function rewind(
  { tenants, lifecycle }: { readonly tenants: Tenants; readonly lifecycle: Lifecycle },
  id: TenantId,
  point: RewindPoint,
  act: Act = {},
): Promise<Rewound> {
  const before = await recordOf(tenants, id);
  // What cannot be is told before anybody is locked out.
  const bookmark = await tenants.visit(before, (handle) => {
    const time = timeOf(handle, before);
    return "at" in point ? time.bookmark(point.at) : Promise.resolve(point.bookmark);
  });
  const stopped = await lifecycle.suspend(id, { ...act, reason: "being taken back in time" });
  const undo = await tenants
    .visit(stopped, (handle) => timeOf(handle, stopped).restore(bookmark))
    .catch(async (error: unknown) => {
      // Refused, it is as it was. Where nobody knows, somebody has to look.
      if (before.state === "active" && !isTenantryError(error, "OUTCOME_UNKNOWN"))
        await lifecycle.resume(id, act);
      throw error;
    });
  await tenants.catalog.audit({
    action: "tenant.rewind",
    actor: act.actor ?? SYSTEM_ACTOR,
    tenant: id,
    detail: { bookmark, undo },
  });
  try {
    // Whoever has it open has what it was; and what it is now may be older than the migrations.
    await tenants.drain(stopped, 0);
    await tenants.visit(stopped, (handle) => tenants.bringUp({ ...stopped, schemaHash: "" }, handle));
  } catch (error) {
    throw isTenantryError(error) ? takenBackOnly(id, error, undo) : error;
  }
  const tenant = before.state === "suspended" ? stopped : await lifecycle.resume(id, act);
  return { tenant, bookmark, undo };
}

async function recordOf({ catalog }: Tenants, id: TenantId): Promise<TenantRecord> {
  return findTenant(catalog, id, { fresh: true });
}

/** An error after which somebody has to look: the tenant is suspended, and no longer what it was. */
function takenBackOnly(tenant: TenantId, error: TenantryError, undo: string): TenantryError {
  const { code, message, hint, retryAfterSeconds } = error;
  const suspended = `It was taken back, and stays suspended; rewinding to ${undo} undoes that.`;
  return new TenantryError(code, message, {
    tenant,
    hint: hint === undefined ? suspended : `${hint} ${suspended}`,
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    cause: error,
  });
}

function timeOf(
  { bookmark, restore }: Handle,
  { driver }: TenantRecord,
): Required<Pick<Handle, "bookmark" | "restore">> {
  if (bookmark && restore) return { bookmark, restore };
  throw new TenantryError("UNSUPPORTED", `The driver ${driver} keeps no past of its databases.`, {
    hint: 'Restore a snapshot or a replica: docs/backups.md. Of D1 that is bound: "tenantry rewind d1:NAME".',
  });
}
