// Owns the routes of the row API: /:table with the methods PostgREST gives it.
// Chooses no tenant and opens nothing: the context brings the runner.
import { type Context, Hono } from "hono";
import { createReader } from "./read-rows.ts";
import { type WriteMethod, writeRows } from "./write-rows.ts";
import type { SchemaCache } from "../../database/schema-cache.ts";
import { TenantryError } from "../../tenantry-error.ts";
import type { TenantryEnv } from "../env.ts";
import { headersOf } from "../resolve-tenant.ts";

/** What a table takes. */
const METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE";

export interface RestRoutesOptions {
  /** The schemas of the tenants' databases; shared with whatever else needs them. */
  readonly schemas: SchemaCache;
  /** Compiled queries that are remembered, over all tenants. @default {@link DEFAULT_MAX_PLANS} */
  readonly maxPlans?: number;
}

export const DEFAULT_MAX_PLANS = 5_000;

type RestContext = Context<TenantryEnv, "/:table">;

/**
 * The row API. Mount it where `rest` is: it answers `/:table` below that.
 *
 * @example
 * app.route("/t/:tenant/rest", restRoutes({ schemas }));
 */
export function restRoutes({ schemas, maxPlans = DEFAULT_MAX_PLANS }: RestRoutesOptions): Hono<TenantryEnv> {
  const read = createReader(schemas, maxPlans);
  const routes = new Hono<TenantryEnv>();

  routes.get("/:table", (c) => {
    c.get("authorize")("read");
    checkProfile(c.req.header("accept-profile"));
    return read({
      table: c.req.param("table"),
      query: queryOf(c),
      head: c.req.method === "HEAD",
      header: headersOf(c),
      runner: c.get("runner"),
      schemaKey: c.get("schemaKey"),
      limits: c.get("limits"),
      exactIntegers: c.get("exactIntegers"),
    });
  });

  routes.on(["POST", "PUT", "PATCH", "DELETE"], "/:table", (c) => {
    c.get("authorize")("write");
    checkProfile(c.req.header("content-profile"));
    return writeRows(schemas, {
      method: c.req.method as WriteMethod,
      table: c.req.param("table"),
      path: new URL(c.req.url).pathname,
      query: queryOf(c),
      request: c.req,
      runner: c.get("runner"),
      schemaKey: c.get("schemaKey"),
      limits: c.get("limits"),
      exactIntegers: c.get("exactIntegers"),
    });
  });

  routes.all("/:table", (c) => {
    c.header("allow", METHODS);
    throw new TenantryError("METHOD_NOT_ALLOWED", `A table knows no ${c.req.method}.`, {
      hint: `Use ${METHODS}.`,
    });
  });
  return routes;
}

/** The query string as it came, without its `?`. */
function queryOf(c: RestContext): string {
  const { url } = c.req;
  const mark = url.indexOf("?");
  if (mark === -1) return "";
  const hash = url.indexOf("#", mark);
  return hash === -1 ? url.slice(mark + 1) : url.slice(mark + 1, hash);
}

// a client of PostgREST may name a schema; the one schema there is has two names, SQLite's and PostgreSQL's
function checkProfile(profile: string | undefined): void {
  if (profile === undefined || profile === "public" || profile === "main") return;
  throw new TenantryError("UNSUPPORTED", "A tenant's database has one schema, called public or main.");
}
