// Owns why a tenant is not served, or not as it was found: the errors that name it.
// Looks nothing up.
import type { TenantRecord } from "../catalog/tenant-record.ts";
import type { TenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";

const QUARANTINE_RETRY_AFTER_SECONDS = 60;

/** The error for a tenant that is not there, and for one that the caller must not know of. */
export function unknownTenant(tenant: string): TenantryError {
  return new TenantryError("TENANT_NOT_FOUND", `There is no tenant "${tenant}".`, {
    hint: 'Create it with "tenantry tenants create", or POST /admin/tenants.',
  });
}

/** `error` with the tenant that it is about. */
export function about(tenant: TenantId, error: unknown): unknown {
  if (!(error instanceof TenantryError) || error.tenant !== undefined) return error;
  return new TenantryError(error.code, error.message, { ...error, tenant, cause: error.cause });
}

/** @throws {TenantryError} what {@link refusal} gives */
export function assertServing(record: TenantRecord): void {
  const refused = refusal(record);
  if (refused) throw refused;
}

/** Why a tenant in that state is not served; undefined for an active one. */
export function refusal({ id, state, reason }: TenantRecord): TenantryError | undefined {
  if (state === "active") return undefined;
  if (state === "deleted") return unknownTenant(id);
  if (state === "suspended") {
    return new TenantryError("TENANT_SUSPENDED", `Tenant "${id}" is suspended${because(reason)}.`, {
      tenant: id,
      hint: `Resume it with "tenantry tenants resume ${id}".`,
    });
  }
  if (state === "quarantined") return quarantined(id);
  return new TenantryError("TENANT_BUSY", `Tenant "${id}" is ${state}${because(reason)}.`, {
    tenant: id,
    hint: "Try again in a moment.",
    retryAfterSeconds: 1,
  });
}

/** The error for a tenant on which a migration failed. */
export function quarantined(id: TenantId, cause?: unknown): TenantryError {
  return new TenantryError("TENANT_QUARANTINED", `Tenant "${id}" is quarantined: a migration failed on it.`, {
    tenant: id,
    hint: `See why with "tenantry tenants show ${id}", and try again with "tenantry migrate retry ${id}".`,
    retryAfterSeconds: QUARANTINE_RETRY_AFTER_SECONDS,
    cause,
  });
}

/** The error for work on a file that is not on this disk. */
export function away(tenant: TenantId): TenantryError {
  return new TenantryError(
    "TENANT_STATE",
    `Tenant "${tenant}" is not on this disk: its file is in the replica.`,
    {
      tenant,
      hint: "Its next request brings it back, as does: tenantry recover --tenant",
    },
  );
}

/** The error for who has opened a file that another has taken the place of. */
export function replacedMeanwhile(tenant: TenantId, what = "has just been restored"): TenantryError {
  return new TenantryError("TENANT_BUSY", `Tenant "${tenant}" ${what}.`, {
    tenant,
    hint: "Try again.",
    retryAfterSeconds: 1,
  });
}

/** The error for who could not wait until a tenant's database was closed. */
export function stillInUse(tenant: TenantId, timeoutMs: number, cause: unknown): TenantryError {
  return new TenantryError(
    "TENANT_BUSY",
    `Tenant "${tenant}" was still in use after ${Math.round(timeoutMs)} ms.`,
    {
      tenant,
      hint: "Its running requests, or another process, have it open. Try again.",
      retryAfterSeconds: 1,
      cause,
    },
  );
}

/** The same for a tenant that was to be suspended: it is, though not yet closed. */
export function suspendedInUse(tenant: TenantId, busy: TenantryError): TenantryError {
  return new TenantryError("TENANT_BUSY", `${busy.message} It is suspended all the same.`, {
    ...busy,
    hint: `Suspend or delete it again to wait for whoever has it open, or "tenantry tenants resume ${tenant}".`,
    cause: busy,
  });
}

/** The error for work on a tenant whose state is no longer what it was. */
export function changed({ id, state }: TenantRecord): TenantryError {
  return new TenantryError("TENANT_STATE", `Tenant "${id}" is ${state} now.`, {
    tenant: id,
    hint: "Read it again before working on it.",
  });
}

function because(reason: string | null): string {
  return reason ? `: ${reason}` : "";
}
