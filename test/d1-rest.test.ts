// Holds D1 by REST to the life of a tenant, to telling its faults apart, and to what it offers for whole databases:
// against D1 itself behind a stand-in of Cloudflare's API.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { copyDatabase } from "../src/copy/copy-database.ts";
import { copyToFile, sha256 } from "../src/copy/file-end.ts";
import { d1Target } from "../src/copy/d1-end.ts";
import { tableDigests } from "../src/database/table-digest.ts";
import {
  type D1RestDriver,
  d1RestDriver,
  type D1RestDriverOptions,
} from "../src/drivers/d1/d1-rest-driver.ts";
import { restStatement } from "../src/drivers/d1/rest-parameters.ts";
import type { Handle, SqlRunner } from "../src/drivers/driver.ts";
import { localDriver } from "../src/drivers/local/local-driver.ts";
import { migrationSet } from "../src/migrations/migration-set.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { type D1ApiStandIn, d1Api, type Mishap } from "./support/d1-api.ts";
import { NOTES } from "./support/notes-schema.ts";
import { makeOddDatabase } from "./support/odd-database.ts";
import { addNote, notesOf, tempFolder, tempTenantry } from "./support/temp-folder.ts";

const ACME = parseTenantId("acme");
const INSERT = { sql: "INSERT INTO t VALUES (?)", params: ["one"] };
const COUNT = { sql: "SELECT count(*) AS n FROM t", params: [] };

let api: D1ApiStandIn;
beforeAll(async () => void (api = await d1Api()));
beforeEach(() => api.reset());
afterAll(() => api.close());

const driverOf = (options: Partial<D1RestDriverOptions> = {}): D1RestDriver =>
  d1RestDriver({ accountId: "account", apiToken: "token", baseUrl: api.baseUrl, pollMs: 1, ...options });

async function opened(options?: Partial<D1RestDriverOptions>): Promise<Handle> {
  const driver = driverOf(options);
  await (await driver.stage("acme", { key: "k", build: async () => {} })).commit();
  const handle = await driver.open("acme");
  await handle.exec("CREATE TABLE t (x)");
  api.requests.length = 0;
  return handle;
}

const says =
  (status: number, headers: Record<string, string> = {}): Mishap =>
  () =>
    Promise.resolve(
      new Response(`{"success":false,"errors":[{"code":1,"message":"no"}]}`, { status, headers }),
    );

test("a tenant's database is made, migrated, used and deleted with it", async () => {
  const tenantry = await tempTenantry({ driver: driverOf({ jurisdiction: "eu", locationHint: "weur" }) });
  const record = await tenantry.lifecycle.create(ACME);
  expect(record).toMatchObject({ driver: "d1", state: "active" });
  expect(api.created).toEqual([{ name: "acme", jurisdiction: "eu", primary_location_hint: "weur" }]);
  await addNote(tenantry, "acme", "in D1");
  expect(await notesOf(tenantry, "acme")).toEqual(["in D1"]);
  const headers = { host: "localhost", "content-type": "application/json" };
  const { hono } = tenantry.app();
  const answer = await hono.request("/t/acme/rest/notes?select=body&body=eq.in%20D1", { headers });
  expect(await answer.json()).toEqual([{ body: "in D1" }]);
  const refused = await hono.request("/t/acme/query", {
    method: "POST",
    headers,
    body: JSON.stringify({ sql: "SELECT sqlite_version()" }),
  });
  expect([refused.status, await refused.json()]).toMatchObject([403, { code: "SQL_REFUSED" }]);
  await expect(tenantry.database("acme").transaction("write", async () => {})).rejects.toMatchObject({
    code: "UNSUPPORTED",
    hint: expect.stringContaining("batch()"),
  });
  await tenantry.lifecycle.delete(ACME);
  expect(api.names()).toEqual([]);
  await tenantry.lifecycle.create(ACME);
  expect(await notesOf(tenantry, "acme")).toEqual([]);
});

test("what is not ours is left alone, and what a creation left is taken over", async () => {
  const driver = driverOf();
  await driver.stage("acme", { key: "k", build: async () => {} });
  const tenantry = await tempTenantry({ driver });
  await tenantry.lifecycle.create(ACME);
  expect(await notesOf(tenantry, "acme")).toEqual([]);
  const theirs = await driver.stage("globex", { key: "k", build: async () => {} });
  await theirs.commit();
  await api.databaseOf("globex").exec("CREATE TABLE theirs (x)");
  await expect(tenantry.lifecycle.create(parseTenantId("globex"))).rejects.toMatchObject({
    code: "DATABASE_EXISTS",
  });
});

test("schema that D1 refuses leaves no tenant, and its database to who creates it again", async () => {
  for (const sql of ["CREATE TABEL more (x)", "CREATE TABLE more (x); VACUUM"]) {
    const broken = await migrationSet([NOTES, { name: "0002_more.sql", sql }]);
    const refused = await tempTenantry({ driver: driverOf(), migrations: broken });
    await expect(refused.lifecycle.create(ACME)).rejects.toMatchObject({
      code: "MIGRATION_FAILED",
      message: expect.stringContaining("0002_more.sql"),
    });
    expect(await refused.catalog.get(ACME)).toBeUndefined();
  }
  const tenantry = await tempTenantry({ driver: driverOf(), tenants: ["acme"] });
  await addNote(tenantry, "acme", "whole");
  expect([api.names(), await notesOf(tenantry, "acme")]).toEqual([["acme"], ["whole"]]);
});

test("reads are sent again, writes only where nothing was done", async () => {
  const handle = await opened();
  let left = 2;
  api.mishap = (request, answer) => (left-- > 0 ? says(502)(request, answer) : undefined);
  expect((await handle.run(COUNT)).rows).toEqual([{ n: 0 }]);
  expect(api.requests).toHaveLength(3);

  api.requests.length = 0;
  api.mishap = async (_request, answer) => {
    await answer();
    return new Response("<html>", { status: 502, headers: { "content-type": "text/html" } });
  };
  await expect(handle.run(INSERT)).rejects.toMatchObject({ code: "OUTCOME_UNKNOWN" });
  await expect(handle.batch([INSERT, INSERT])).rejects.toMatchObject({ code: "OUTCOME_UNKNOWN" });
  expect(api.requests).toHaveLength(2);

  api.mishap = says(429, { "retry-after": "30" });
  await expect(handle.run(INSERT)).rejects.toMatchObject({
    code: "DATABASE_THROTTLED",
    retryAfterSeconds: 30,
  });
  api.mishap = says(403);
  await expect(handle.run(INSERT)).rejects.toMatchObject({ code: "DATABASE_REFUSED" });
  api.mishap = undefined;
});

test("a token that ends half-way is asked for anew", async () => {
  const asked: boolean[] = [];
  const handle = await opened({
    apiToken: ({ renew }) => {
      asked.push(renew);
      return renew ? "second" : "token";
    },
  });
  api.token = "second";
  await handle.run(INSERT);
  expect(asked).toEqual([false, true]);
  api.token = "third";
  await expect(handle.run(INSERT)).rejects.toMatchObject({ code: "DATABASE_REFUSED" });
});

test("a database that is gone is missing, an API that is away unreachable", async () => {
  const handle = await opened();
  await driverOf().remove("acme");
  await expect(handle.run(COUNT)).rejects.toMatchObject({ code: "DATABASE_MISSING" });
  await expect(driverOf().open("acme")).rejects.toMatchObject({ code: "DATABASE_MISSING" });
  const away = driverOf({ baseUrl: "http://127.0.0.1:59999", maxRetries: 0 });
  await expect(away.open("acme")).rejects.toMatchObject({
    code: "DATABASE_UNREACHABLE",
    message: expect.stringContaining("cannot be reached"),
  });
});

test("limits are told before anything is sent", async () => {
  const handle = await opened();
  const many = { sql: `SELECT ${Array(101).fill("?").join("+")}`, params: Array(101).fill(1) };
  await expect(handle.run(many)).rejects.toMatchObject({
    code: "TOO_MANY_PARAMETERS",
    hint: expect.stringContaining("at most 100"),
  });
  await expect(handle.batch([INSERT, many])).rejects.toMatchObject({ code: "TOO_MANY_PARAMETERS" });
  await expect(handle.run({ sql: `SELECT '${"x".repeat(100_000)}'`, params: [] })).rejects.toMatchObject({
    code: "SQL_TOO_LONG",
  });
  expect(api.requests).toEqual([]);
});

test("values are written into the statement so that they are what a binding binds", () => {
  expect(restStatement("SELECT -?, ?2, :a, '?' -- ?", [-1, "it's", null]).sql).toBe(
    "SELECT -(-1.0), ?1, NULL, '?' -- ?",
  );
  expect(restStatement("SELECT ?1, ?1, ?3", ["a", "unused", new Uint8Array([0, 255])])).toEqual({
    sql: "SELECT ?1, ?1, x'00ff'",
    params: ["a"],
  });
});

test("time travel, export and import", async () => {
  const handle = await opened();
  const { maintenance } = driverOf();
  const bookmark = await maintenance.bookmark("acme");
  expect(await maintenance.bookmark("acme", new Date())).toBe(bookmark);
  await handle.run(INSERT);
  const undo = await maintenance.restore("acme", { bookmark });
  expect((await handle.run(COUNT)).rows).toEqual([{ n: 0 }]);
  await maintenance.restore("acme", { bookmark: undo });
  expect((await handle.run(COUNT)).rows).toEqual([{ n: 1 }]);
  expect(await new Response(await maintenance.exportSql("acme")).text()).toBe("CREATE TABLE t (x);");
  const path = join(await tempFolder(), "in.sql");
  await writeFile(path, "CREATE TABLE imported (y);\nINSERT INTO imported VALUES (7);\n");
  expect(await maintenance.importSql("acme", path)).toBe(2);
  expect((await handle.run({ sql: "SELECT y FROM imported", params: [] })).rows).toEqual([{ y: 7 }]);
  expect([...api.uploads.keys()].at(-1)).toMatch(/^[0-9a-f]{32}$/);
});

async function digestsOf(db: SqlRunner): Promise<Record<string, string>> {
  const all: Record<string, string> = {};
  for await (const { table, digest } of tableDigests(db, { sha256 })) all[table] = digest;
  return all;
}

test("a database is copied to D1 and back, and is the same", async () => {
  const dir = await tempFolder();
  makeOddDatabase(join(dir, "odd.db"), 200);
  const local = await localDriver({ dir }).openFile(join(dir, "odd.db"));
  onTestFinished(() => local.close());
  // What D1 cannot give back: its answers are JSON.
  await local.exec(`DELETE FROM "odd ""name" WHERE loose IN (9e999, -9e999) OR loose = 0.0`);
  const driver = driverOf();
  await (await driver.stage("acme", { key: "k", build: async () => {} })).commit();
  const handle = await driver.open("acme");
  await copyDatabase({ db: local, stable: true }, d1Target(handle), { sha256 });
  expect(
    await handle.run({ sql: "SELECT rowid FROM words WHERE words MATCH 'run'", params: [] }),
  ).toMatchObject({
    rows: [{ rowid: 1 }],
  });
  await copyToFile({ db: handle, stable: false }, join(dir, "back.db"));
  const back = await localDriver({ dir }).openFile(join(dir, "back.db"));
  onTestFinished(() => back.close());
  const [was, is] = [await digestsOf(local), await digestsOf(back)];
  for (const table of [
    "large",
    'odd "name',
    "pairs",
    "tree",
    "parent",
    "noted",
    "d1_migrations",
    "sqlite_sequence",
  ]) {
    expect([table, is[table]]).toEqual([table, was[table]]);
  }
});

test("an insert of many rows is divided at a hundred parameters", async () => {
  const handle = await opened();
  const values = Array.from({ length: 250 }, (_, n) => (n % 2 === 0 ? n : `text ${n}`));
  const sql = `INSERT INTO t (x) VALUES ${values.map(() => "(?)").join(",")}`;
  const { meta } = await handle.run({ sql, params: values });
  expect(meta.changes).toBe(250);
  expect((await handle.run(COUNT)).rows).toEqual([{ n: 250 }]);
  expect(api.requests.filter((request) => request.includes("query"))).toHaveLength(2);
});

test("a tenant is taken back in time: suspended meanwhile, migrated, and resumed", async () => {
  const tenantry = await tempTenantry({ driver: driverOf() });
  await tenantry.lifecycle.create(ACME);
  const { hono } = tenantry.app();
  const headers = { host: "localhost", "content-type": "application/json" };
  const asked = await hono.request("/admin/tenants/acme/bookmark", { headers });
  const { bookmark } = (await asked.json()) as { bookmark: string };
  await addNote(tenantry, "acme", "later");
  const wrong = await hono.request("/admin/tenants/acme/bookmark?at=yesterday", { headers });
  expect([wrong.status, await wrong.json()]).toMatchObject([
    400,
    { code: "INVALID_ARGUMENT", message: expect.stringContaining('The query\'s "at" is wrong') },
  ]);
  const rewind = (body: object): Response | Promise<Response> =>
    hono.request("/admin/tenants/acme/rewind", { method: "POST", headers, body: JSON.stringify(body) });
  const rewound = await rewind({ at: new Date().toISOString() });
  expect([rewound.status, await rewound.json()]).toMatchObject([
    200,
    { tenant: { id: "acme", state: "active" }, bookmark, undo: expect.stringMatching(/^mark-/) },
  ]);
  expect(await notesOf(tenantry, "acme")).toEqual([]);
  expect(api.requests.some((request) => JSON.stringify(request).includes("time_travel/restore"))).toBe(true);
  const { entries } = await tenantry.catalog.listAudit({ tenant: ACME });
  expect(entries.map(({ action }) => action)).toContain("tenant.rewind");
  for (const body of [
    {},
    { at: "yesterday" },
    { bookmark: "no such; thing" },
    { at: "2026-11-22T08:00:00Z", bookmark: "x" },
    { bookmark: "no-such-mark" },
    { at: "2026-01-01T00:00:00Z" },
  ]) {
    expect((await rewind(body)).status, JSON.stringify(body)).toBe(400);
  }
  expect((await tenantry.catalog.get(ACME))?.state).toBe("active");
  await tenantry.lifecycle.suspend(ACME);
  const still = await rewind({ bookmark });
  expect(await still.json()).toMatchObject({ tenant: { state: "suspended" } });
});
