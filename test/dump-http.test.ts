// Holds: `GET …/dump` gives a reader the database as fast as it takes it, to nobody else, and lets go of the tenant
// when it ends, is left, or is stopped; in the server's process and through executors.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, test, vi } from "vitest";
import { createApiKey } from "../src/auth/api-key.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { expectError, runningServer, type RunningTestServer } from "./support/running-server.ts";
import { tempFolder } from "./support/temp-folder.ts";

const acme = parseTenantId("acme");
const FILL = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
  INSERT INTO customers (name) SELECT hex(randomblob(500)) FROM n`;

async function restored(text: string): Promise<Database.Database> {
  const sqlite = new Database(join(await tempFolder(), "restored.db"));
  sqlite.unsafeMode(true);
  sqlite.exec(text);
  return sqlite;
}

/** Asks for a dump, and reads none of it. */
async function unread(server: RunningTestServer): Promise<Socket> {
  const socket = connect(server.port, "127.0.0.1").on("error", () => {});
  socket.write("GET /t/acme/dump HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await once(socket, "readable");
  return socket;
}

describe.each([
  ["in the server's process", undefined],
  ["in an executor", { executors: 1 }],
])("%s", (_, executors) => {
  const serve = async (): Promise<RunningTestServer> => {
    const server = await runningServer({ ...(executors && { executors }) });
    expect((await server.query("acme", FILL)).status).toBe(200);
    return server;
  };

  test("all of the tenant comes, however it is named, and is a database again", async () => {
    const server = await serve();
    const answer = await server.send("GET", "/t/acme/dump");
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("application/sql; charset=utf-8");
    expect(answer.headers.get("content-disposition")).toBe('attachment; filename="acme.sql"');
    const sqlite = await restored(answer.text);
    const { body } = await server.query(
      "acme",
      "SELECT count(*) AS n, sum(unicode(name)) AS s FROM customers",
    );
    expect(sqlite.prepare("SELECT count(*) AS n, sum(unicode(name)) AS s FROM customers").get()).toEqual(
      body.results[0],
    );
    expect(sqlite.prepare("SELECT name FROM d1_migrations").pluck().all()).toEqual(["0001_init.sql"]);
    sqlite.close();
    expect((await server.send("GET", "/dump", undefined, { "x-namespace": "acme" })).text).toBe(answer.text);
    const head = await server.send("HEAD", "/t/acme/dump");
    expect([head.status, head.headers.get("content-type"), head.text]).toEqual([
      200,
      answer.headers.get("content-type"),
      "",
    ]);
    expectError(await server.send("POST", "/t/acme/dump", {}), "METHOD_NOT_ALLOWED");
    expectError(await server.send("GET", "/t/nobody/dump"), "TENANT_NOT_FOUND");
    expectError(await server.send("GET", "/dump"), "TENANT_REQUIRED");
    await server.expectHealthy();
  });

  test("one that nobody reads stops at what is on its way, keeps no writer out, and ends when it is left", async () => {
    const server = await serve();
    const sockets = [await unread(server), await unread(server)];
    expectError(await server.send("GET", "/t/acme/dump"), "TOO_MANY_REQUESTS");
    expect((await server.query("acme", "DELETE FROM customers WHERE id % 2 = 0")).status).toBe(200);
    for (const socket of sockets) socket.destroy();
    await vi.waitFor(async () => expect((await server.send("GET", "/t/acme/dump")).status).toBe(200), {
      timeout: 10_000,
    });
    await server.expectHealthy();
  });

  test("a suspension ends it, and its reader is told that this is not all", async () => {
    const server = await serve();
    const socket = await unread(server);
    await server.tenantry.lifecycle.suspend(acme);
    let text = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => (text += chunk));
    await once(socket, "close");
    expect(text).toContain("BEGIN TRANSACTION;");
    expect(text).not.toContain("COMMIT;");
    expect(text.endsWith("0\r\n\r\n")).toBe(false);
    expectError(await server.send("GET", "/t/acme/dump"), "TENANT_SUSPENDED");
  });

  test("blocked tenants are not dumped where nothing may be read, and a block ends what is under way", async () => {
    const server = await serve();
    await server.tenantry.lifecycle.configure(acme, { blocked: "writes" });
    expect((await server.send("GET", "/t/acme/dump")).status).toBe(200);
    const socket = await unread(server);
    await server.tenantry.lifecycle.configure(acme, { blocked: "all" });
    expectError(await server.send("GET", "/t/acme/dump"), "TENANT_BLOCKED");
    socket.resume();
    await once(socket, "close");
    await server.tenantry.lifecycle.configure(acme, { blocked: null });
    await server.expectHealthy();
  });
});

test("whoever may read a tenant may dump it, and nobody else", async () => {
  const server = await runningServer({ tenants: ["acme", "globex"] });
  const keys = new Map<string, Record<string, string>>();
  for (const tenant of ["acme", "globex"]) {
    const { secret, hash } = await createApiKey();
    await server.tenantry.catalog.addKey({ hash, tenant: parseTenantId(tenant), scope: "read" });
    keys.set(tenant, { authorization: `Bearer ${secret}` });
  }
  expect((await server.send("GET", "/t/acme/dump", undefined, keys.get("acme"))).status).toBe(200);
  expect((await server.send("GET", "/dump", undefined, keys.get("acme"))).status).toBe(200);
  expectError(await server.send("GET", "/t/acme/dump", undefined, keys.get("globex")), "TENANT_NOT_FOUND");
  expectError(await server.send("GET", "/t/acme/dump"), "UNAUTHENTICATED");
});
