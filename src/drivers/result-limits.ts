// Owns the errors of results that are larger than they may be.
// Counts nothing: each driver knows what its rows take.
import { TenantryError } from "../tenantry-error.ts";

/** The error for more rows than `maxRows`. */
export function tooManyRows(maxRows: number): TenantryError {
  return new TenantryError("TOO_MANY_ROWS", `The result has more than ${maxRows} rows.`, {
    hint: "Add a LIMIT and page through it.",
  });
}

/** The error for rows that are larger than `maxBytes`, of a database that is not here to be exported. */
export function resultTooLarge(maxBytes: number): TenantryError {
  return new TenantryError("RESPONSE_TOO_LARGE", `The result is larger than ${maxBytes} bytes.`, {
    hint: "Name fewer columns, or add a LIMIT.",
  });
}
