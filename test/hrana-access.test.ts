// Owns who reaches Hrana's routes and what they may do there: ways to name the tenant, probes, scopes, codes.
import { expect, test } from "vitest";
import { generateSigningKey } from "../src/auth/signing-key.ts";
import { issueToken } from "../src/auth/token.ts";
import { CLOSE, execute, HranaRequests, integer } from "./support/hrana-requests.ts";
import { runningServer } from "./support/running-server.ts";

const PIPELINE = { baton: null, requests: [execute("SELECT count(*) FROM customers"), CLOSE] };

test("versions are told to anybody, and Protobuf is none of them", async () => {
  const key = await generateSigningKey();
  const server = await runningServer({ tenants: [], app: { publicKeys: [key] } });
  for (const root of ["", "/t/acme", "/t/nobody"]) {
    for (const probe of ["/v2", "/v3", "/version"]) {
      expect((await server.send("GET", root + probe)).status).toBe(200);
    }
    for (const probe of ["/v3-protobuf", "/v3-protobuf/pipeline"]) {
      expect((await server.send("GET", root + probe)).status).toBe(404);
    }
    expect((await server.send("POST", `${root}/v3-protobuf/pipeline`, {})).status).toBe(404);
  }
});

test("a tenant is named by path, header, host or token", async () => {
  const server = await runningServer({ app: { baseDomains: ["example.localhost"] } });
  for (const [path, headers] of [
    ["/t/acme/v2/pipeline", {}],
    ["/t/acme/v3/pipeline", {}],
    ["/v2/pipeline", { "x-namespace": "acme" }],
    ["/v3/pipeline", { "x-tenant-id": "acme" }],
  ] as const) {
    const answer = await server.send("POST", path, PIPELINE, headers);
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body.results[0].response.result.rows).toEqual([[integer(0)]]);
  }
  const body = JSON.stringify(PIPELINE);
  const byHost = await server.raw(
    `POST /v3/pipeline HTTP/1.1\r\nHost: acme.example.localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
  );
  expect(byHost).toContain("200 OK");
  const none = await server.send("POST", "/v3/pipeline", PIPELINE);
  expect(none.status).toBe(400);
  expect(none.body).toMatchObject({ code: "TENANT_REQUIRED" });
});

test("a database URL without its slash is told of it", async () => {
  const server = await runningServer();
  const answer = await server.send("POST", "/t/v2/pipeline", PIPELINE);
  expect(answer.status).toBe(400);
  expect(answer.headers.get("content-type")).toBe("application/json");
  expect(answer.body).toMatchObject({ message: /End the database URL with a slash, as in \/t\/acme\// });
});

test("tokens read, write and change the schema as far as they say, with libSQL's codes for those that do not", async () => {
  const key = await generateSigningKey();
  const server = await runningServer({ tenants: [], app: { publicKeys: [key] } });
  const token = async (scope: "read" | "write" | "schema" | "admin", tenant?: string, more: object = {}) => ({
    authorization: `Bearer ${await issueToken({ scope, key, expiresInSeconds: 60, ...(tenant && { tenant }), ...more })}`,
  });
  await server.send("POST", "/admin/tenants", { id: "acme" }, await token("admin"));

  const bad = async (headers: Record<string, string>) => {
    const {
      status,
      headers: answered,
      body,
    } = await server.send("POST", "/t/acme/v2/pipeline", PIPELINE, headers);
    expect(answered.get("content-type")).toBe("application/json");
    return [status, body.code];
  };
  expect(await bad({})).toEqual([401, "AUTH_JWT_MISSING"]);
  expect(await bad({ authorization: "Bearer nonsense" })).toEqual([401, "AUTH_JWT_INVALID"]);
  expect(await bad(await token("read", "acme", { clock: () => Date.now() - 120_000 }))).toEqual([
    401,
    "AUTH_JWT_EXPIRED",
  ]);
  expect(await bad(await token("read", "globex"))).toEqual([404, "TENANT_NOT_FOUND"]);

  const codes = async (headers: Record<string, string>) => {
    const { results } = await new HranaRequests(server, "acme", headers).pipeline(
      null,
      execute("SELECT 1"),
      execute("INSERT INTO customers (name) VALUES ('a') RETURNING id"),
      execute("WITH x AS (SELECT 1) INSERT INTO customers (name) SELECT 'b' FROM x"),
      execute("CREATE TABLE made (a)"),
      execute("PRAGMA foreign_keys=off"),
      execute("BEGIN IMMEDIATE"),
      execute("ROLLBACK"),
      { type: "sequence", sql: "SELECT 1; DELETE FROM customers" },
      { type: "describe", sql: "DELETE FROM customers" },
      execute("BEGIN"),
      execute("SELECT count(*) FROM customers"),
      execute("COMMIT"),
      CLOSE,
    );
    return results.map(({ type, error }) => error?.code ?? type).join(" ");
  };
  expect(await codes(await token("read", "acme"))).toBe(
    "ok BLOCKED BLOCKED BLOCKED BLOCKED BLOCKED SQLITE_ERROR BLOCKED BLOCKED ok ok ok ok",
  );
  expect(await codes(await token("write", "acme"))).toBe("ok ok ok BLOCKED BLOCKED ok ok ok ok ok ok ok ok");
  expect(await codes(await token("schema", "acme"))).toBe("ok ok ok ok ok ok ok ok ok ok ok ok ok");
  // a token for one tenant names it
  const named = await server.send("POST", "/v3/pipeline", PIPELINE, await token("read", "acme"));
  expect(named.body.results[0].type).toBe("ok");
});

test("a stream's rights are those of each request's token", async () => {
  const key = await generateSigningKey();
  const server = await runningServer({ tenants: [], app: { publicKeys: [key] } });
  const hrana = async (scope: "read" | "admin") =>
    new HranaRequests(server, "acme", {
      authorization: `Bearer ${await issueToken({ scope, key, expiresInSeconds: 60 })}`,
    });
  const admin = await hrana("admin");
  await server.send(
    "POST",
    "/admin/tenants",
    { id: "acme" },
    {
      authorization: `Bearer ${await issueToken({ scope: "admin", key, expiresInSeconds: 60 })}`,
    },
  );
  const { baton } = await admin.pipeline(null, execute("BEGIN IMMEDIATE"));
  const { results } = await (
    await hrana("read")
  ).pipeline(baton, execute("INSERT INTO customers (name) VALUES ('a')"), CLOSE);
  expect(results[0].error.code).toBe("BLOCKED");
});
