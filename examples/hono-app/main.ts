// A small application with routes and users of its own, in which every company has its own database: the
// middleware finds the tenant, and the application decides whether this user belongs to it.
//   node examples/hono-app/main.ts [data folder] [port]
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { createMiddleware } from "hono/factory";
// In a project of your own: from "tenantry" and "tenantry/hono".
import { errorResponse, type TenantEnv } from "../../src/hono.ts";
import { createTenantry, parseTenantId, TenantryError } from "../../src/index.ts";

const data = process.argv[2] ?? (await mkdtemp(join(tmpdir(), "tenantry-")));
const port = Number(process.argv[3] ?? 3000);
const migrations = join(import.meta.dirname, "../../migrations");

const tenantry = await createTenantry({ data, migrations });

/** Which company a user works for, by the token that the user sends. Yours are in a session or a database. */
const USERS: ReadonlyMap<string, string> = new Map([
  ["token-of-ann", "acme"],
  ["token-of-bob", "globex"],
]);

/**
 * Before the tenant is looked up: somebody else's company looks like one that is not there. (A header that
 * names another tenant than the path does is refused by the middleware.)
 */
const membersOnly = createMiddleware(async (c, next) => {
  const token = /^Bearer (\S+)$/.exec(c.req.header("authorization") ?? "")?.[1] ?? "";
  const tenant = c.req.param("tenant");
  if (USERS.get(token) !== tenant)
    throw new TenantryError("TENANT_NOT_FOUND", `There is no company "${tenant}" of yours.`);
  await next();
});

const app = new Hono<TenantEnv>();
app.onError((error, c) => errorResponse(c, error));
app.use("/t/:tenant/*", membersOnly, tenantry.middleware());

app.get("/t/:tenant/customers", async (c) => {
  const { results } = await c.var.db.prepare("SELECT id, name, country FROM customers ORDER BY name").all();
  return c.json(results);
});

app.post("/t/:tenant/customers", async (c) => {
  const { name, email, country } = await c.req.json<Record<string, unknown>>();
  const added = await c.var.db
    .prepare("INSERT INTO customers (name, email, country) VALUES (?, ?, ?) RETURNING id, name")
    .bind(name ?? null, email ?? null, country ?? null)
    .first();
  return c.json(added, 201);
});

/** Signing up makes a tenant, whose first customer is an example to look at. */
app.post("/companies/:name", async (c) => {
  const { id } = await tenantry.lifecycle.create(parseTenantId(c.req.param("name")));
  await tenantry.run(id, (db) =>
    db
      .prepare("INSERT INTO customers (name, email, country) VALUES ('Example', 'hello@example.com', 'DE')")
      .run(),
  );
  return c.json({ company: id }, 201);
});

const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port }, (address) => {
  console.log(`http://127.0.0.1:${address.port}`);
});
process.once("SIGTERM", () => {
  server.close(() => void tenantry.close());
});
