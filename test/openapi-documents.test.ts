// Owns that the OpenAPI documents describe the routes and tables there are, and hang together.
import { expect, test } from "vitest";
import { adminRoutes } from "../src/http/admin-routes.ts";
import { appSettings } from "../src/http/app-options.ts";
import { databaseRoutes } from "../src/http/database-routes.ts";
import { backupRoutes } from "../src/http/backup-routes.ts";
import { fileRoutes } from "../src/http/file-routes.ts";
import { adminOpenApi, ROUTES } from "../src/http/openapi/admin-openapi.ts";
import { MACHINE_ROUTES } from "../src/http/openapi/machine-openapi.ts";
import { namespaceRoutes } from "../src/http/namespace-routes.ts";
import { NAMESPACE_ROUTES } from "../src/http/openapi/namespace-openapi.ts";
import { namespaceStatsRoutes } from "../src/http/namespace-stats-routes.ts";
import { queryRoutes } from "../src/http/query-routes.ts";
import { restApp } from "./rest-app.ts";

type Json = Record<string, unknown>;

/** Every `$ref` in a document leads somewhere in it. */
function expectWhole(document: Json): void {
  JSON.stringify(document, (key, value: unknown) => {
    if (key !== "$ref") return value;
    const path = (value as string).replace(/^#\//, "").split("/");
    expect(
      path.reduce<unknown>((part, step) => (part as Json | undefined)?.[step], document),
      value as string,
    ).toBeDefined();
    return value;
  });
  const ids = new Set<unknown>();
  for (const [path, operations] of Object.entries(
    document["paths"] as Record<string, Record<string, Json>>,
  )) {
    expect(path).toMatch(/^\//);
    for (const operation of Object.values(operations)) {
      expect(operation).toHaveProperty("responses.default");
      const id = operation["operationId"];
      if (id === undefined) continue;
      expect(ids).not.toContain(id);
      ids.add(id);
    }
  }
}

test("the server's document lists the routes that there are, no more and no fewer", () => {
  // only the routes are looked at: what they work on is not touched
  const nothing = {} as never;
  const served = [
    ...adminRoutes(nothing).routes.map(({ method, path }) => [method, `/admin${path}`]),
    // What lies below /database is Hrana's, as a tenant's own is.
    ...databaseRoutes({ settings: appSettings({}) } as never)
      .routes.filter(({ path }) => !path.includes("/database"))
      .map(({ method, path }) => [method, `/admin${path}`]),
    ...fileRoutes({ maxImportBytes: 1 } as never).routes.map(({ method, path }) => [method, `/admin${path}`]),
    ...backupRoutes(nothing).routes.map(({ method, path }) => [method, `/admin${path}`]),
    ...namespaceRoutes(nothing).routes.map(({ method, path }) => [method, `/v1${path}`]),
    ...namespaceStatsRoutes(nothing).routes.map(({ method, path }) => [method, `/v1${path}`]),
    ...queryRoutes(nothing).routes.map(({ method, path }) => [method, `/t/:tenant${path}`]),
  ].map(([method, path]) => `${method?.toLowerCase()} ${path?.replace(/:(\w+)/g, "{$1}")}`);
  const described = [...ROUTES, ...MACHINE_ROUTES, ...NAMESPACE_ROUTES].map(
    ({ method, path }) => `${method} ${path}`,
  );
  expect(described.filter((route) => /\/(?:admin|v1|query|batch)/.test(route)).sort()).toEqual(served.sort());
});

test("the server's document hangs together", () => {
  const document = adminOpenApi({ version: "1.2.3" });
  expect(document).toMatchObject({ openapi: "3.1.0", info: { version: "1.2.3" } });
  expect(document).toHaveProperty(
    ["paths", "/admin/tenants", "post", "requestBody", "content", "application/json", "schema"],
    {
      type: "object",
      properties: { id: { type: "string" }, empty: { type: "boolean" } },
      required: ["id"],
      additionalProperties: false,
    },
  );
  expectWhole(document);
});

test("a tenant's document has its tables, and what can be done with them", async () => {
  const { get } = await restApp(`
    CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, vip BOOLEAN DEFAULT 0, data JSON, loose);
    CREATE TABLE "odd name?" (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers, twice INT AS (id * 2));
    CREATE TABLE "Error" (id INTEGER PRIMARY KEY);
    CREATE TABLE d1_migrations (id INTEGER PRIMARY KEY);
    CREATE VIEW names AS SELECT name FROM customers;
  `);
  const answer = await get("/../openapi.json");
  const document = (await answer.json()) as Json;
  expectWhole(document);
  expect(document).toMatchObject({ servers: [{ url: "/t/acme" }] });
  const paths = document["paths"] as Record<string, Json>;
  expect(Object.keys(paths).sort()).toEqual([
    "/rest/Error",
    "/rest/customers",
    "/rest/names",
    "/rest/odd%20name%3F",
  ]);
  expect(Object.keys(paths["/rest/names"] as Json)).toEqual(["get"]);
  expect(Object.keys(paths["/rest/customers"] as Json)).toEqual(["get", "post", "patch", "delete"]);
  const schemas = (document["components"] as Json)["schemas"] as Record<string, { properties: Json }>;
  expect(schemas["row.customers"]?.properties).toEqual({
    id: { type: "integer", description: "INTEGER, primary key" },
    name: { type: "string", description: "TEXT" },
    vip: { type: ["boolean", "null"], description: "BOOLEAN, default 0" },
    data: { description: "JSON" },
    loose: {},
  });
  expect(schemas["row.odd_x20_name_x3f_"]?.properties).toMatchObject({
    customer_id: { description: "INTEGER, refers to customers" },
    twice: { readOnly: true },
  });
});
