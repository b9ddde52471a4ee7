// Owns the error for what breaks the protocol: no correct client ever sees it.
import { TenantryError } from "../tenantry-error.ts";

/** The error for a request that is not of the protocol; the whole of it is refused. */
export function malformed(message: string): TenantryError {
  return new TenantryError("INVALID_ARGUMENT", message, {
    hint: "This is Hrana over HTTP, which libSQL's clients speak; POST …/query takes plain SQL.",
  });
}
