// Owns how an error about SQL is worded: as D1 does it, whichever driver it comes from.
// Does not know what went wrong.
import { type ErrorCode, TenantryError, type TenantryErrorDetails } from "../tenantry-error.ts";

/**
 * An error whose message is `D1_ERROR: <message>`. Code written for D1 reads `error.cause.message` as well, so
 * there is always a cause: the one of `details`, or an error with the message alone.
 */
export function d1Error(
  code: ErrorCode,
  message: string,
  details: TenantryErrorDetails = {},
  prefix = "D1_ERROR",
): TenantryError {
  return new TenantryError(code, `${prefix}: ${message}`, {
    ...details,
    cause: details.cause ?? new Error(message),
  });
}

/** `error` with D1's prefix, where it has none yet, and SQLite's code behind it. */
export function inD1Words(error: unknown): unknown {
  if (!(error instanceof TenantryError) || error.message.startsWith("D1_")) return error;
  const { code, message, sqliteCode, hint } = error;
  return d1Error(code, sqliteCode === undefined ? message : `${message}: ${sqliteCode}`, {
    ...(sqliteCode !== undefined && { sqliteCode }),
    ...(hint !== undefined && { hint }),
    ...(error.cause !== undefined && { cause: error.cause }),
  });
}
