// Owns the errors of open handles.
// Does not know whose they are: the tenants' room says that.
import { TenantryError } from "../tenantry-error.ts";

/** The error for who comes when all handles are being closed. */
export function shuttingDown(): TenantryError {
  return new TenantryError("CLOSED", "Tenantry is shutting down.");
}

/** The error for who has waited in line for a handle in vain. */
export function exhausted(maxOpen: number): TenantryError {
  return new TenantryError("CACHE_EXHAUSTED", `All ${maxOpen} handles are in use.`, {
    hint: "Try again, or raise maxOpen.",
    retryAfterSeconds: 1,
  });
}

/** The error for who has waited in vain until a handle was given back. */
export function stillInUse(timeoutMs: number): TenantryError {
  return new TenantryError("TENANT_BUSY", `It was still in use after ${timeoutMs} ms.`, {
    hint: "Try again when its requests have ended.",
    retryAfterSeconds: 1,
  });
}
