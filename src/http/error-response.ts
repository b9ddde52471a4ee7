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
  const { status, headers, body } = errorAnswer(c.req, error, onInternalError);
  return c.body(body, status, headers);
}

/** The same for who has no Hono. */
export function errorAnswer(
  request: { readonly method: string; readonly path: string },
  error: unknown,
  onInternalError: OnInternalError,
): {
  status: (typeof ERROR_STATUS)[keyof typeof ERROR_STATUS];
  headers: Record<string, string>;
  body: string;
} {
  const known = shownError(request, error, onInternalError);
  const { code, retryAfterSeconds } = known;
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (retryAfterSeconds !== undefined) headers["retry-after"] = String(retryAfterSeconds);
  if (code === "UNAUTHENTICATED") headers["www-authenticate"] = 'Bearer realm="tenantry"';
  const body = hranaErrorBody(request.path, known) ?? {
    ...errorBody(known),
    ...namespaceErrorBody(request.path, known),
  };
  return { status: ERROR_STATUS[code], headers, body: JSON.stringify(body) };
}

/** What a caller is shown of `error`. */
export function errorBody({ message, code, hint }: TenantryError): ErrorBody {
  return { message, code, ...(hint !== undefined && { hint }) };
}
