// Owns what of an error is a caller's to see: what is not a TenantryError is only ever "INTERNAL".
// Does not word an answer.
import { TenantryError } from "../tenantry-error.ts";

/** Told of every error that is not a TenantryError, or is `INTERNAL`: the operator's to see, not the caller's. */
export type OnInternalError = (
  error: unknown,
  request: { readonly method: string; readonly path: string },
) => void;

/** Prints the error to stderr. */
export const printError: OnInternalError = (error, { method, path }) => {
  console.error(`${method} ${path}:`, error);
};

/** The error that the caller of a request is shown; what is ours, the operator is told of. */
export function shownError(
  { method, path }: { readonly method: string; readonly path: string },
  error: unknown,
  onInternalError: OnInternalError,
): TenantryError {
  if (error instanceof TenantryError && error.code !== "INTERNAL") return error;
  onInternalError(error, { method, path });
  return internalError();
}

/** What a caller is told of an error that is ours: nothing of it. */
export function internalError(): TenantryError {
  return new TenantryError("INTERNAL", "Something went wrong on the server.", {
    hint: "The server's log has the details.",
  });
}
