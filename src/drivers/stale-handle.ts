// Owns the error of a handle that no longer stands for its database: it was stopped, or made anew, meanwhile.
// What to do then is the tenants' room's.
import { TenantryError } from "../tenantry-error.ts";

/** Nothing has been done: whoever meets it opens the database again, and looks at its tenant first. */
export class StaleHandleError extends TenantryError {
  constructor() {
    super("DATABASE_BUSY", "The database was stopped or made anew while it was open.", {
      hint: "Try again.",
      retryAfterSeconds: 1,
    });
  }
}
