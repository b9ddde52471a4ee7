// Owns how an error looks to a caller: status, body, headers.
// Shows nothing that is not the caller's: what is not a TenantryError is only ever "INTERNAL".
import type { Context } from "hono";
import { TenantryError } from "../tenantry-error.ts";
import { ERROR_STATUS } from "./error-status.ts";
import { hranaErrorBody } from "./hrana-routes.ts";

/** The body of every error. libSQL clients read `message` and `code` at the top. */
export interface ErrorBody {
  readonly message: string;
  readonly code: string;
  readonly hint?: string;
}

/** Told of every error that is not a TenantryError, or is `INTERNAL`: the operator's to see, not the caller's. */
export type OnInternalError = (
  error: unknown,
  request: { readonly method: string; readonly path: string },
) => void;

/** Prints the error to stderr. */
export const printError: OnInternalError = (error, { method, path }) => {
  console.error(`${method} ${path}:`, error);
};

/**
 * The answer to `error`, for a Hono application's `onError`.
 *
 * @example
 * app.onError((error, c) => errorResponse(c, error));
 */
export function errorResponse(
  c: Context,
  error: unknown,
  onInternalError: OnInternalError = printError,
): Response {
  const known =
    error instanceof TenantryError && error.code !== "INTERNAL" ? error : internal(c, error, onInternalError);
  const { code, retryAfterSeconds } = known;
  const headers: Record<string, string> = {};
  if (retryAfterSeconds !== undefined) headers["retry-after"] = String(retryAfterSeconds);
  if (code === "UNAUTHENTICATED") headers["www-authenticate"] = 'Bearer realm="tenantry"';
  return c.json(hranaErrorBody(c.req.path, known) ?? errorBody(known), ERROR_STATUS[code], headers);
}

/** What a caller is shown of `error`. */
export function errorBody({ message, code, hint }: TenantryError): ErrorBody {
  return { message, code, ...(hint !== undefined && { hint }) };
}

/** What a caller is told of an error that is ours: nothing of it. */
export function internalError(): TenantryError {
  return new TenantryError("INTERNAL", "Something went wrong on the server.", {
    hint: "The server's log has the details.",
  });
}

function internal(c: Context, error: unknown, onInternalError: OnInternalError): TenantryError {
  onInternalError(error, { method: c.req.method, path: c.req.path });
  return internalError();
}
