// Owns a small server with the row API over one SQLite file, for the tests that drive it by a real socket.
// Stands in for the whole app: no tenants are resolved and everything is allowed.
import { mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serve } from "@hono/node-server";
import { PostgrestClient } from "@supabase/postgrest-js";
import { Hono } from "hono";
import { onTestFinished } from "vitest";
import { createSchemaCache } from "../src/database/schema-cache.ts";
import type { SqlRunner } from "../src/drivers/driver.ts";
import type { LocalHandle } from "../src/drivers/local/local-handle.ts";
import { localDriver } from "../src/drivers/local/local-driver.ts";
import type { RequestLimits, TenantAction, TenantryEnv } from "../src/http/env.ts";
import { restRoutes } from "../src/http/rest/rest-routes.ts";
import { schemaRoutes } from "../src/http/schema-routes.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { TenantryError } from "../src/tenantry-error.ts";

export const LIMITS: RequestLimits = { maxRows: 1_000, maxResponseBytes: 1_000_000, maxBodyBytes: 5_000_000 };

// a few of the statuses that the app's own table has
const STATUSES: Record<string, number> = {
  TABLE_NOT_FOUND: 404,
  NOT_SINGULAR: 406,
  RANGE_NOT_SATISFIABLE: 416,
  CONSTRAINT: 409,
  READ_ONLY: 403,
  METHOD_NOT_ALLOWED: 405,
  BODY_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  INTERNAL: 500,
};

export interface RestApp {
  readonly url: string;
  readonly path: string;
  readonly handle: LocalHandle;
  readonly client: PostgrestClient;
  /** What was asked of the authorising room. */
  readonly asked: TenantAction[];
  /** `fetch` below the row API: `get("/customers?id=eq.1")`. */
  get(path: string, init?: RequestInit): Promise<Response>;
  post(path: string, body: unknown, headers?: Record<string, string>, method?: string): Promise<Response>;
}

/** A server over a new file with `sql` run in it, gone when the test ends. */
export async function restApp(
  sql: string,
  options: { limits?: Partial<RequestLimits>; runner?: (handle: LocalHandle) => SqlRunner } = {},
): Promise<RestApp> {
  const dir = await mkdtemp(join(tmpdir(), "tenantry-"));
  const path = join(dir, "acme.db");
  const handle = await localDriver({ dir }).openFile(path, { create: true });
  await handle.exec(sql);
  const runner = options.runner?.(handle) ?? handle;
  const schemas = createSchemaCache();
  const asked: TenantAction[] = [];
  const app = new Hono<TenantryEnv>();
  app.use(async (c, next) => {
    c.set("tenant", parseTenantId("acme"));
    c.set("runner", runner);
    c.set("limits", { ...LIMITS, ...options.limits });
    c.set("schemaKey", "acme:1");
    c.set("exactIntegers", true);
    c.set("authorize", (action) => void asked.push(action));
    await next();
  });
  app.route("/t/acme/rest", restRoutes({ schemas }));
  app.route("/t/acme", schemaRoutes({ schemas }));
  app.onError((error) => {
    const known = error instanceof TenantryError ? error : new TenantryError("INTERNAL", String(error.stack));
    return Response.json(
      { message: known.message, code: known.code, hint: known.hint },
      { status: STATUSES[known.code] ?? 400 },
    );
  });
  const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 });
  await new Promise<void>((listening) => {
    server.once("listening", listening);
  });
  onTestFinished(async () => {
    await new Promise((closed) => server.close(closed));
    await handle.close();
    await rm(dir, { recursive: true });
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/t/acme/rest`;
  const get: RestApp["get"] = (path, init) => fetch(`${url}${path}`, init);
  return {
    url,
    path,
    handle,
    client: new PostgrestClient(url),
    asked,
    get,
    post: (path, body, headers = {}, method = "POST") =>
      get(path, {
        method,
        headers: { "content-type": "application/json", ...headers },
        body: typeof body === "string" ? body : JSON.stringify(body),
      }),
  };
}
