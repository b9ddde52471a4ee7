// Work on whole databases, which may take minutes, beside requests that must not wait for it.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { parseTenantId } from "../src/tenant-id.ts";
import { busyFor, ENDLESS } from "./support/endless.ts";
import { expectError, runningServer, valueOf } from "./support/running-server.ts";

const PATIENT = { timeout: 20_000, interval: 50 };

test("a migration without end stops nobody, no time limit ends it, and closing does", async () => {
  const first = await runningServer({ tenants: ["acme", "globex"], executors: { executors: 1 } });
  await first.stop(1_000);
  await writeFile(join(first.data, "migrations", "0002_endless.sql"), `CREATE TABLE far AS ${ENDLESS};`);
  // What executors start with is the folder; that acme is behind is known from the catalog.
  const server = await runningServer({
    data: first.data,
    tenants: [],
    tenantry: { migrations: join(first.data, "migrations"), transactionTimeoutMs: 60_000 },
    executors: { executors: 1, statementTimeoutMs: 500 },
  });
  const migrated = server.send("POST", "/admin/tenants/acme/migrate").catch((error: unknown) => error);
  await vi.waitFor(async () => {
    const { body } = await server.send("GET", "/admin/tenants");
    expect(body.tenants).toHaveLength(2);
    const { text } = await server.send("GET", "/metrics");
    expect(text).toMatch(/tenantry_executor_chores 1/);
  }, PATIENT);
  for (const path of ["/healthz", "/readyz"]) expect((await server.send("GET", path)).status).toBe(200);
  const stop = server.stop(0);
  await expect(migrated).resolves.toBeDefined();
  await stop;
});

test("imports, exports, forks and migrations are done there, with the errors that they have here", async () => {
  const server = await runningServer({ executors: { executors: 1 } });
  await server.query("acme", "INSERT INTO customers (name) VALUES ('Ada')");
  const exported = join(server.data, "acme.db");
  await server.tenantry.lifecycle.exportFile(parseTenantId("acme"), exported);
  const copy = await server.tenantry.lifecycle.importFile(parseTenantId("copy"), exported);
  expect(copy).toMatchObject({ id: "copy", state: "active" });
  await server.tenantry.lifecycle.fork(parseTenantId("acme"), parseTenantId("fork"));
  for (const tenant of ["acme", "copy", "fork"]) {
    expect(valueOf(await server.query(tenant, "SELECT name FROM customers"))).toBe("Ada");
  }
  expect((await server.send("POST", "/admin/tenants/copy/migrate")).body).toMatchObject({ id: "copy" });
  expectError(await server.send("POST", "/admin/tenants/nobody/migrate"), "TENANT_NOT_FOUND");
  await expect(
    server.tenantry.lifecycle.fork(parseTenantId("acme"), parseTenantId("fork")),
  ).rejects.toMatchObject({ code: "TENANT_EXISTS", tenant: "fork" });
  const none = join(server.data, "none.db");
  await writeFile(none, "not a database");
  await expect(server.tenantry.lifecycle.importFile(parseTenantId("none"), none)).rejects.toMatchObject({
    code: "IMPORT_INVALID",
  });
  expect(valueOf(await server.query("acme", busyFor(10)))).toBe(10);
});

test("who had one done hears of it when the process is killed, and the next is done by another", async () => {
  const server = await runningServer({ executors: { executors: 1 } });
  const exported = join(server.data, "acme.db");
  await server.tenantry.lifecycle.exportFile(parseTenantId("acme"), exported);
  process.kill(server.pool!.stats().choresPid!, "SIGKILL");
  await vi.waitFor(async () => {
    const again = join(server.data, `acme-${crypto.randomUUID()}.db`);
    await server.tenantry.lifecycle.exportFile(parseTenantId("acme"), again);
  }, PATIENT);
});
