// Owns what clients of libSQL's administrative API look for in an error, besides what every error here has.
import type { TenantryError } from "../tenantry-error.ts";

/** Where that API is. */
export const NAMESPACES_PATH = "/v1/namespaces";

/** The body of an error for a client of these routes, which looks for `error`; undefined for any other path. */
export function namespaceErrorBody(
  path: string,
  { message }: TenantryError,
): { readonly error: string } | undefined {
  return path.startsWith(NAMESPACES_PATH) ? { error: message } : undefined;
}
