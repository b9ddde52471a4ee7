// Owns who may do what over HTTP: open servers and whose pages they refuse, keys and their scopes, tokens, CORS.
// The rules themselves are auth-authorize.test.ts's; here is that every route keeps them.
import { expect, test, vi } from "vitest";
import { createApiKey } from "../src/auth/api-key.ts";
import { generateSigningKey } from "../src/auth/signing-key.ts";
import { issueToken } from "../src/auth/token.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { createTenantry } from "../src/tenantry.ts";
import { type Answer, expectError, runningServer, type RunningTestServer } from "./support/running-server.ts";

const bearer = (secret: string): Record<string, string> => ({ authorization: `Bearer ${secret}` });

interface MadeKey {
  readonly id: string;
  readonly secret: string;
  readonly headers: Record<string, string>;
}

/** Makes keys through the API: the first, of scope admin, makes the others. */
async function keysOf(server: RunningTestServer): Promise<{
  admin: MadeKey;
  make(body: object): Promise<MadeKey>;
}> {
  const make = async (body: object, headers: Record<string, string> = {}): Promise<MadeKey> => {
    const answer = await server.send("POST", "/admin/keys", body, headers);
    expect(answer.status, answer.text).toBe(201);
    const { id, secret } = answer.body as { id: string; secret: string };
    return { id, secret, headers: bearer(secret) };
  };
  const admin = await make({ scope: "admin", label: "first" });
  return { admin, make: (body) => make(body, admin.headers) };
}

async function raw(server: RunningTestServer, ...lines: string[]): Promise<string> {
  return server.raw([...lines, "Connection: close", "", ""].join("\r\n"));
}

test("an open server answers this machine's names only", async () => {
  const server = await runningServer();
  for (const host of ["localhost", `127.0.0.1:${server.port}`, "acme.localhost", "[::1]", "LOCALHOST"]) {
    expect(await raw(server, "GET /t/acme/schema HTTP/1.1", `Host: ${host}`), host).toContain("200 OK");
  }
  for (const host of [
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "0.0.0.0",
    "169.254.169.254",
    "10.0.0.1",
  ]) {
    for (const path of ["/t/acme/schema", "/admin/tenants", "/metrics"]) {
      const answer = await raw(server, `GET ${path} HTTP/1.1`, `Host: ${host}`);
      expect(answer).toContain("403 Forbidden");
      expect(answer).toContain("CROSS_SITE_REFUSED");
    }
  }
  await server.expectHealthy();
});

test("an open server refuses other sites' pages, and forms", async () => {
  const server = await runningServer();
  for (const headers of [
    { origin: "https://evil.example" },
    { origin: "null" },
    { origin: "http://localhost.evil.example" },
    { "sec-fetch-site": "cross-site" },
  ]) {
    expectError(await server.query("acme", "SELECT 1", [], headers), "CROSS_SITE_REFUSED");
    expectError(await server.send("GET", "/t/acme/rest/customers", undefined, headers), "CROSS_SITE_REFUSED");
    expectError(await server.send("POST", "/admin/tenants", { id: "x" }, headers), "CROSS_SITE_REFUSED");
    expectError(await server.send("DELETE", "/admin/tenants/acme", undefined, headers), "CROSS_SITE_REFUSED");
  }
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]) {
    const body = JSON.stringify({ id: "x" });
    expectError(
      await server.send("POST", "/admin/tenants", body, { "content-type": type }),
      "UNSUPPORTED_MEDIA_TYPE",
    );
    expectError(
      await server.send("POST", "/admin/tenants/x/import", body, { "content-type": type }),
      "UNSUPPORTED_MEDIA_TYPE",
    );
  }
  expect((await server.query("acme", "SELECT 1", [], { origin: "http://localhost:5173" })).status).toBe(200);
  await server.expectHealthy();
});

test("without configuration no page of another origin gets CORS headers; with it, the named ones do", async () => {
  const origin = "https://app.example.com";
  const closed = await runningServer();
  const preflight = { origin, "access-control-request-method": "POST" };
  const refused = await closed.send("OPTIONS", "/t/acme/query", undefined, preflight);
  expect(refused.status).toBeGreaterThanOrEqual(400);
  expect([...refused.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);

  const server = await runningServer({ app: { corsOrigins: [origin] } });
  const { admin } = await keysOf(server);
  const allowed = await server.send("OPTIONS", "/t/acme/query", undefined, preflight);
  expect(allowed.status).toBe(204);
  expect(allowed.headers.get("access-control-allow-origin")).toBe(origin);
  const answer = await server.query("acme", "SELECT 1", [], { ...admin.headers, origin });
  expect(answer.status).toBe(200);
  expect(answer.headers.get("access-control-allow-origin")).toBe(origin);
  const failed = await server.query("acme", "SELEC", [], { ...admin.headers, origin });
  expect(failed.status).toBe(403);
  expect(failed.headers.get("access-control-allow-origin")).toBe(origin);
  const other = await server.query("acme", "SELECT 1", [], {
    ...admin.headers,
    origin: "https://evil.example",
  });
  expect(other.headers.get("access-control-allow-origin")).toBe(null);
});

test("the first key closes an open server at once", async () => {
  const server = await runningServer();
  await server.expectHealthy();
  expect(await server.access.isOpen()).toBe(true);
  const { admin } = await keysOf(server);
  expectError(await server.query("acme", "SELECT 1"), "UNAUTHENTICATED");
  expectError(await server.send("GET", "/admin/tenants"), "UNAUTHENTICATED");
  expect((await server.query("acme", "SELECT 1", [], admin.headers)).status).toBe(200);
  expect(await server.access.isOpen()).toBe(false);
});

test("the first key closes a server also when another process has made it, and stays to that when it is revoked", async () => {
  const server = await runningServer();
  await server.expectHealthy();
  await using other = await createTenantry({ data: server.data, migrations: server.tenantry.migrations });
  const { secret, hash } = await createApiKey();
  const key = await other.catalog.addKey({ hash, tenant: null, scope: "admin" });
  expectError(await server.query("acme", "SELECT 1"), "UNAUTHENTICATED");
  expect((await server.query("acme", "SELECT 1", [], bearer(secret))).status).toBe(200);
  await other.catalog.revokeKey(key.id);
  expectError(await server.query("acme", "SELECT 1", [], bearer(secret)), "UNAUTHENTICATED");
  expectError(await server.query("acme", "SELECT 1"), "UNAUTHENTICATED");
});

test("a stranger is told 401 and nothing else, whatever is asked", async () => {
  const server = await runningServer({ tenants: ["acme"] });
  const { admin } = await keysOf(server);
  await server.send("POST", "/admin/tenants/acme/aliases", { host: "shop.example.com" }, admin.headers);
  const asked: [string, string][] = [
    ["POST", "/t/acme/query"],
    ["POST", "/t/nobody/query"],
    ["GET", "/t/acme/nope"],
    ["GET", "/t/ACME/schema"],
    ["GET", "/t/acme/rest/customers"],
    ["GET", "/schema"],
    ["PUT", "/t/acme/query"],
    ["GET", "/admin/tenants"],
    ["GET", "/admin/nope"],
    ["POST", "/admin/tenants/x/import"],
    ["GET", "/metrics"],
    ["DELETE", "/admin/tenants/acme"],
  ];
  const texts = new Set<string>();
  for (const [method, path] of asked) {
    const answer = await server.send(method, path);
    expectError(answer, "UNAUTHENTICATED");
    expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer/);
    texts.add(answer.text);
  }
  expect(texts.size).toBe(1);
  for (const host of ["shop.example.com", "other.example.com"]) {
    expect(await raw(server, "GET /schema HTTP/1.1", `Host: ${host}`)).toContain("401 Unauthorized");
  }
  for (const path of ["/healthz", "/readyz", "/openapi.json"]) {
    expect((await server.send("GET", path)).status).toBe(200);
  }
  for (const headers of [
    bearer("x"),
    bearer(`${admin.secret}x`),
    bearer(admin.secret.toUpperCase()),
    { authorization: admin.secret },
    { authorization: "Basic !!" },
    { authorization: `Bearer ${admin.secret}, Bearer x` },
    { authorization: `Bearer ${"x".repeat(10_000)}` },
  ]) {
    const answer = await server.query("acme", "SELECT 1", [], headers);
    expectError(answer, "UNAUTHENTICATED");
    expect(answer.text).not.toContain(admin.secret.slice(4, 20));
  }
});

test("a tenant that is not there and one that is another's look the same, byte for byte", async () => {
  const server = await runningServer({ tenants: ["acme", "globex"] });
  const { admin, make } = await keysOf(server);
  const { headers } = await make({ scope: "schema", tenant: "acme" });
  await server.send("POST", "/admin/tenants/globex/suspend", { reason: "secret reason" }, admin.headers);
  for (const [method, path, body] of [
    ["POST", "/t/NAME/query", { sql: "SELECT 1" }],
    ["POST", "/t/NAME/query", { sql: "ATTACH 'x' AS y" }],
    ["POST", "/t/NAME/query", "{"],
    ["POST", "/t/NAME/batch", []],
    ["GET", "/t/NAME/schema", undefined],
    ["GET", "/t/NAME/openapi.json", undefined],
    ["GET", "/t/NAME/rest/customers?id=eq.1", undefined],
    ["DELETE", "/t/NAME/rest/customers?id=eq.1", undefined],
    ["GET", "/t/NAME/nope", undefined],
    ["PUT", "/t/NAME/query", undefined],
  ] as const) {
    const [forbidden, missing] = (await Promise.all(
      ["globex", "nobody"].map((name) => server.send(method, path.replace("NAME", name), body, headers)),
    )) as [Answer, Answer];
    expectError(forbidden, "TENANT_NOT_FOUND");
    const seen = ({ status, text, headers: all }: Answer, name: string): unknown => {
      const { date: _, "content-length": __, ...rest } = Object.fromEntries(all);
      return { status, rest, text: text.replaceAll(name, "NAME") };
    };
    expect(seen(forbidden, "globex")).toEqual(seen(missing, "nobody"));
  }
  expectError(
    await server.send("GET", "/schema", undefined, { ...headers, "x-tenant-id": "globex" }),
    "TENANT_NOT_FOUND",
  );
  expect((await server.send("GET", "/schema", undefined, headers)).status).toBe(200);
});

test("a scope allows what it says and nothing more", async () => {
  const server = await runningServer({ tenants: ["acme"] });
  const { admin, make } = await keysOf(server);
  const statements = {
    read: "SELECT * FROM customers",
    write: "INSERT INTO customers (name) VALUES ('Ada')",
    schema: "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY)",
  };
  const scopes = ["read", "write", "schema", "admin"] as const;
  for (const tenant of ["acme", null]) {
    for (const [rank, scope] of scopes.entries()) {
      if (scope === "admin" && tenant !== null) continue;
      const { headers } = await make({ scope, tenant });
      for (const [needed, sql] of Object.values(statements).entries()) {
        const answers = [
          await server.query("acme", sql, [], headers),
          await server.send("POST", "/t/acme/batch", [{ sql: statements.read }, { sql }], headers),
        ];
        for (const answer of answers) {
          if (rank >= needed) expect(answer.status, `${scope}: ${sql}`).toBe(200);
          else expectError(answer, "FORBIDDEN", new RegExp(`"?acme"?`));
        }
      }
      const insert = await server.send("POST", "/t/acme/rest/customers", { name: "Bo" }, headers);
      if (rank >= 1) expect(insert.status).toBe(201);
      else expectError(insert, "FORBIDDEN");
      expect((await server.send("GET", "/t/acme/rest/customers", undefined, headers)).status).toBe(200);
      for (const path of [
        "/admin/tenants",
        "/admin/keys",
        "/admin/audit",
        "/admin/tenants/acme/export",
        "/metrics",
      ]) {
        const answer = await server.send("GET", path, undefined, headers);
        if (scope === "admin") expect(answer.status).toBe(200);
        else expectError(answer, "FORBIDDEN");
      }
    }
  }
  expectError(
    await server.query(
      "acme",
      "SELECT 1; DELETE FROM customers",
      [],
      (await make({ scope: "read" })).headers,
    ),
    "SQL_MANY_STATEMENTS",
  );
  expect((await server.query("acme", "SELECT 1", [], admin.headers)).status).toBe(200);
});

test("a key ends when it is revoked, when it expires, and with its tenant", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  try {
    const server = await runningServer({ tenants: ["acme", "globex"] });
    const { admin, make } = await keysOf(server);
    const works = async ({ headers }: MadeKey, tenant = "acme"): Promise<boolean> => {
      const answer = await server.query(tenant, "SELECT 1", [], headers);
      if (answer.status !== 200) expectError(answer, "UNAUTHENTICATED");
      return answer.status === 200;
    };
    const revoked = await make({ scope: "read" });
    const short = await make({ scope: "read", expiresInSeconds: 60 });
    const ofTenant = await make({ scope: "read", tenant: "globex" });
    expect([await works(revoked), await works(short), await works(ofTenant, "globex")]).toEqual([
      true,
      true,
      true,
    ]);

    expect((await server.send("DELETE", `/admin/keys/${revoked.id}`, undefined, admin.headers)).status).toBe(
      200,
    );
    expect(await works(revoked)).toBe(false);

    vi.setSystemTime(Date.now() + 61_000);
    expect(await works(short)).toBe(false);

    const rotated = await server.send(
      "POST",
      `/admin/keys/${admin.id}/rotate`,
      { graceSeconds: 60 },
      admin.headers,
    );
    expect(rotated.status).toBe(201);
    const next = { ...admin, ...(rotated.body as object), headers: bearer(rotated.body.secret) } as MadeKey;
    expect([await works(admin), await works(next)]).toEqual([true, true]);
    vi.setSystemTime(Date.now() + 61_000);
    expect([await works(admin), await works(next)]).toEqual([false, true]);

    await server.send("DELETE", "/admin/tenants/globex", undefined, next.headers);
    await server.send("POST", "/admin/tenants", { id: "globex" }, next.headers);
    expect(await works(ofTenant, "globex")).toBe(false);
  } finally {
    vi.useRealTimers();
  }
});

test("a token says what its bearer may do, and for how long", async () => {
  const key = await generateSigningKey();
  const server = await runningServer({ tenants: [], app: { publicKeys: [key] } });
  expect(await server.access.isOpen()).toBe(false);
  const acme = parseTenantId("acme");
  await server.tenantry.lifecycle.create(acme);
  const token = async (options: Partial<Parameters<typeof issueToken>[0]>): Promise<Record<string, string>> =>
    bearer(await issueToken({ scope: "read", tenant: "acme", expiresInSeconds: 3600, key, ...options }));

  const read = await token({});
  expect((await server.query("acme", "SELECT 1", [], read)).status).toBe(200);
  expect((await server.send("POST", "/query", { sql: "SELECT 1" }, read)).status).toBe(200);
  expectError(await server.query("acme", "DELETE FROM customers", [], read), "FORBIDDEN");
  expectError(await server.query("globex", "SELECT 1", [], read), "TENANT_NOT_FOUND");
  expectError(await server.send("GET", "/admin/tenants", undefined, read), "FORBIDDEN");
  expect(
    (
      await server.send(
        "GET",
        "/admin/tenants",
        undefined,
        await token({ scope: "admin", tenant: undefined as never }),
      )
    ).status,
  ).toBe(200);
  expectError(
    await server.query("acme", "SELECT 1", [], await token({ clock: () => Date.now() - 7_200_000 })),
    "UNAUTHENTICATED",
  );
  expectError(
    await server.query("acme", "SELECT 1", [], await token({ key: await generateSigningKey() })),
    "UNAUTHENTICATED",
  );

  const { incarnation } = (await server.tenantry.catalog.get(acme))!;
  const bound = await token({ incarnation });
  expect((await server.query("acme", "SELECT 1", [], bound)).status).toBe(200);
  await server.tenantry.lifecycle.delete(acme);
  await server.tenantry.lifecycle.create(acme);
  expectError(await server.query("acme", "SELECT 1", [], bound), "TENANT_NOT_FOUND");
  expect((await server.query("acme", "SELECT 1", [], read)).status).toBe(200);
});
