// Owns how an error looks to a caller: status, body, headers.
// Shows nothing that is not the caller's: shown-error.ts has taken that out.
import type { Context } from "hono";
import type { TenantryError } from "../tenantry-error.ts";
import { ERROR_STATUS } from "./error-status.ts";
import { hranaErrorBody } from "./hrana-routes.ts";
import { namespaceErrorBody } from "./namespace-error.ts";
import { type OnInternalError, printError, shownError } from "./shown-error.ts";

/** The body of every error. libSQL clients read `message` and `code` at the top. */
export interface ErrorBody {
  readonly message: string;
  readonly code: string;
  readonly hint?: string;
}

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
  const known = shownError(c.req, error, onInternalError);
  const { code, retryAfterSeconds } = known;
  const headers: Record<string, string> = {};
  if (retryAfterSeconds !== undefined) headers["retry-after"] = String(retryAfterSeconds);
  if (code === "UNAUTHENTICATED") headers["www-authenticate"] = 'Bearer realm="tenantry"';
  const body = hranaErrorBody(c.req.path, known) ?? {
    ...errorBody(known),
    ...namespaceErrorBody(c.req.path, known),
  };
  return c.json(body, ERROR_STATUS[code], headers);
}

/** What a caller is shown of `error`. */
export function errorBody({ message, code, hint }: TenantryError): ErrorBody {
  return { message, code, ...(hint !== undefined && { hint }) };
}
