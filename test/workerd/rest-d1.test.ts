// Owns the row API on real D1: that its SQL, its schema reading and its guards are D1's too.
// The driver for D1 is another's: a runner of a few lines stands in for it.
import type { D1Database, D1Result } from "@cloudflare/workers-types";
import { env } from "cloudflare:test";
import { Hono } from "hono";
import { expect, test } from "vitest";
import { createSchemaCache } from "../../src/database/schema-cache.ts";
import type { ResultSet, SqlRunner, Statement } from "../../src/drivers/driver.ts";
import type { TenantryEnv } from "../../src/http/env.ts";
import { restRoutes } from "../../src/http/rest/rest-routes.ts";
import { parseTenantId } from "../../src/tenant-id.ts";
import { TenantryError } from "../../src/tenantry-error.ts";

function d1Runner(db: D1Database): SqlRunner {
  const prepare = ({ sql, params }: Statement) => db.prepare(sql).bind(...params);
  const toSet = ({ results, meta }: D1Result): ResultSet =>
    ({ columns: [], rows: results, meta }) as unknown as ResultSet;
  const failed = (cause: unknown): never => {
    const message = (cause as Error).message;
    throw new TenantryError(/constraint/i.test(message) ? "CONSTRAINT" : "SQL_ERROR", message, { cause });
  };
  return {
    run: async (statement) => toSet(await prepare(statement).all().catch(failed)),
    batch: async (statements) => (await db.batch(statements.map(prepare)).catch(failed)).map(toSet),
    exec: (sql) => db.exec(sql),
  };
}

test("rows are read and written on D1", async () => {
  const runner = d1Runner(env.DB);
  await runner.exec(
    "CREATE TABLE rest_t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, n REAL, flag BOOLEAN, data JSON, raw BLOB, loose)",
  );
  await runner.exec("CREATE VIEW rest_v AS SELECT id, upper(name) AS name FROM rest_t");
  await runner.exec("CREATE VIRTUAL TABLE rest_words USING fts5(word)");
  const schemas = createSchemaCache();
  const app = new Hono<TenantryEnv>();
  app.use(async (c, next) => {
    c.set("tenant", parseTenantId("acme"));
    c.set("runner", runner);
    c.set("limits", { maxRows: 100, maxResponseBytes: 100_000, maxBodyBytes: 100_000 });
    c.set("schemaKey", "acme:1");
    c.set("exactIntegers", false);
    c.set("authorize", () => {});
    await next();
  });
  app.route("/rest", restRoutes({ schemas }));
  app.onError((error) =>
    Response.json(
      { message: error.message, code: error instanceof TenantryError ? error.code : "INTERNAL" },
      { status: 400 },
    ),
  );
  const call = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const answer = await app.request(`/rest${path}`, {
      method,
      headers: { "content-type": "application/json", prefer: "return=representation", ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return [answer.status, await answer.json()];
  };
  const row = { id: 1, name: "Ada", n: 1.5, flag: true, data: { a: [1] }, raw: "\\x00ff", loose: 5 };
  expect(await call("POST", "/rest_t", row)).toEqual([201, [row]]);
  expect(await call("POST", "/rest_t", [{ name: 12 }, { name: "Cy" }])).toMatchObject([
    201,
    [{ id: 2, name: "12" }, { id: 3 }],
  ]);
  expect(await call("GET", "/rest_t?select=id&name=eq.12")).toEqual([200, [{ id: 2 }]]);
  expect(await call("GET", "/rest_t?select=id&id=eq.1&loose=eq.5&raw=eq.\\x00ff&flag=is.true")).toEqual([
    200,
    [{ id: 1 }],
  ]);
  expect(await call("GET", "/rest_t?select=id&name=like.A*&data->a->>0=eq.1")).toEqual([200, [{ id: 1 }]]);
  expect(
    await call(
      "GET",
      `/rest_t?select=id&id=in.(${Array.from({ length: 200 }, (_, i) => i + 2).join(",")})&order=name.desc`,
    ),
  ).toEqual([200, [{ id: 3 }, { id: 2 }]]);
  expect(
    await call("GET", "/rest_t?select=id&limit=1&offset=1&order=id", undefined, { prefer: "count=exact" }),
  ).toEqual([206, [{ id: 2 }]]);
  expect(await call("GET", "/rest_v?name=eq.ADA")).toEqual([200, [{ id: 1, name: "ADA" }]]);
  expect(await call("GET", "/rest_words?word=fts.x")).toEqual([200, []]);
  const upsert = { prefer: "resolution=merge-duplicates,return=representation" };
  expect(await call("POST", "/rest_t?on_conflict=name&select=id,n", { name: "Ada", n: 2 }, upsert)).toEqual([
    200,
    [{ id: 1, n: 2 }],
  ]);
  const strict = { prefer: "handling=strict,max-affected=1,return=representation" };
  expect(await call("PATCH", "/rest_t?id=gt.0", { n: 9 }, strict)).toMatchObject([
    400,
    { code: "INVALID_ARGUMENT" },
  ]);
  expect(await call("GET", "/rest_t?n=eq.9")).toEqual([200, []]);
  expect(await call("DELETE", "/rest_t?id=eq.3&select=name")).toEqual([200, [{ name: "Cy" }]]);
  expect(await call("GET", "/rest_tt")).toMatchObject([400, { code: "TABLE_NOT_FOUND" }]);
});
