// Owns the error of a key that names other work than it did before, wherever that is found out.
import { TenantryError } from "../tenantry-error.ts";

/** The error for a key that was used for something else. */
export function onceMismatch(): TenantryError {
  return new TenantryError("IDEMPOTENCY_MISMATCH", "This Idempotency-Key was used for another request.", {
    hint: "Make a new key for each request.",
  });
}
