// Owns the error of who comes when the server is ending.
// Ends nothing.
import { TenantryError } from "./tenantry-error.ts";

/** `CLOSED`: nothing was begun, and another server, or this one after its restart, may be asked. */
export function shuttingDown(): TenantryError {
  return new TenantryError("CLOSED", "The server is shutting down.", {
    hint: "Send it again when the server is back.",
    retryAfterSeconds: 1,
  });
}
