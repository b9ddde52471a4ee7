// Owns what callers meet whose request is wrong before any SQL of it is read: bodies, types, paths, methods.
// Whom they are taken for is http-access.test.ts's.
import { request } from "node:http";
import { expect, test } from "vitest";
import { createTenantry } from "../src/tenantry.ts";
import { isTenantryError } from "../src/tenantry-error.ts";
import { type Answer, expectError, runningServer, type RunningTestServer } from "./support/running-server.ts";
import { tempFolder } from "./support/temp-folder.ts";

/** A request that fetch would not send as it is. */
async function rawRequest(server: RunningTestServer, head: string, ...headers: string[]): Promise<Answer> {
  const all = [head, ...headers, "Connection: close", "", ""].join("\r\n");
  const text = await server.raw(all);
  const [top = "", ...rest] = text.split("\r\n\r\n");
  const fields = top
    .split("\r\n")
    .slice(1)
    .map((line) => line.split(": ", 2) as [string, string]);
  const body = rest.join("\r\n\r\n");
  return {
    status: Number(top.split(" ")[1]),
    headers: new Headers(fields),
    text: body,
    body: body.startsWith("{") ? JSON.parse(body) : undefined,
  };
}

test("bodies that are no JSON, or not the JSON that is wanted", async () => {
  const server = await runningServer();
  for (const text of [
    "",
    "{",
    '{"sql":',
    "undefined",
    "{'sql':1}",
    '{"sql":"SELECT 1"}}',
    "[".repeat(1_000_000),
  ]) {
    expectError(await server.send("POST", "/t/acme/query", text), "INVALID_JSON");
  }
  for (const body of ["null", "1", '"SELECT 1"', [], {}, { sql: 1 }, { sql: ["SELECT 1"] }]) {
    expectError(await server.send("POST", "/t/acme/query", body), "INVALID_ARGUMENT");
  }
  expectError(
    await server.send("POST", "/t/acme/query", { sql: "SELECT 1", params: { a: 1 } }),
    "INVALID_ARGUMENT",
  );
  expectError(
    await server.send("POST", "/t/acme/query", { sql: "SELECT 1", parms: [] }),
    "INVALID_ARGUMENT",
    "parms",
  );
  expectError(
    await server.send("POST", "/t/acme/query", '{"sql":"SELECT 1","__proto__":{}}'),
    "INVALID_ARGUMENT",
  );
  await server.expectHealthy();
});

test("a body must say that it is JSON", async () => {
  const server = await runningServer();
  const body = JSON.stringify({ sql: "SELECT 1 AS one" });
  for (const type of [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/json",
    "",
  ]) {
    expectError(
      await server.send("POST", "/t/acme/query", body, { "content-type": type }),
      "UNSUPPORTED_MEDIA_TYPE",
    );
    expectError(
      await server.send("POST", "/admin/tenants", { id: "x" }, { "content-type": type }),
      "UNSUPPORTED_MEDIA_TYPE",
    );
  }
  for (const type of [
    "application/json",
    "application/json; charset=utf-8",
    "Application/JSON",
    "application/vnd.a+json",
  ]) {
    expect((await server.send("POST", "/t/acme/query", body, { "content-type": type })).status).toBe(200);
  }
  await server.expectHealthy();
});

test("a body of 50 MB is refused before it is read, with its length declared or in chunks", async () => {
  const server = await runningServer();
  const chunk = Buffer.alloc(1_000_000, " ");
  expectError(
    await server.send("POST", "/t/acme/query", " ".repeat(50_000_000)),
    "BODY_TOO_LARGE",
    "16777216",
  );
  for (const path of ["/t/acme/query", "/t/acme/batch", "/t/acme/rest/customers", "/admin/tenants"]) {
    let left = 50;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => (left-- > 0 ? controller.enqueue(chunk) : controller.close()),
    });
    const answer = await fetch(server.url + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
      duplex: "half",
    });
    expect(answer.status).toBe(413);
    expect(await answer.json()).toMatchObject({ code: "BODY_TOO_LARGE" });
  }
  await server.expectHealthy();
});

test("a body that never ends is answered, and its connection ended", async () => {
  const server = await runningServer();
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const upload = request(`${server.url}/t/acme/query`, {
      method: "POST",
      headers: { "content-type": "application/json" },
    });
    let answered: number | undefined;
    upload.on("response", (answer) => {
      answered = answer.statusCode;
      answer.resume();
    });
    upload.on("close", () => resolve(answered));
    upload.on("error", () => (answered === undefined ? reject(new Error("no answer")) : undefined));
    const pump = (): void => {
      while (!upload.destroyed && upload.write(Buffer.alloc(256 * 1024, " ")));
      if (!upload.destroyed) upload.once("drain", pump);
    };
    pump();
  });
  expect(status).toBe(413);
  await server.expectHealthy();
});

test("what nothing answers is 404, a wrong method 405 with Allow", async () => {
  const server = await runningServer();
  for (const path of [
    "/",
    "/nope",
    "/t",
    "/t/",
    "/t/acme",
    "/t/acme/",
    "/t/acme/nope",
    "/t/acme/query/x",
    "/admin",
    "/admin/nope",
    "/healthz/x",
    "//t/acme/schema",
    "/t//acme/schema",
    "/T/acme/schema",
  ]) {
    expectError(await server.send("GET", path), "NOT_FOUND");
  }
  const allowed: [string, string, string][] = [
    ["GET", "/t/acme/query", "POST"],
    ["DELETE", "/t/acme/batch", "POST"],
    ["POST", "/t/acme/schema", "GET, HEAD"],
    ["OPTIONS", "/t/acme/query", "POST"],
    ["PUT", "/admin/tenants", "GET, HEAD, POST"],
    ["PUT", "/admin/tenants/acme", "GET, HEAD, PATCH, DELETE"],
    ["GET", "/admin/tenants/acme/suspend", "POST"],
    ["POST", "/admin/tenants/acme/export", "GET, HEAD"],
    ["POST", "/healthz", "GET, HEAD"],
    ["DELETE", "/metrics", "GET, HEAD"],
  ];
  for (const [method, path, allow] of allowed) {
    const answer = await server.send(method, path);
    expectError(answer, "METHOD_NOT_ALLOWED");
    expect(answer.headers.get("allow"), `${method} ${path}`).toBe(allow);
  }
  for (const path of [
    "/t/acme/schema",
    "/t/acme/rest/customers",
    "/admin/tenants",
    "/healthz",
    "/metrics",
    "/openapi.json",
  ]) {
    const head = await server.send("HEAD", path);
    expect(head.status, path).toBe(200);
    expect(head.text).toBe("");
  }
  await server.expectHealthy();
});

test("a tenant's name is written as it is: what is encoded, climbs or is reserved is no name", async () => {
  const server = await runningServer();
  for (const path of [
    "/t/%61cme/schema",
    "/t/acme%2f/schema",
    "/t/..%2fadmin/schema",
    "/t/acme%00/schema",
    "/t/ACME/schema",
    "/t/a%20b/schema",
    "/t/.acme/schema",
    "/t/acme./schema",
    "/t/con/schema",
    "/t/v2/pipeline",
    `/t/${"a".repeat(64)}/schema`,
    `/t/${"a".repeat(8_000)}/schema`,
    "/t/acme;x/schema",
    "/t/аcme/schema",
    "/%74/acme/schema",
  ]) {
    expectError(await server.send("GET", path), "INVALID_TENANT_ID");
  }
  for (const name of ["../acme", "acme/../globex", "", " ", "ACME", "acme, globex", "%61cme"]) {
    expectError(await server.send("GET", "/schema", undefined, { "x-tenant-id": name }), "INVALID_TENANT_ID");
  }
  for (const id of ["..", "a/b", "a\\b", "a\0b", "", "admin ", "Acme", "-a", "a".repeat(64), "com1"]) {
    expectError(await server.send("POST", "/admin/tenants", { id }), "INVALID_TENANT_ID");
  }
  await server.expectHealthy();
});

test("a path that climbs is what the client should have sent: it ends where it says, for routes and tenant alike", async () => {
  const server = await runningServer({ tenants: ["acme", "globex"] });
  const host = "Host: localhost";
  expectError(
    await rawRequest(server, "GET /t/acme/../nobody/schema HTTP/1.1", host),
    "TENANT_NOT_FOUND",
    "nobody",
  );
  expectError(
    await rawRequest(server, "GET /t/acme/%2e%2e/nobody/schema HTTP/1.1", host),
    "TENANT_NOT_FOUND",
    "nobody",
  );
  expectError(await rawRequest(server, "GET /t/acme/../../etc/passwd HTTP/1.1", host), "NOT_FOUND");
  expectError(
    await rawRequest(server, "GET /t\\acme/schema HTTP/1.1", host),
    "INVALID_ARGUMENT",
    /Backslash/,
  );
  expectError(
    await rawRequest(server, "GET http://evil.example/t/nobody/schema HTTP/1.1", host),
    "TENANT_NOT_FOUND",
  );
  expect((await rawRequest(server, "GET /healthz HTTP/1.0")).status).toBe(200);
  expect((await rawRequest(server, "GET /healthz HTTP/1.1")).status).toBe(400);
  await server.expectHealthy();
});

test("path, header and token name one tenant, or the answer is 400", async () => {
  const server = await runningServer({ tenants: ["acme", "globex"] });
  const body = { sql: "SELECT 1 AS one" };
  expectError(
    await server.send("POST", "/t/acme/query", body, { "x-tenant-id": "globex" }),
    "TENANT_MISMATCH",
  );
  expectError(
    await server.send("GET", "/schema", undefined, { "x-tenant-id": "acme", "x-namespace": "globex" }),
    "TENANT_MISMATCH",
  );
  expect((await server.send("POST", "/t/acme/query", body, { "x-tenant-id": "acme" })).status).toBe(200);
  expect((await server.send("POST", "/query", body, { "x-tenant-id": "globex" })).status).toBe(200);
  expectError(await server.send("POST", "/query", body), "TENANT_REQUIRED");
  expectError(await server.send("GET", "/rest/customers"), "TENANT_REQUIRED");
  await server.expectHealthy();
});

test("hosts name tenants: sub-domains of a base domain, and aliases", async () => {
  const server = await runningServer({
    tenants: ["acme", "globex", "with_underscore"],
    app: { baseDomains: ["localhost"], exceptHosts: ["www.localhost"] },
  });
  const schema = (host: string, path = "/schema"): Promise<Answer> =>
    rawRequest(server, `GET ${path} HTTP/1.1`, `Host: ${host}`);
  expect((await schema("acme.localhost")).status).toBe(200);
  expect((await schema(`ACME.localhost:${server.port}`)).status).toBe(200);
  expect((await schema("acme.localhost.")).status).toBe(200);
  expectError(await schema("nobody.localhost"), "TENANT_NOT_FOUND");
  expectError(await schema("with_underscore.localhost"), "INVALID_TENANT_ID");
  expectError(await schema("localhost"), "TENANT_REQUIRED");
  expectError(await schema("www.localhost"), "TENANT_REQUIRED");
  expectError(await schema("acme.localhost", "/t/globex/schema"), "TENANT_MISMATCH");
  expect((await schema("acme.localhost", "/t/acme/schema")).status).toBe(200);
  await server.expectHealthy();
});

test("the options of an application are checked", async () => {
  await using tenantry = await createTenantry({ data: await tempFolder() });
  const refused = (options: object): unknown => {
    try {
      tenantry.app(options);
      return undefined;
    } catch (error) {
      return isTenantryError(error, "INVALID_OPTION") ? `${error.message} ${error.hint}` : error;
    }
  };
  expect(refused({ maxRow: 1 })).toContain('"maxRows"');
  expect(refused({ maxRows: 0 })).toContain("maxRows");
  expect(refused({ maxInFlight: Number.NaN })).toContain("maxInFlight");
  expect(refused({ corsOrigins: ["*"] })).toContain("corsOrigins");
  expect(refused({ corsOrigins: ["https://app.example.com/"] })).toContain("origin");
  expect(refused({ baseDomains: ["https://example.com"] })).toContain("baseDomains");
  expect(refused({ maxImportBytes: -1 })).toContain("maxImportBytes");
  expect(refused({})).toBe(undefined);
});
