// Owns how a Durable Object says that it cannot do something, and what to do instead.
import { TenantryError } from "../../tenantry-error.ts";

/** The error for what objects do not have. */
export function unsupported(what: string, hint: string): TenantryError {
  return new TenantryError("UNSUPPORTED", `Durable Objects have no ${what}.`, { hint });
}
