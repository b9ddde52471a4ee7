// Holds: a tenant's own key is good for that tenant alone, whatever its tokens say and however the tenant is named,
// from the moment that it is set until the moment that it is not.
import { createClient } from "@libsql/client";
import { SignJWT } from "jose";
import { describe, expect, onTestFinished, test } from "vitest";
import { createApiKey } from "../src/auth/api-key.ts";
import { exportSigningKey, generateSigningKey, type SigningKey } from "../src/auth/signing-key.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { CLOSE, execute, HranaRequests } from "./support/hrana-requests.ts";
import { runningServer, type RunningTestServer } from "./support/running-server.ts";

const HOUR = Math.floor(Date.now() / 1000) + 3600;
const serverKey = await generateSigningKey();
const acmeKey = await generateSigningKey();
const globexKey = await generateSigningKey();
const raw = async (key: SigningKey): Promise<string> => (await exportSigningKey(key)).raw;

const sign = (claims: object, key: SigningKey = acmeKey): Promise<string> =>
  new SignJWT({ exp: HOUR, ...claims }).setProtectedHeader({ alg: "EdDSA" }).sign(key.privateKey);
const bearer = async (claims: object, key?: SigningKey): Promise<Record<string, string>> => ({
  authorization: `Bearer ${await sign(claims, key)}`,
});

/** What Hrana says to a read, a write and a change of the schema, or to the request as a whole. */
async function rights(
  server: RunningTestServer,
  headers: Record<string, string>,
  tenant = "acme",
): Promise<string> {
  const requests = [
    execute("SELECT 1"),
    execute("INSERT INTO customers (name) VALUES ('a') RETURNING id"),
    execute("CREATE TABLE IF NOT EXISTS made (a)"),
    CLOSE,
  ];
  const answer = await new HranaRequests(server, tenant, headers).post("/v2/pipeline", {
    baton: null,
    requests,
  });
  if (answer.status !== 200) return `${answer.status} ${answer.body.code}`;
  const results = answer.body.results as { type: string; error?: { code: string } }[];
  return results
    .slice(0, 3)
    .map((one) => one.error?.code ?? one.type)
    .join(" ");
}

const READ = "ok BLOCKED BLOCKED";
const WRITE = "ok ok BLOCKED";
const ALL = "ok ok ok";
const INVALID = "401 AUTH_JWT_INVALID";

async function serve(options: object = { publicKeys: [serverKey] }): Promise<RunningTestServer> {
  const server = await runningServer({ tenants: [], app: options });
  for (const id of ["acme", "globex", "initech"]) await server.tenantry.lifecycle.create(parseTenantId(id));
  await server.tenantry.lifecycle.configure(parseTenantId("acme"), { jwtKey: await raw(acmeKey) });
  const { publicKey } = await exportSigningKey(globexKey);
  await server.tenantry.lifecycle.configure(parseTenantId("globex"), { jwtKey: publicKey });
  return server;
}

describe("a tenant's own key", () => {
  test("gives what sqld's claims say, over its tenant", async () => {
    const server = await serve();
    const said: [object, string][] = [
      [{ a: "ro" }, READ],
      [{ a: "roa" }, READ],
      [{ a: "rw" }, WRITE],
      [{ id: "acme" }, WRITE],
      [{ id: "acme", a: "ro" }, READ],
      [{ p: { ro: { ns: ["acme"] } } }, READ],
      [{ p: { roa: { ns: ["acme", "globex"], tags: ["x"] } } }, READ],
      [{ p: { rw: { ns: ["globex", "acme"] } } }, WRITE],
      [{ p: { rwa: { ns: ["acme"] }, ro: null } }, WRITE],
      [{ p: { rw: { ns: ["acme"] }, ddl: { ns: ["acme"] } } }, ALL],
      [{ tenantry: "schema" }, ALL],
      // never more than over its tenant
      [{ tenantry: "admin" }, ALL],
      // with p, id and a do not count
      [{ id: "acme", a: "rw", p: { ro: { ns: ["acme"] } } }, READ],
      [{ id: "acme", a: "rw", p: { rw: { tags: ["acme"] } } }, INVALID],
      [{ id: "globex", a: "rw" }, INVALID],
      [{ p: { rw: { ns: ["globex"] } } }, INVALID],
      [{ p: { rw: { ns: "acme" } } }, INVALID],
      [{ id: "acme", a: "all" }, INVALID],
      [{}, INVALID],
      [{ a: "rw", exp: 1 }, "401 AUTH_JWT_EXPIRED"],
      [{ a: "rw", nbf: HOUR }, INVALID],
    ];
    for (const [claims, expected] of said) {
      const headers = await bearer(claims);
      expect(await rights(server, headers), JSON.stringify(claims)).toBe(expected);
      // and when it is remembered
      expect(await rights(server, headers), JSON.stringify(claims)).toBe(expected);
    }
    expect(await rights(server, {})).toBe("401 AUTH_JWT_MISSING");
  });

  test("is good for no other tenant, and for no administration", async () => {
    const server = await serve();
    for (const claims of [
      { a: "rw" },
      { tenantry: "admin" },
      { p: { rw: { ns: ["acme", "globex", "initech"] } } },
    ]) {
      const headers = await bearer(claims);
      for (const tenant of ["globex", "initech", "nobody"]) {
        expect(await rights(server, headers, tenant)).toMatch(
          /^(?:401 AUTH_JWT_INVALID|404 TENANT_NOT_FOUND)$/,
        );
      }
      expect(await rights(server, headers)).toMatch(/^ok ok/);
      for (const tenant of ["globex", "initech", "nobody"]) {
        expect(await rights(server, headers, tenant)).toMatch(
          /^(?:401 AUTH_JWT_INVALID|404 TENANT_NOT_FOUND)$/,
        );
      }
      for (const path of ["/admin/tenants", "/admin/tenants/acme", "/admin/keys", "/metrics"]) {
        expect((await server.send("GET", path, undefined, headers)).status).toBe(401);
      }
      expect((await server.send("PATCH", "/admin/tenants/acme", { maxBytes: 1 }, headers)).status).toBe(401);
    }
    expect(await rights(server, await bearer({ id: "acme", a: "rw" }, globexKey))).toBe(INVALID);
    expect(await rights(server, await bearer({ a: "rw" }, globexKey), "globex")).toBe(WRITE);
  });

  test("leaves the server's keys as they are", async () => {
    const server = await serve();
    expect(await rights(server, await bearer({ a: "rw" }, serverKey))).toBe(WRITE);
    expect(await rights(server, await bearer({ id: "globex", a: "ro" }, serverKey), "globex")).toBe(READ);
    const { secret, hash } = await createApiKey();
    await server.tenantry.catalog.addKey({ hash, tenant: parseTenantId("acme"), scope: "schema" });
    expect(await rights(server, { authorization: `Bearer ${secret}` })).toBe(ALL);
  });

  test("counts however the tenant is named, by the token's claim alone as well", async () => {
    const server = await serve();
    const read = (path: string, headers: Record<string, string>) =>
      server.send("GET", path, undefined, headers);
    const named = await bearer({ id: "acme", a: "ro" });
    const unnamed = await bearer({ a: "ro" });
    for (let again = 0; again < 2; again++) {
      expect((await read("/t/acme/rest/customers", unnamed)).status).toBe(200);
      expect((await read("/rest/customers", { ...unnamed, "x-namespace": "acme" })).status).toBe(200);
      expect((await read("/rest/customers", named)).status).toBe(200);
      expect((await read("/rest/customers", { ...named, "x-namespace": "globex" })).status).toBe(401);
    }
    expect((await read("/rest/customers", await bearer({ p: { ro: { ns: ["acme"] } } }))).status).toBe(200);
    expect((await read("/rest/customers", await bearer({ a: "rw" }))).status).toBe(401);
  });

  test("counts over a WebSocket as well", async () => {
    const server = await serve();
    const client = async (tenant: string, claims: object, key?: SigningKey) => {
      const url = `${server.url.replace("http", "ws")}/t/${tenant}`;
      const made = createClient({ url, authToken: await sign(claims, key) });
      onTestFinished(() => made.close());
      return made;
    };
    const INSERT = "INSERT INTO customers (name) VALUES ('a') RETURNING id";
    const reader = await client("acme", { a: "ro" });
    expect((await reader.execute("SELECT 1 AS one")).rows[0]?.["one"]).toBe(1);
    await expect(reader.execute(INSERT)).rejects.toMatchObject({ code: "BLOCKED" });
    expect((await (await client("acme", { id: "acme" })).execute(INSERT)).rows).toHaveLength(1);
    for (const [tenant, claims, key] of [
      ["globex", { a: "rw" }, acmeKey],
      ["acme", { id: "acme" }, globexKey],
      ["acme", { a: "rw", exp: 1 }, acmeKey],
    ] as const) {
      await expect((await client(tenant, claims, key)).execute("SELECT 1")).rejects.toThrow();
    }
  });

  test("ends at once when it is changed or taken away, and with its tenant", async () => {
    const server = await serve();
    const { lifecycle } = server.tenantry;
    const acme = parseTenantId("acme");
    const headers = await bearer({ a: "rw" });
    expect(await rights(server, headers)).toBe(WRITE);
    await lifecycle.configure(acme, { jwtKey: await raw(globexKey) });
    expect(await rights(server, headers)).toBe(INVALID);
    expect(await rights(server, await bearer({ a: "ro" }, globexKey))).toBe(READ);
    await lifecycle.configure(acme, { jwtKey: await raw(acmeKey) });
    expect(await rights(server, headers)).toBe(WRITE);
    await lifecycle.delete(acme);
    await lifecycle.create(acme);
    expect(await rights(server, headers)).toBe(INVALID);
  });

  test("tells a stranger nothing of which tenants have one", async () => {
    const server = await serve();
    const headers = await bearer({ a: "rw" }, await generateSigningKey());
    const answers = await Promise.all(
      ["acme", "initech", "nobody"].map((tenant) =>
        server.send("GET", `/t/${tenant}/rest/customers`, undefined, headers),
      ),
    );
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    // nor which hosts: two names that disagree are told apart only to whoever is known
    const mismatch = { ...headers, "x-namespace": "globex" };
    const answer = await server.send("GET", "/t/acme/rest/customers", undefined, mismatch);
    expect(answer.text).toBe(answers[0]?.text);
  });
});

test("an open server asks for the token of a tenant that has a key, and stays open otherwise", async () => {
  const server = await serve({});
  expect(await rights(server, {})).toBe("401 AUTH_JWT_MISSING");
  expect(await rights(server, await bearer({ a: "ro" }))).toBe(READ);
  expect(await rights(server, await bearer({ a: "rw" }, globexKey))).toBe(INVALID);
  expect(await rights(server, {}, "initech")).toBe(ALL);
  expect((await server.send("GET", "/admin/tenants/acme")).body.jwtKey).toBe(await raw(acmeKey));
});
