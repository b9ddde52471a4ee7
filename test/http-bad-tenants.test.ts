// Owns what callers meet when a tenant cannot be served: not there, stopped, its file gone or broken, no room.
// Each with its code, its status and a hint, and the other tenants go on.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, open, rm, truncate, writeFile } from "node:fs/promises";
import { platform, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { expect, onTestFinished, test, vi } from "vitest";
import { migrationSet } from "../src/migrations/migration-set.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { expectError, runningServer, type RunningTestServer, SCHEMA } from "./support/running-server.ts";

const acme = parseTenantId("acme");

/** Lets go of the tenant's file as an operator would who works on it, runs `work`, and serves it again. */
async function whileStopped(server: RunningTestServer, work: (path: string) => Promise<void>): Promise<void> {
  expect((await server.send("POST", "/admin/tenants/acme/suspend")).status).toBe(200);
  await work(server.tenantry.driver.files.pathOf("acme"));
  expect((await server.send("POST", "/admin/tenants/acme/resume")).status).toBe(200);
}

test("a tenant that is not there is 404, on every route", async () => {
  const server = await runningServer();
  expectError(await server.query("nobody", "SELECT 1"), "TENANT_NOT_FOUND", '"nobody"');
  expectError(await server.send("POST", "/t/nobody/batch", [{ sql: "SELECT 1" }]), "TENANT_NOT_FOUND");
  for (const path of ["schema", "openapi.json", "rest/customers", "no-such-route"]) {
    expectError(await server.send("GET", `/t/nobody/${path}`), "TENANT_NOT_FOUND");
  }
  expectError(
    await server.send("GET", "/schema", undefined, { "x-tenant-id": "nobody" }),
    "TENANT_NOT_FOUND",
  );
  await server.expectHealthy();
});

test("a suspended tenant is 403 with its reason, and serves again when it is resumed", async () => {
  const server = await runningServer({ tenants: ["acme", "globex"] });
  await server.send("POST", "/admin/tenants/acme/suspend", { reason: "unpaid" });
  expectError(await server.query("acme", "SELECT 1"), "TENANT_SUSPENDED", /unpaid/);
  for (const path of ["schema", "openapi.json", "rest/customers"]) {
    expectError(await server.send("GET", `/t/acme/${path}`), "TENANT_SUSPENDED");
  }
  await server.expectHealthy("globex");
  await server.send("POST", "/admin/tenants/acme/resume");
  await server.expectHealthy();
});

test("a tenant on which a migration fails is quarantined: 503 for it alone, until a retry succeeds", async () => {
  const server = await runningServer({ tenants: ["acme", "globex"] });
  await server.query("acme", "CREATE TABLE notes (id INTEGER PRIMARY KEY)");
  const { data } = server;
  await server.close();

  const migrations = await migrationSet([
    { name: "0001_init.sql", sql: SCHEMA },
    { name: "0002_notes.sql", sql: "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT)" },
  ]);
  const next = await runningServer({ data, tenants: [], tenantry: { migrations } });
  expect((await next.query("acme", "SELECT 1")).status).toBe(503);
  const answer = await next.query("acme", "SELECT 1");
  expectError(answer, "TENANT_QUARANTINED");
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
  await next.expectHealthy("globex");
  expect((await next.send("GET", "/admin/tenants/acme")).body).toMatchObject({
    state: "quarantined",
    reason: expect.stringContaining("notes"),
  });
  expectError(await next.send("POST", "/admin/tenants/acme/migrate"), "MIGRATION_FAILED", /0002_notes/);

  await next.tenantry.tenants.visit((await next.tenantry.catalog.get(acme))!, (handle) =>
    handle.exec("DROP TABLE notes"),
  );
  expect((await next.send("POST", "/admin/tenants/acme/migrate")).body).toMatchObject({ state: "active" });
  await next.expectHealthy();
});

test("a file that is gone is 503 DATABASE_MISSING, and is never made anew", async () => {
  const server = await runningServer();
  await whileStopped(server, (path) => rm(path));
  expectError(await server.query("acme", "SELECT 1"), "DATABASE_MISSING", /acme/);
  expect(await server.tenantry.driver.exists("acme")).toBe(false);
  expectError(await server.send("GET", "/admin/tenants/acme/export"), "DATABASE_MISSING");
  expect(await server.scratchFiles()).toEqual([]);
  expect((await server.send("DELETE", "/admin/tenants/acme")).status).toBe(200);
  expect((await server.send("POST", "/admin/tenants", { id: "acme" })).status).toBe(201);
  await server.expectHealthy();
});

test.each<[string, (path: string) => Promise<void>]>([
  ["that is text", (path) => writeFile(path, "this is no database, and long enough to be one ".repeat(99))],
  ["cut off within its first page", (path) => truncate(path, 1000)],
  ["cut off after its first page", (path) => truncate(path, 4096)],
  [
    "with an overwritten page",
    async (path) => {
      const file = await open(path, "r+");
      await file.write(Buffer.alloc(4096, 0xab), 0, 4096, 4096);
      await file.close();
    },
  ],
])(
  "a file %s is 503 DATABASE_CORRUPT where it is read, and the whole one serves again",
  async (_, damage) => {
    const server = await runningServer({ tenants: ["acme", "globex"] });
    await server.query("acme", "INSERT INTO customers (name) VALUES ('Ada')");
    const whole = await fetch(`${server.url}/admin/tenants/acme/export`).then((answer) => answer.bytes());
    await whileStopped(server, damage);
    expectError(await server.query("acme", "SELECT * FROM customers"), "DATABASE_CORRUPT");
    await server.expectHealthy("globex");
    expect(server.tenantry.tenants.stats().leased).toBe(0);

    await whileStopped(server, (path) => writeFile(path, whole));
    expect((await server.query("acme", "SELECT name FROM customers")).body.results).toEqual([
      { name: "Ada" },
    ]);
    await server.expectHealthy();
  },
);

test("a write-ahead log that is none is 503 DATABASE_CORRUPT: SQLite would pass over the commits in it", async () => {
  const server = await runningServer();
  await server.query("acme", "INSERT INTO customers (name) VALUES ('Ada')");
  await whileStopped(server, (path) => writeFile(`${path}-wal`, Buffer.alloc(8192, 0x5a)));
  expectError(await server.query("acme", "SELECT name FROM customers"), "DATABASE_CORRUPT", /log/);
  await rm(`${server.tenantry.driver.files.pathOf("acme")}-wal`);
  expect((await server.query("acme", "SELECT name FROM customers")).body.results).toEqual([{ name: "Ada" }]);
  await server.expectHealthy();
});

test("a tenant at its size limit is 507: nothing of the write stays, and reading goes on", async () => {
  const server = await runningServer({ tenantry: { maxDatabaseBytes: 200_000 } });
  const answer = await server.query("acme", "INSERT INTO customers (name) SELECT zeroblob(500000)");
  expectError(answer, "DATABASE_FULL");
  expect((await server.query("acme", "SELECT count(*) AS n FROM customers")).body.results).toEqual([
    { n: 0 },
  ]);
  await server.query("acme", "INSERT INTO customers (name) VALUES ('fits')");
  await server.expectHealthy();
});

const canMount = platform() === "linux" && process.getuid?.() === 0;

/** A file system of its own, gone when the test ends. */
async function mounted(options: string): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "tenantry-mount-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", dir]);
  onTestFinished(async () => {
    execFileSync("umount", ["-l", dir]);
    await rm(dir, { recursive: true });
  });
  return dir;
}

test.runIf(canMount)(
  "a full disk is 507 for writing, creating and importing, and nothing is left",
  async () => {
    const data = await mounted("size=3m");
    const server = await runningServer({ data });
    const copy = await fetch(`${server.url}/admin/tenants/acme/export`).then((answer) => answer.bytes());
    await server.query("acme", "CREATE TABLE big (x)");
    await writeFile(join(data, "ballast"), Buffer.alloc(1_500_000));

    expectError(await server.query("acme", "INSERT INTO big SELECT randomblob(3000000)"), "DATABASE_FULL");
    const body = Buffer.concat([copy, Buffer.alloc(3_000_000)]);
    const imported = await fetch(`${server.url}/admin/tenants/globex/import`, {
      method: "POST",
      headers: { "content-type": "application/vnd.sqlite3" },
      body,
    });
    expect(imported.status).toBe(507);
    expect(await imported.json()).toMatchObject({ code: "DATABASE_FULL" });
    await vi.waitFor(async () => expect(await server.scratchFiles()).toEqual([]));

    await rm(join(data, "ballast"));
    expect((await server.send("POST", "/admin/tenants", { id: "globex" })).status).toBe(201);
    await server.expectHealthy();
  },
);

test.runIf(canMount)("a folder that cannot be written is 503, until it can", async () => {
  const data = await mounted("size=20m");
  const tenants = join(data, "tenants");
  await mkdir(tenants);
  execFileSync("mount", ["--bind", tenants, tenants]);
  onTestFinished(() => void execFileSync("umount", ["-l", tenants]));
  const server = await runningServer({ data, tenants: [] });
  const path = server.tenantry.driver.files.pathOf("acme");
  const fill = async (): Promise<void> => {
    await mkdir(dirname(path));
    new Database(path).exec(`${SCHEMA} INSERT INTO customers (name) VALUES ('Ada')`).close();
  };
  const { version, hash } = server.tenantry.migrations;
  const record = { id: acme, driver: "local", shard: "default", sizeBytes: 0 } as const;
  await server.tenantry.catalog.create({
    ...record,
    schemaVersion: version!,
    schemaHash: hash,
    provision: fill,
  });
  execFileSync("mount", ["-o", "remount,bind,ro", tenants]);
  const refused = await server.query("acme", "SELECT name FROM customers");
  execFileSync("mount", ["-o", "remount,bind,rw", tenants]);
  expectError(refused, "DATABASE_READ_ONLY");
  expect(server.tenantry.tenants.stats()).toMatchObject({ open: 0, leased: 0 });
});

test("when all handles are in use the next caller waits, and then gets 503 with Retry-After", async () => {
  const server = await runningServer({
    tenants: ["acme", "globex"],
    tenantry: { maxOpen: 1, acquireTimeoutMs: 50 },
  });
  using lease = await server.tenantry.tenants.lease(acme);
  const answer = await server.query("globex", "SELECT 1");
  expectError(answer, "CACHE_EXHAUSTED");
  expect(answer.headers.get("retry-after")).toBe("1");
  const waiting = server.query("globex", "SELECT 1 AS one");
  await vi.waitFor(() => expect(server.tenantry.tenants.stats().waiting).toBe(1));
  lease.release();
  expect((await waiting).body.results).toEqual([{ one: 1 }]);
  await server.expectHealthy("acme");
  await server.expectHealthy("globex");
});

test("more requests of one tenant at once than allowed are 429; other tenants' are not", async () => {
  const server = await runningServer({ tenants: ["acme", "globex"], app: { maxInFlight: 1 } });
  const head =
    "POST /t/acme/query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\nExpect: 100-continue\r\n\r\n";
  await server.abort(head, async (socket) => {
    // It is in flight once it is told to go on.
    await once(socket, "data");
    const answer = await server.query("acme", "SELECT 1");
    expectError(answer, "TOO_MANY_REQUESTS");
    expect(answer.headers.get("retry-after")).toBe("1");
    await server.expectHealthy("globex");
  });
  await vi.waitFor(() => server.expectHealthy("acme"));
});
