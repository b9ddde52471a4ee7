// Owns the administrative API as its callers see it: tenants, hosts, keys, migrations, the audit log.
// Files in and out are http-import-export.test.ts's.
import { expect, test } from "vitest";
import { type Answer, expectError, runningServer } from "./support/running-server.ts";

test("a tenant is created once: 201 with its place, then 409", async () => {
  const server = await runningServer({ tenants: [] });
  const created = await server.send("POST", "/admin/tenants", { id: "acme" });
  expect(created.status).toBe(201);
  expect(created.headers.get("location")).toBe("/admin/tenants/acme");
  expect(created.body).toMatchObject({ id: "acme", state: "active", schemaVersion: "0001_init.sql" });
  expectError(await server.send("POST", "/admin/tenants", { id: "acme" }), "TENANT_EXISTS", "acme");
  for (const body of [{}, { id: 1 }, { id: null }, { id: "x", more: 1 }, [], "null"]) {
    expectError(await server.send("POST", "/admin/tenants", body), "INVALID_ARGUMENT");
  }
  const race = await Promise.all(
    Array.from({ length: 8 }, () => server.send("POST", "/admin/tenants", { id: "race" })),
  );
  expect(race.map(({ status }) => status).toSorted()).toEqual([201, ...Array<number>(7).fill(409)]);
  await server.expectHealthy("acme");
  await server.expectHealthy("race");
});

test("the list of tenants has pages, states and prefixes", async () => {
  const ids = ["acme", "acme-eu", "beta", "globex", "zeta"];
  const server = await runningServer({ tenants: ids });
  await server.send("POST", "/admin/tenants/beta/suspend");
  const list = async (query: string): Promise<{ ids: string[]; cursor: string | null }> => {
    const { body } = await server.send("GET", `/admin/tenants${query}`);
    return { ids: body.tenants.map(({ id }: { id: string }) => id), cursor: body.cursor };
  };
  expect(await list("")).toEqual({ ids, cursor: null });
  const first = await list("?limit=2");
  expect(first.ids).toEqual(["acme", "acme-eu"]);
  const second = await list(`?limit=2&cursor=${first.cursor}`);
  expect(second.ids).toEqual(["beta", "globex"]);
  expect(await list(`?limit=2&cursor=${second.cursor}`)).toEqual({ ids: ["zeta"], cursor: null });
  expect((await list("?state=suspended")).ids).toEqual(["beta"]);
  expect((await list("?prefix=acme")).ids).toEqual(["acme", "acme-eu"]);
  expect((await list("?prefix=acme&state=suspended")).ids).toEqual([]);
  for (const query of [
    "?limit=0",
    "?limit=-1",
    "?limit=x",
    "?limit=1.5",
    "?limit=1001",
    "?limit=",
    "?cursor=x",
    "?cursor=",
    "?cursor=YXVkaXQ6MQ",
    "?state=gone",
    "?state=",
    "?prefix=A",
    "?prefix=%25",
  ]) {
    expectError(await server.send("GET", `/admin/tenants${query}`), "INVALID_ARGUMENT");
  }
});

test("suspend and resume say the tenant's new state, need no body, and know their reasons", async () => {
  const server = await runningServer();
  const suspended = await server.send("POST", "/admin/tenants/acme/suspend", { reason: "unpaid" });
  expect(suspended.body).toMatchObject({ id: "acme", state: "suspended", reason: "unpaid" });
  // As curl -X POST sends it: neither a length nor a type.
  const bare = await server.raw(
    "POST /admin/tenants/acme/suspend HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
  );
  expect(bare).toContain("200 OK");
  expect((await server.send("POST", "/admin/tenants/acme/resume")).body).toMatchObject({
    state: "active",
    reason: null,
  });
  expect((await server.send("POST", "/admin/tenants/acme/resume")).status).toBe(200);
  for (const act of ["suspend", "resume", "migrate"]) {
    expectError(await server.send("POST", `/admin/tenants/nobody/${act}`), "TENANT_NOT_FOUND");
  }
  expectError(await server.send("POST", "/admin/tenants/acme/suspend", { reason: 1 }), "INVALID_ARGUMENT");
  expectError(await server.send("POST", "/admin/tenants/acme/suspend", "{"), "INVALID_JSON");
  expectError(
    await server.send("POST", "/admin/tenants/acme/suspend", { reason: "x".repeat(501) }),
    "INVALID_ARGUMENT",
  );
  await server.expectHealthy();
});

test("a deleted tenant is gone for callers, a tombstone for the administrator, and its name is free", async () => {
  const server = await runningServer();
  const before = (await server.send("GET", "/admin/tenants/acme")).body;
  await server.query("acme", "INSERT INTO customers (name) VALUES ('Ada')");
  expect((await server.send("DELETE", "/admin/tenants/acme")).body).toMatchObject({ state: "deleted" });
  expectError(await server.query("acme", "SELECT 1"), "TENANT_NOT_FOUND");
  expect((await server.send("GET", "/admin/tenants/acme")).body).toMatchObject({
    id: "acme",
    state: "deleted",
  });
  expect((await server.send("GET", "/admin/tenants")).body.tenants).toEqual([]);
  expectError(await server.send("DELETE", "/admin/tenants/acme"), "TENANT_NOT_FOUND");
  expectError(await server.send("POST", "/admin/tenants/acme/resume"), "TENANT_NOT_FOUND");
  expectError(await server.send("GET", "/admin/tenants/acme/migrations"), "TENANT_NOT_FOUND");
  expectError(await server.send("GET", "/admin/tenants/nobody"), "TENANT_NOT_FOUND");

  const again = (await server.send("POST", "/admin/tenants", { id: "acme" })).body;
  expect(again.incarnation).not.toBe(before.incarnation);
  expect((await server.query("acme", "SELECT * FROM customers")).body.results).toEqual([]);
  await server.expectHealthy();
});

test("migrations: the set, one tenant's status, and bringing it up", async () => {
  const server = await runningServer();
  expect((await server.send("GET", "/admin/migrations")).body).toMatchObject({
    version: "0001_init.sql",
    migrations: [{ name: "0001_init.sql", checksum: expect.any(String) }],
    behind: 0,
    quarantined: 0,
  });
  expect((await server.send("GET", "/admin/tenants/acme/migrations")).body.migrations).toMatchObject([
    { name: "0001_init.sql", state: "applied" },
  ]);
  expect((await server.send("POST", "/admin/tenants/acme/migrate")).body).toMatchObject({
    id: "acme",
    state: "active",
  });
  await server.expectHealthy();
});

test("hosts: given to one tenant only, taken away, and gone with their tenant", async () => {
  const server = await runningServer({ tenants: ["acme", "globex"] });
  const hosts = async (id: string): Promise<string[]> =>
    (await server.send("GET", `/admin/tenants/${id}/aliases`)).body.hosts;
  const schema = (): Promise<string> =>
    server.raw("GET /schema HTTP/1.1\r\nHost: shop.example.com\r\nConnection: close\r\n\r\n");
  const added = await server.send("POST", "/admin/tenants/acme/aliases", { host: "Shop.Example.com" });
  expect(added.status).toBe(201);
  expect(added.body).toEqual({ host: "shop.example.com" });
  expect(await hosts("acme")).toEqual(["shop.example.com"]);
  expect(await schema()).toContain("CROSS_SITE_REFUSED");
  expectError(
    await server.send("POST", "/admin/tenants/globex/aliases", { host: "shop.example.com" }),
    "ALIAS_EXISTS",
  );
  for (const host of ["", "https://x.example", "x.example:80", "x/y", "*.example.com", "a".repeat(300)]) {
    expectError(await server.send("POST", "/admin/tenants/acme/aliases", { host }), "INVALID_ARGUMENT");
  }
  expectError(
    await server.send("POST", "/admin/tenants/nobody/aliases", { host: "x.example" }),
    "TENANT_NOT_FOUND",
  );
  expectError(await server.send("GET", "/admin/tenants/nobody/aliases"), "TENANT_NOT_FOUND");
  expectError(await server.send("DELETE", "/admin/tenants/globex/aliases/shop.example.com"), "NOT_FOUND");
  expect((await server.send("DELETE", "/admin/tenants/acme/aliases/SHOP.example.com")).status).toBe(204);
  expect(await hosts("acme")).toEqual([]);
  await server.send("POST", "/admin/tenants/acme/aliases", { host: "shop.example.com" });
  await server.send("DELETE", "/admin/tenants/acme");
  expect(
    (await server.send("POST", "/admin/tenants/globex/aliases", { host: "shop.example.com" })).status,
  ).toBe(201);
});

test("a host reaches its tenant's routes, with a key", async () => {
  const server = await runningServer({ tenants: ["acme", "globex"] });
  await server.send("POST", "/admin/tenants/acme/aliases", { host: "shop.example.com" });
  const { secret } = (await server.send("POST", "/admin/keys", { scope: "read", tenant: "acme" })).body;
  const get = (path: string): Promise<string> =>
    server.raw(
      `GET ${path} HTTP/1.1\r\nHost: shop.example.com:8787\r\nAuthorization: Bearer ${secret}\r\nConnection: close\r\n\r\n`,
    );
  expect(await get("/schema")).toContain("200 OK");
  expect(await get("/t/acme/schema")).toContain("200 OK");
  expect(await get("/t/globex/schema")).toContain("TENANT_MISMATCH");
});

test("a key's secret is shown once; its hash never", async () => {
  const server = await runningServer({ tenants: ["acme"] });
  const made = await server.send("POST", "/admin/keys", {
    scope: "admin",
    label: "ops",
    expiresInSeconds: 3600,
  });
  expect(made.status).toBe(201);
  const { id, secret } = made.body as { id: string; secret: string };
  expect(Object.keys(made.body).toSorted()).toEqual([
    "createdAt",
    "expiresAt",
    "id",
    "label",
    "lastUsedAt",
    "revokedAt",
    "scope",
    "secret",
    "tenant",
  ]);
  const headers = { authorization: `Bearer ${secret}` };
  const of = (method: string, path: string, body?: unknown): ReturnType<typeof server.send> =>
    server.send(method, path, body, headers);
  const { body: second } = await of("POST", "/admin/keys", { scope: "read", tenant: "acme" });
  const { body: rotated } = await of("POST", `/admin/keys/${second.id}/rotate`);
  expect(rotated).toMatchObject({ tenant: "acme", scope: "read", secret: expect.stringMatching(/^tnt_/) });
  expect((await of("DELETE", `/admin/keys/${rotated.id}`)).body).toMatchObject({
    revokedAt: expect.any(Number),
  });
  expect((await of("DELETE", `/admin/keys/${rotated.id}`)).status).toBe(200);

  const shown = [
    await of("GET", "/admin/keys"),
    await of("GET", "/admin/keys?tenant=acme&limit=1"),
    await of("GET", "/admin/audit"),
    await of("DELETE", `/admin/keys/${second.id}`),
    await of("GET", "/metrics"),
    await of("DELETE", `/admin/keys/${secret}`),
  ];
  const all = shown.map(({ text }) => text).join("\n");
  for (const hidden of [secret, second.secret, rotated.secret])
    expect(all).not.toContain(hidden.slice(0, 44));
  expect(all).not.toMatch(/"hash"|[0-9a-f]{64}/);
  expect(shown[0]?.body.keys.map((key: { id: string }) => key.id)).toContain(id);
  expect(shown[1]?.body.keys).toHaveLength(1);

  for (const body of [
    {},
    { scope: "root" },
    { scope: "read", tenant: 1 },
    { scope: "read", expiresInSeconds: 0 },
    { scope: "read", expiresInSeconds: 1.5 },
    { scope: "read", expiresInSeconds: 1e300 },
    { scope: "admin", tenant: "acme" },
    { scope: "read", label: "x".repeat(201) },
    { scope: "read", ttl: 1 },
  ]) {
    expectError(await of("POST", "/admin/keys", body), "INVALID_ARGUMENT");
  }
  expectError(await of("POST", "/admin/keys", { scope: "read", tenant: "../x" }), "INVALID_TENANT_ID");
  expectError(await of("POST", "/admin/keys", { scope: "read", tenant: "nobody" }), "TENANT_NOT_FOUND");
  expectError(await of("POST", "/admin/keys/nope/rotate"), "NOT_FOUND");
  expectError(await of("POST", `/admin/keys/${second.id}/rotate`, { graceSeconds: -1 }), "INVALID_ARGUMENT");
  expectError(await of("GET", "/admin/keys?cursor=x"), "INVALID_ARGUMENT");
});

test("the audit log says who did what to which tenant", async () => {
  const server = await runningServer({ tenants: [] });
  const { id, secret } = (await server.send("POST", "/admin/keys", { scope: "admin" })).body;
  const headers = { authorization: `Bearer ${secret}` };
  await server.send("POST", "/admin/tenants", { id: "acme" }, headers);
  await server.send("POST", "/admin/tenants", { id: "globex" }, headers);
  await server.send("POST", "/admin/tenants/acme/aliases", { host: "a.example.com" }, headers);
  await server.send("POST", "/admin/tenants/acme/suspend", { reason: "unpaid" }, headers);
  await server.send("DELETE", "/admin/tenants/acme", undefined, headers);
  const audit = async (query: string): Promise<Answer["body"]> =>
    (await server.send("GET", `/admin/audit${query}`, undefined, headers)).body;
  const { entries } = await audit("");
  const acts = entries.map(({ action, tenant, actor }: Record<string, string>) => [action, tenant, actor]);
  const actor = `key ${id}`;
  expect(acts).toContainEqual(["key.add", null, "local"]);
  expect(acts).toContainEqual(["tenant.create", "acme", actor]);
  expect(acts).toContainEqual(["alias.add", "acme", actor]);
  expect(acts).toContainEqual(["tenant.state", "acme", actor]);
  expect(entries.every((entry: { actor: string }) => [actor, "local"].includes(entry.actor))).toBe(true);
  expect(entries.map((entry: { id: number }) => entry.id)).toEqual(
    entries.map((entry: { id: number }) => entry.id).toSorted((a: number, b: number) => b - a),
  );
  expect((await audit("?tenant=globex")).entries).toHaveLength(1);
  const page = await audit("?limit=2");
  expect(page.entries).toEqual(entries.slice(0, 2));
  expect((await audit(`?limit=2&cursor=${page.cursor}`)).entries).toEqual(entries.slice(2, 4));
  expectError(await server.send("GET", "/admin/audit?cursor=nope", undefined, headers), "INVALID_ARGUMENT");
  expectError(await server.send("GET", "/admin/audit?tenant=../x", undefined, headers), "INVALID_TENANT_ID");
});

test("/metrics counts requests by route, not by what callers make up", async () => {
  const server = await runningServer({ tenants: ["acme"] });
  for (let i = 0; i < 20; i++) {
    await server.send("GET", `/nope/${i}`);
    await server.send("GET", `/t/acme/rest/table${i}`);
    await server.send("GET", `/t/nobody${i}/schema`);
  }
  await server.query("acme", "SELECT 1");
  const { text, headers } = await server.send("GET", "/metrics");
  expect(headers.get("content-type")).toMatch(/^text\/plain/);
  const series = text
    .split("\n")
    .filter((line) => line.startsWith("tenantry_http_request_duration_seconds_count"));
  expect(series.length).toBeLessThan(10);
  expect(text).toMatch(/_count\{method="POST",route="\/t\/:tenant\/query",status="200"\} 1/);
  expect(text).toMatch(/tenantry_tenant_requests\{tenant="acme"\} \d+/);
  expect(text).not.toMatch(/nobody\d/);
  expect(text).toContain('tenantry_tenants{state="active"} 1');
});
