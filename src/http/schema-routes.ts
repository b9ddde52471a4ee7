// Owns the two documents about a tenant's tables: /schema, and the OpenAPI document of its row API.
// Reads no schema itself: the schema cache does.
import { Hono } from "hono";
import { describeSchema, type DatabaseSchema } from "../database/schema.ts";
import type { SchemaCache } from "../database/schema-cache.ts";
import type { TenantryEnv } from "./env.ts";
import { tenantOpenApi } from "./openapi/tenant-openapi.ts";

/** Routes `/schema` and `/openapi.json`. Mount them where a tenant's routes are. */
export function schemaRoutes({ schemas }: { readonly schemas: SchemaCache }): Hono<TenantryEnv> {
  const routes = new Hono<TenantryEnv>();
  routes.get("/schema", async (c) => {
    c.get("authorize")("read");
    const { schema, version } = await schemas.current(c.get("schemaKey"), c.get("runner"));
    return c.json({ schemaVersion: version ?? null, ...describeSchema(schema) });
  });
  routes.get("/openapi.json", async (c) => {
    c.get("authorize")("read");
    const { schema } = await schemas.current(c.get("schemaKey"), c.get("runner"));
    const here = new URL(c.req.url).pathname;
    return c.json(documentOf(schema, c.get("tenant"), here.replace(/\/openapi\.json$/, "")));
  });
  return routes;
}

function documentOf(schema: DatabaseSchema, tenant: string, base: string): object {
  return tenantOpenApi(schema, { tenant, serverUrl: base === "" ? "/" : base });
}
