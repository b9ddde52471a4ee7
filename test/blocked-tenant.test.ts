// Holds: a blocked tenant takes no writes, or nothing, on every way to it, in this process and in executors, from the
// next statement on; and its operator still can.
import { createClient } from "@libsql/client";
import { describe, expect, test } from "vitest";
import { parseTenantId } from "../src/tenant-id.ts";
import { CLOSE, execute, HranaRequests } from "./support/hrana-requests.ts";
import { type Answer, expectError, runningServer, type RunningTestServer } from "./support/running-server.ts";

const acme = parseTenantId("acme");
const INSERT = "INSERT INTO customers (name) VALUES ('a')";
const COUNT = "SELECT count(*) AS n FROM customers";

const set = async (server: RunningTestServer, settings: object): Promise<void> => {
  const answer = await server.send("PATCH", "/admin/tenants/acme", settings);
  expect(answer.body).toMatchObject(settings);
};

describe.each([
  ["in the server's process", undefined],
  ["in an executor", { executors: 1 }],
])("%s", (_, executors) => {
  const serve = (): Promise<RunningTestServer> =>
    runningServer({ ...(executors && { executors }), tenants: ["acme", "globex"] });

  test("no route writes to a tenant that takes no writes, and all of them read", async () => {
    const server = await serve();
    await server.query("acme", INSERT);
    await set(server, { blocked: "writes", blockReason: "unpaid" });
    const writes = (): Promise<Answer[]> =>
      Promise.all([
        server.query("acme", INSERT),
        server.query("acme", `${INSERT} RETURNING id`),
        server.query("acme", INSERT, [], { "idempotency-key": "once" }),
        server.query("acme", "CREATE TABLE made (a)"),
        server.send("POST", "/t/acme/batch", [{ sql: COUNT }, { sql: INSERT }]),
        server.send("POST", "/t/acme/rest/customers", { name: "a" }),
        server.send("PATCH", "/t/acme/rest/customers?id=eq.1", { name: "b" }),
        server.send("DELETE", "/t/acme/rest/customers?id=eq.1"),
      ]);
    for (const answer of await writes()) expectError(answer, "TENANT_BLOCKED", /takes no writes: unpaid/);
    expect((await server.query("acme", COUNT)).body.results).toEqual([{ n: 1 }]);
    expect((await server.send("GET", "/t/acme/rest/customers?select=name")).body).toEqual([{ name: "a" }]);
    expect((await server.send("GET", "/t/acme/schema")).status).toBe(200);
    expect((await server.query("globex", INSERT)).status).toBe(200);

    await set(server, { blocked: "all", blockReason: null });
    for (const answer of [
      ...(await writes()),
      await server.query("acme", COUNT),
      await server.send("GET", "/t/acme/rest/customers"),
      await server.send("GET", "/t/acme/schema"),
    ]) {
      expectError(answer, "TENANT_BLOCKED", /is blocked\.|is blocked$/);
    }
    expect((await server.send("GET", "/admin/tenants/acme/export")).status).toBe(200);
    await set(server, { blocked: null });
    expect((await server.query("acme", INSERT)).status).toBe(200);
    const { body } = await server.send("GET", "/admin/audit?tenant=acme");
    expect(body.entries[0]).toMatchObject({ action: "tenant.update", detail: { blocked: null } });
    await server.expectHealthy();
  });

  test("Hrana is told libSQL's code and reason, and a transaction that was open can end", async () => {
    const server = await serve();
    const hrana = new HranaRequests(server);
    const { baton } = await hrana.pipeline(null, execute("BEGIN"), execute(INSERT));
    await set(server, { blocked: "writes", blockReason: "unpaid" });
    const { results } = await hrana.pipeline(
      baton,
      execute(INSERT),
      execute(COUNT),
      execute("COMMIT"),
      execute("BEGIN IMMEDIATE"),
      { type: "sequence", sql: `SELECT 1; ${INSERT}` },
      { type: "batch", batch: { steps: [{ stmt: { sql: INSERT } }, { stmt: { sql: COUNT } }] } },
      execute("BEGIN"),
      execute(COUNT),
      execute("ROLLBACK"),
      CLOSE,
    );
    const blocked = { code: "BLOCKED", message: "Operation was blocked: unpaid" };
    expect(results.map((one) => one.error ?? one.response.type)).toEqual([
      blocked,
      "execute",
      "execute",
      blocked,
      blocked,
      "batch",
      "execute",
      "execute",
      "execute",
      "close",
    ]);
    expect(results[5].response.result.step_errors).toEqual([blocked, null]);
    await set(server, { blocked: "all", blockReason: null });
    for (const sql of [COUNT, INSERT, "BEGIN", "PRAGMA table_info(customers)"]) {
      expect(await hrana.one(execute(sql))).toEqual({ code: "BLOCKED", message: "Operation was blocked" });
    }
    expect(await hrana.one({ type: "describe", sql: COUNT })).toMatchObject({ code: "BLOCKED" });
    const entries = await hrana.cursor(null, { stmt: { sql: COUNT } }, { stmt: { sql: INSERT } });
    expect(entries.slice(1).map(({ type, error }) => `${type} ${error?.code}`)).toEqual([
      "step_error BLOCKED",
      "step_error BLOCKED",
    ]);
    const socket = createClient({ url: `${server.url.replace("http", "ws")}/t/acme` });
    await expect(socket.execute(COUNT)).rejects.toMatchObject({ code: "BLOCKED" });
    await set(server, { blocked: "writes", blockReason: "unpaid" });
    await expect(socket.execute(INSERT)).rejects.toMatchObject({
      code: "BLOCKED",
      message: /blocked: unpaid$/,
    });
    expect((await socket.execute(COUNT)).rows[0]?.["n"]).toBe(1);
    socket.close();
    await set(server, { blocked: null });
    expect((await hrana.value(COUNT)).value).toBe("1");
  });

  test("in code, statements, batches, transactions and jobs are blocked", async () => {
    const { tenantry } = await serve();
    const db = tenantry.database("acme");
    await db.prepare(INSERT).run();
    await tenantry.lifecycle.configure(acme, { blocked: "writes" });
    const code = { code: "TENANT_BLOCKED" };
    await expect(db.prepare(INSERT).run()).rejects.toMatchObject(code);
    await expect(db.batch([db.prepare(INSERT)])).rejects.toMatchObject(code);
    await expect(db.exec(INSERT)).rejects.toMatchObject(code);
    await expect(db.transaction("write", async (tx) => tx.prepare(INSERT).run())).rejects.toMatchObject(code);
    expect(await db.transaction("read", (tx) => tx.prepare(COUNT).first("n"))).toBe(1);
    expect(await tenantry.run("acme", (job) => job.prepare(COUNT).first("n"))).toBe(1);
    await expect(tenantry.withSqlite("acme", (sqlite) => sqlite.exec(INSERT))).rejects.toThrow(/readonly/);
    expect(await tenantry.withSqlite("acme", (sqlite) => sqlite.prepare(COUNT).pluck().get())).toBe(1);
    await tenantry.lifecycle.configure(acme, { blocked: null });
    const blockedInside = db.transaction("write", async (tx) => {
      await tx.prepare(INSERT).run();
      await tenantry.lifecycle.configure(acme, { blocked: "writes" });
      expect(await tx.prepare(COUNT).first("n")).toBe(2);
      await tx.prepare(INSERT).run();
    });
    await expect(blockedInside).rejects.toMatchObject(code);
    await tenantry.lifecycle.configure(acme, { blocked: "all" });
    await expect(db.prepare(COUNT).first()).rejects.toMatchObject(code);
    await expect(tenantry.withSqlite("acme", () => 1)).rejects.toMatchObject(code);
    await tenantry.lifecycle.configure(acme, { blocked: null });
    await db.prepare(INSERT).run();
    await tenantry.withSqlite("acme", (sqlite) => sqlite.exec(INSERT));
    expect(await db.prepare(COUNT).first("n")).toBe(3);
  });

  test("a tenant grows up to its own limit, and on when the limit is raised", async () => {
    const server = await serve();
    const fill = (): Promise<Answer> =>
      server.query("acme", "INSERT INTO customers (name) VALUES (hex(randomblob(30000)))");
    await set(server, { maxBytes: 200_000 });
    let answer = await fill();
    for (let n = 0; n < 10 && answer.status === 200; n++) answer = await fill();
    expectError(answer, "DATABASE_FULL");
    const hrana = new HranaRequests(server);
    const full = await hrana.one({
      type: "sequence",
      sql: "INSERT INTO customers (name) VALUES (hex(randomblob(90000)))",
    });
    expect(full.code).toBe("SQLITE_FULL");
    expect((await server.query("acme", COUNT)).status).toBe(200);
    await set(server, { maxBytes: null });
    expect((await fill()).status).toBe(200);
    expect(
      (await hrana.one(execute("INSERT INTO customers (name) VALUES (hex(randomblob(90000)))"))).type,
    ).toBe("execute");
  });
});

test("a transaction ends at its tenant's own time limit", async () => {
  const server = await runningServer();
  await set(server, { transactionTimeoutMs: 50 });
  const { baton } = await new HranaRequests(server).pipeline(null, execute("BEGIN IMMEDIATE"));
  const other = await server.query("acme", INSERT);
  expect(other.status).toBe(200);
  const { results } = await new HranaRequests(server).pipeline(baton, execute("COMMIT"), CLOSE);
  expect(results[0].error.code).toBe("TRANSACTION_TIMEOUT");
});

test("settings that make no sense are refused, and those that are left out stay", async () => {
  const server = await runningServer();
  const patch = (body: unknown): Promise<Answer> => server.send("PATCH", "/admin/tenants/acme", body);
  for (const bad of [
    {},
    { blocked: "reads" },
    { maxBytes: 0 },
    { maxBytes: 1.5 },
    { transactionTimeoutMs: -1 },
    { blockReason: "x".repeat(501) },
    { jwtKey: "" },
    { jwtKey: "none" },
    { jwtKey: "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIIniNhvUZd0=\n-----END PRIVATE KEY-----" },
    { maxSize: 1 },
  ]) {
    expectError(await patch(bad), "INVALID_ARGUMENT");
  }
  await set(server, { blocked: "writes", blockReason: "unpaid", maxBytes: 1_000_000 });
  await set(server, { statementTimeoutMs: 100 });
  const { body } = await server.send("GET", "/admin/tenants/acme");
  expect(body).toMatchObject({
    blocked: "writes",
    blockReason: "unpaid",
    maxBytes: 1_000_000,
    statementTimeoutMs: 100,
  });
  await server.send("DELETE", "/admin/tenants/acme");
  expect((await server.send("POST", "/admin/tenants", { id: "acme" })).body).toMatchObject({
    blocked: null,
    blockReason: null,
    maxBytes: null,
    statementTimeoutMs: null,
  });
});
