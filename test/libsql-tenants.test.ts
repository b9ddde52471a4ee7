// Holds tenants whose databases are libSQL's to the life of a tenant: created, migrated, used, suspended, deleted, as
// with files; remote ones made at Turso by its API, and nothing that is not ours ever touched.
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { libsqlDriver } from "../src/drivers/libsql/libsql-driver.ts";
import { tursoProvisioner } from "../src/drivers/libsql/turso-provisioner.ts";
import type { TursoProvisionerOptions } from "../src/drivers/libsql/turso-provisioner.ts";
import { migrationSet } from "../src/migrations/migration-set.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { libsqlServer } from "./support/libsql-server.ts";
import { NOTES } from "./support/notes-schema.ts";
import { addNote, notesOf, tempFolder, tempTenantry } from "./support/temp-folder.ts";
import { runningServer } from "./support/running-server.ts";
import { tursoApi } from "./support/turso-api.ts";

const ACME = parseTenantId("acme");

async function atTurso(options: Partial<TursoProvisionerOptions> = {}) {
  const server = await libsqlServer();
  const api = await tursoApi(server);
  const provisioner = tursoProvisioner({
    org: "acme",
    token: "platform",
    group: "default",
    baseUrl: api.baseUrl,
    ...options,
  });
  const driver = libsqlDriver({ url: server.url, provisioner });
  return { server, api, driver };
}

const tablesOf = async (handle: {
  run(statement: { sql: string; params: [] }): Promise<{ rows: unknown[] }>;
}) =>
  (
    await handle.run({ sql: "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name", params: [] })
  ).rows.map((row) => (row as { name: string }).name);

test("a tenant's database is made at Turso, migrated, used, suspended and deleted with it", async () => {
  const { server, api, driver } = await atTurso({ sizeLimit: "256mb" });
  const tenantry = await tempTenantry({ driver });
  const record = await tenantry.lifecycle.create(ACME);
  expect(record).toMatchObject({ driver: "libsql", state: "active" });
  expect(record.sizeBytes).toBeGreaterThan(4096);
  expect(api.created).toEqual([{ name: "acme", group: "default", size_limit: "256mb" }]);
  expect(await tablesOf(await server.handleOf("acme"))).toEqual([
    "d1_migrations",
    "notes",
    "sqlite_sequence",
  ]);
  await addNote(tenantry, "acme", "remote");
  expect(await notesOf(tenantry, "acme")).toEqual(["remote"]);

  const { hono } = tenantry.app();
  const answer = await hono.request("/t/acme/rest/notes?select=body", { headers: { host: "localhost" } });
  expect(await answer.json()).toEqual([{ body: "remote" }]);

  await tenantry.lifecycle.suspend(ACME);
  await expect(notesOf(tenantry, "acme")).rejects.toMatchObject({ code: "TENANT_SUSPENDED" });
  await tenantry.lifecycle.resume(ACME);
  expect(await notesOf(tenantry, "acme")).toEqual(["remote"]);
  await tenantry.lifecycle.delete(ACME);
  expect(server.exists("acme")).toBe(false);
  await tenantry.lifecycle.create(ACME);
  expect(await notesOf(tenantry, "acme")).toEqual([]);
});

test("Hrana and interactive transactions go through to the remote database", async () => {
  const { driver } = await atTurso();
  const tenantry = await tempTenantry({ driver, tenants: ["acme"] });
  const { hono } = tenantry.app();
  const pipeline = async (baton: string | null, ...sqls: string[]) => {
    const answer = await hono.request("/t/acme/v2/pipeline", {
      method: "POST",
      headers: { host: "localhost", "content-type": "application/json" },
      body: JSON.stringify({ baton, requests: sqls.map((sql) => ({ type: "execute", stmt: { sql } })) }),
    });
    return (await answer.json()) as { baton: string; results: { type: string }[] };
  };
  const begun = await pipeline(null, "BEGIN IMMEDIATE", "INSERT INTO notes (body) VALUES ('one')");
  expect(begun.results.map(({ type }) => type)).toEqual(["ok", "ok"]);
  expect(await notesOf(tenantry, "acme")).toEqual([]);
  await pipeline(begun.baton, "COMMIT");
  expect(await notesOf(tenantry, "acme")).toEqual(["one"]);
  await expect(
    tenantry.database("acme").transaction("write", async (tx) => {
      await tx.prepare("DELETE FROM notes").run();
      throw new Error("no");
    }),
  ).rejects.toThrow("no");
  expect(await notesOf(tenantry, "acme")).toEqual(["one"]);
});

test("what a creation left that was cut short is taken over; what is not ours stays as it is", async () => {
  const { server, driver } = await atTurso();
  const tenantry = await tempTenantry({ driver });
  const staged = await driver.stage("acme", { key: "k", build: async () => {} });
  expect(await tablesOf(await server.handleOf("acme"))).toEqual(["_tenantry_staged"]);
  await staged.discard();
  await tenantry.lifecycle.create(ACME);
  expect(await tablesOf(await server.handleOf("acme"))).not.toContain("_tenantry_staged");

  await server.create("globex");
  const theirs = await server.handleOf("globex");
  await theirs.exec("CREATE TABLE theirs (x)");
  await expect(tenantry.lifecycle.create(parseTenantId("globex"))).rejects.toMatchObject({
    code: "DATABASE_EXISTS",
    hint: expect.stringContaining("nothing of it was changed"),
  });
  expect(await tablesOf(theirs)).toEqual(["theirs"]);
  expect(await tenantry.catalog.get(parseTenantId("globex"))).toBeUndefined();
});

test("of two who create a tenant at once one wins, and its database is whole", async () => {
  const { driver } = await atTurso();
  const tenantry = await tempTenantry({ driver });
  const outcomes = await Promise.allSettled([1, 2, 3].map(() => tenantry.lifecycle.create(ACME)));
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  await addNote(tenantry, "acme", "whole");
  expect(await notesOf(tenantry, "acme")).toEqual(["whole"]);
});

test("the group is made where it is missing and its place is given; seeds are passed on", async () => {
  const { api, driver } = await atTurso({
    group: "eu",
    location: "fra",
    seed: { type: "database", name: "template" },
  });
  const tenantry = await tempTenantry({ driver, tenants: ["acme"] });
  expect(api.groups.has("eu")).toBe(true);
  expect(api.created).toEqual([{ name: "acme", group: "eu", seed: { type: "database", name: "template" } }]);
  expect(await notesOf(tenantry, "acme")).toEqual([]);
});

test("the platform API that refuses, is full or away leaves no tenant, and says which it was", async () => {
  const { api, driver } = await atTurso();
  const tenantry = await tempTenantry({ driver });
  const json = (status: number, headers: Record<string, string> = {}) =>
    new Response('{"error":"no"}', { status, headers: { "content-type": "application/json", ...headers } });
  for (const [status, code] of [
    [401, "DATABASE_REFUSED"],
    [429, "DATABASE_THROTTLED"],
    [503, "DATABASE_UNREACHABLE"],
    [400, "INVALID_ARGUMENT"],
  ] as const) {
    api.answer = () => json(status);
    await expect(tenantry.lifecycle.create(ACME)).rejects.toMatchObject({ code });
    expect(await tenantry.catalog.get(ACME)).toBeUndefined();
  }
  api.answer = () => new Response("<html>", { status: 502 });
  await expect(tenantry.lifecycle.create(ACME)).rejects.toMatchObject({ code: "DATABASE_UNREACHABLE" });
  api.answer = undefined;
  await tenantry.lifecycle.create(ACME);
  api.answer = () => json(503);
  await expect(tenantry.lifecycle.delete(ACME)).rejects.toMatchObject({ code: "DATABASE_UNREACHABLE" });
  expect((await tenantry.catalog.get(ACME))?.state).toBe("suspended");
  api.answer = undefined;
  await tenantry.lifecycle.delete(ACME);
  expect(await tenantry.catalog.get(ACME)).toBeUndefined();
});

test("a migration that fails on a remote database is undone as a whole, and quarantines its tenant alone", async () => {
  const { server, driver } = await atTurso();
  const data = await tempFolder();
  const before = await tempTenantry({ data, driver, tenants: ["acme"] });
  await before.close();
  const failing = {
    name: "0002_fails.sql",
    sql: "CREATE TABLE more (x);\nINSERT INTO more VALUES (1);\nINSERT INTO nope VALUES (1);",
  };
  const broken = await tempTenantry({ data, driver, migrations: await migrationSet([NOTES, failing]) });
  await expect(notesOf(broken, "acme")).rejects.toMatchObject({ code: "TENANT_QUARANTINED" });
  expect(await tablesOf(await server.handleOf("acme"))).toEqual([
    "d1_migrations",
    "notes",
    "sqlite_sequence",
  ]);
  await broken.close();
  const right = { name: "0002_right.sql", sql: "CREATE TABLE more (x)" };
  const mended = await tempTenantry({ data, driver, migrations: await migrationSet([NOTES, right]) });
  await mended.fleet.one(ACME);
  expect(await tablesOf(await server.handleOf("acme"))).toContain("more");
});

test("libSQL files are tenants' databases too: staged aside, moved into place, removed", async () => {
  const dir = await tempFolder();
  const tenantry = await tempTenantry({ driver: libsqlDriver({ url: `file:${join(dir, "{tenant}.db")}` }) });
  await tenantry.lifecycle.create(ACME);
  await addNote(tenantry, "acme", "in a libSQL file");
  expect(await notesOf(tenantry, "acme")).toEqual(["in a libSQL file"]);
  await tenantry.lifecycle.delete(ACME);
  const { readdir } = await import("node:fs/promises");
  expect(await readdir(dir)).toEqual([]);
});

test("an embedded replica without its primary is unreachable, not an empty database", async () => {
  const dir = await tempFolder();
  const driver = libsqlDriver({
    url: `file:${join(dir, "{tenant}.db")}`,
    syncUrl: "http://127.0.0.1:9/{tenant}/",
    syncIntervalMs: 1000,
    maxRetries: 0,
  });
  await expect(driver.open("acme")).rejects.toMatchObject({ code: "DATABASE_UNREACHABLE" });
});

test("options that make no sense are refused", () => {
  for (const options of [
    { url: "libsql://one.example" },
    { url: "postgres://{tenant}" },
    { url: "libsql://{tenant}.example", syncUrl: "libsql://{tenant}.example" },
    { url: "file:{tenant}", syncIntervalMs: 5 },
    { url: "file:{tenant}", syncUrl: "wss://{tenant}.example" },
    { url: "file:{tenant}", syncUrl: "libsql://{tenant}.example?tls=0" },
    { url: "file:{tenant}", syncUrl: "libsql://{tenant}.example", syncTimeoutMs: 0 },
    { url: "file:{tenant}", nmae: "x" },
    { url: "file:{tenant}", name: "No Name" },
  ]) {
    expect(() => libsqlDriver(options as never)).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
  }
});

test("over WebSocket it is the same: statements, batches, transactions, and a connection that is gone", async () => {
  const server = await runningServer({ tenants: ["acme"] });
  const url = server.url.replace("http:", "ws:");
  const driver = libsqlDriver({ url: `${url}/t/{tenant}`, maxRetries: 1 });
  const handle = await driver.open("acme");
  onTestFinished(() => handle.close());
  await handle.run({ sql: "INSERT INTO customers (name) VALUES (?)", params: ["Ada"] });
  await handle.transaction("write", async (tx) => {
    await tx.run({ sql: "UPDATE customers SET name = ?", params: ["Eve"] });
  });
  const names = { sql: "SELECT name FROM customers", params: [] };
  const [one, two] = await handle.batch([names, names]);
  expect([one?.rows, two?.rows]).toEqual([[{ name: "Eve" }], [{ name: "Eve" }]]);
  await expect(handle.run({ sql: "SELECT * FROM nope", params: [] })).rejects.toMatchObject({
    message: "D1_ERROR: no such table: nope: SQLITE_ERROR",
  });
  const away = libsqlDriver({ url: "ws://127.0.0.1:59998/{tenant}", maxRetries: 0 });
  await expect(away.open("acme")).rejects.toMatchObject({ code: "DATABASE_UNREACHABLE" });
  const nobody = libsqlDriver({ url: `${url}/t/{tenant}`, maxRetries: 0 });
  await expect(nobody.open("nobody")).rejects.toBeInstanceOf(Error);
});
