// Owns a tenant's routes as an executor serves them: the context comes from the message, not from a caller.
// Checks no credentials: the main process has.
import { Hono } from "hono";
import type { Scope } from "../auth/caller.ts";
import type { LightAnswer } from "../executors/light-http.ts";
import { createGuard } from "../sql/guard.ts";
import { parseTenantId } from "../tenant-id.ts";
import type { Tenants } from "../tenants/tenants.ts";
import { type AppOptions, appSettings } from "./app-options.ts";
import { byScope } from "./authorize.ts";
import { pipelineAnswer } from "./direct-answers.ts";
import type { TenantryEnv } from "./env.ts";
import { errorAnswer, errorResponse } from "./error-response.ts";
import { unanswered } from "./not-found.ts";
import { type StreamHost, streamHost } from "./stream-host.ts";
import { dumpRoutes } from "./dump-routes.ts";
import { tenantPipelines, tenantRoutes } from "./tenant-routes.ts";

/** What the main process has found out about a request. */
export interface ResolvedRequest {
  readonly tenant: string;
  readonly incarnation: string;
  readonly scope: Scope;
  /** The tenant's root in the request's URL. */
  readonly base: string;
}

/** A pipeline's request, as it came. */
export interface PipelineRequest extends ResolvedRequest {
  readonly method: string;
  /** Below the tenant's root. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Answers what has been resolved. */
export interface ExecutorApp {
  fetch(request: Request, resolved: ResolvedRequest): Response | Promise<Response>;
  /** Answers as `fetch` does, without a framework. Undefined for what is no pipeline, or may be too long for one. */
  pipeline(request: PipelineRequest, body: string): Promise<LightAnswer> | undefined;
  /** Streams whose requests come one by one, from a socket. */
  readonly streams: StreamHost;
}

const PIPELINE = /^\/v[23]\/pipeline(?:\?|$)/;
/** Bytes that a text's unit takes at most, of 16 bits. */
const MOST_BYTES_OF_UNIT = 3;

/** The routes of `tenants`, for requests that have been resolved. */
export function executorApp(tenants: Tenants, options: AppOptions): ExecutorApp {
  const settings = appSettings(options);
  const { maxRows, maxResponseBytes, maxBodyBytes, onInternalError } = settings;
  const limits = { maxRows, maxResponseBytes, maxBodyBytes };
  const exactIntegers = tenants.driver.capabilities.bigint;
  const hono = new Hono<TenantryEnv & { Bindings: ResolvedRequest }>();
  hono.onError((error, c) => errorResponse(c, error, onInternalError));
  hono.notFound((c) => errorResponse(c, unanswered(hono as never, c), onInternalError));
  hono.use(async (c, next) => {
    const { incarnation, scope } = c.env;
    const tenant = parseTenantId(c.env.tenant);
    c.set("tenant", tenant);
    c.set("runner", tenants.runner(tenant));
    c.set("schemaKey", incarnation);
    c.set("exactIntegers", exactIntegers);
    c.set("limits", limits);
    c.set("authorize", byScope(scope, tenant));
    await next();
  });
  const pipelines = tenantPipelines(settings, tenants);
  const routes = tenantRoutes({ settings, pipelines, more: dumpRoutes(tenants) });
  hono.route("/t/:tenant", routes);
  hono.route("/", routes);
  return {
    fetch: (request, resolved) => hono.fetch(request, resolved),
    pipeline({ method, base, path, headers, tenant: name, incarnation, scope }, body) {
      if (method !== "POST" || !PIPELINE.test(path)) return undefined;
      if (body.length * MOST_BYTES_OF_UNIT > maxBodyBytes) return undefined;
      const tenant = parseTenantId(name);
      return pipelineAnswer(pipelines, (header) => headers[header], body, {
        tenant,
        incarnation,
        runner: tenants.runner(tenant),
        sessions: true,
        authorize: byScope(scope, tenant),
        limits,
      }).catch((error: unknown) => errorAnswer({ method, path: base + path }, error, onInternalError));
    },
    streams: streamHost({
      tenants,
      limits,
      guard: createGuard({ maxSqlBytes: settings.maxSqlBytes }),
      maxParameters: settings.maxParameters,
    }),
  };
}
