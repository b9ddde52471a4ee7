// Owns the whole way in a Worker: a request, its tenant in the catalog's object, its SQL in the tenant's own.
import { env, SELF } from "cloudflare:test";
import { expect, test } from "vitest";

const call = (
  path: string,
  body?: unknown,
  method = body === undefined ? "GET" : "POST",
): Promise<Response> =>
  SELF.fetch(`https://tenants.example${path}`, {
    method,
    headers: { authorization: `Bearer ${env.TENANTRY_ADMIN_KEY}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });

test("a tenant is created, and its SQL runs in an object of its own", async () => {
  const created = await call("/admin/tenants", { id: "acme" });
  expect([created.status, await created.json()]).toMatchObject([
    201,
    { id: "acme", driver: "durable-object" },
  ]);
  const inserted = await call("/t/acme/query", {
    sql: "INSERT INTO notes (body) VALUES (?)",
    params: ["hello"],
  });
  expect(await inserted.json()).toMatchObject({ success: true, meta: { changes: 1, last_row_id: 1 } });
  const read = await call("/t/acme/query", { sql: "SELECT id, body FROM notes" });
  expect(await read.json()).toMatchObject({ results: [{ id: 1, body: "hello" }] });
  const twice = await call("/admin/tenants", { id: "acme" });
  expect([twice.status, await twice.json()]).toMatchObject([409, { code: "TENANT_EXISTS" }]);
});
