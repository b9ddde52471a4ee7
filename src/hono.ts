// Owns the entry "tenantry/hono": what an application with routes of its own needs beside the middleware.
// Re-exports, by name, and nothing else.
export { type ErrorBody, errorResponse } from "./http/error-response.ts";
export type { OnInternalError } from "./http/shown-error.ts";
export type { MiddlewareOptions, TenantEnv } from "./http/tenant-middleware.ts";
