// Owns the entry "tenantry/worker": Tenantry as a Cloudflare Worker, and what one is composed of.
// The rooms are the same as on Node; worker-tenantry.ts puts them together.
import { errorBody } from "./http/error-response.ts";
import { ERROR_STATUS } from "./http/error-status.ts";
import { isTenantryError } from "./tenantry-error.ts";
import {
  createWorkerTenantry,
  type WorkerAppOptions,
  type WorkerTenantry,
  type WorkerTenantryOptions,
} from "./worker-tenantry.ts";

export { importVerificationKeys, type VerificationKey } from "./auth/verification-key.ts";
export type { RateLimitBinding } from "./http/bound-rate.ts";
export { errorResponse } from "./http/error-response.ts";
export type { MiddlewareOptions, TenantEnv } from "./http/tenant-middleware.ts";
export { type MigrationFile, type MigrationSet, migrationSet } from "./migrations/migration-set.ts";
export { parseTenantId, type TenantId } from "./tenant-id.ts";
export { isTenantryError, TenantryError } from "./tenantry-error.ts";
export {
  createWorkerTenantry,
  DEFAULT_WORKER_CACHE_MS,
  type WorkerAppOptions,
  type WorkerTenantry,
  type WorkerTenantryOptions,
} from "./worker-tenantry.ts";

/** What a Worker is configured with, from its bindings. */
export interface WorkerSettings extends WorkerTenantryOptions {
  /** Options of the HTTP application, with the key to begin with. */
  readonly app?: WorkerAppOptions;
  /** An application of your own in place of Tenantry's: it has `tenantry.middleware()`, and its own users. */
  readonly mount?: (tenantry: WorkerTenantry) => MountedApp;
}

/** Whatever answers requests, such as a Hono application. */
export interface MountedApp {
  fetch(request: Request, env?: unknown, ctx?: never): Response | Promise<Response>;
}

/** What a Worker is given with each request. */
export interface WorkerContext {
  waitUntil(promise: Promise<unknown>): void;
}

/** A Worker's default export. */
export interface TenantryWorker<Env> {
  fetch(request: Request, env: Env, ctx: WorkerContext): Promise<Response>;
}

interface Composed {
  readonly tenantry: WorkerTenantry;
  readonly app: MountedApp;
}

/**
 * Tenantry as a Worker: `configure` is called once in an isolate.
 *
 * @example
 * const worker = tenantryWorker<typeof env>(() => ({ driver, catalog, app: { adminKey: env.TENANTRY_ADMIN_KEY } }));
 */
export function tenantryWorker<Env>(
  configure: (env: Env) => WorkerSettings | Promise<WorkerSettings>,
): TenantryWorker<Env> {
  let composed: Composed | undefined;

  const compose = async (env: Env): Promise<Composed> => {
    const { app: appOptions, mount, ...options } = await configure(env);
    const tenantry = await createWorkerTenantry(options);
    return { tenantry, app: mount ? mount(tenantry) : (await tenantry.app(appOptions)).hono };
  };
  const answer = async (request: Request, env: Env, ctx: WorkerContext): Promise<Response> => {
    try {
      // Two that come first compose twice: a promise of one request's is not the other's to wait for.
      composed ??= await compose(env);
    } catch (error) {
      return misconfigured(error);
    }
    return composed.app.fetch(request, env, ctx as never);
  };

  return {
    async fetch(request, env, ctx) {
      const answering = answer(request, env, ctx);
      // A client that hangs up does not end what was begun for it.
      ctx.waitUntil(answering.then(() => composed?.tenantry.afterRequest()));
      return answering;
    },
  };
}

function misconfigured(error: unknown): Response {
  console.error(error);
  if (!isTenantryError(error)) throw error;
  // An option that is wrong is no fault of the caller's.
  return Response.json(errorBody(error), { status: Math.max(500, ERROR_STATUS[error.code]) });
}
