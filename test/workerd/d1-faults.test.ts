// Owns what goes wrong with tenants in D1 that a Worker is bound to: bindings that are not there, databases that are
// somebody's, limits, bookmarks. Each with its code, and nothing half-done.
import { env, reset } from "cloudflare:test";
import { beforeEach, describe, expect, test } from "vitest";
import { byTemplate, d1BindingDriver, d1Database } from "../../src/driver-d1.ts";
import { objectDatabase } from "../../src/driver-durable-object.ts";
import type { Handle } from "../../src/drivers/driver.ts";
import { parseTenantId } from "../../src/tenant-id.ts";
import { createWorkerTenantry, migrationSet, type WorkerTenantry } from "../../src/worker.ts";
import { expectDivided } from "../support/divided-insert.ts";

const acme = parseTenantId("acme");
const NOTES = "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL)";

const count = (of: WorkerTenantry): Promise<unknown> =>
  of.database("acme").prepare("SELECT count(*) AS n FROM notes").first("n");
const add = (of: WorkerTenantry): Promise<unknown> =>
  of.database("acme").prepare("INSERT INTO notes (body) VALUES ('x')").run();

beforeEach(() => reset());

describe("D1", () => {
  const overD1 = async (
    catalog: Handle | Promise<Handle> = d1Database(env.CATALOG),
    ...later: string[]
  ): Promise<WorkerTenantry> =>
    createWorkerTenantry({
      driver: d1BindingDriver({ databases: byTemplate(env, "TENANT_{TENANT}") }),
      catalog,
      migrations: await migrationSet(
        [NOTES, ...later].map((sql, n) => ({ name: `000${n + 1}_notes.sql`, sql })),
      ),
    });

  test("a tenant without a binding cannot be created", async () => {
    const tenantry = await overD1();
    await expect(tenantry.lifecycle.create(parseTenantId("globex"))).rejects.toMatchObject({
      code: "DATABASE_MISSING",
      hint: expect.stringContaining("wrangler"),
    });
    expect(await tenantry.catalog.get(parseTenantId("globex"))).toBeUndefined();
  });

  test("two ids never share a binding", () => {
    const of = byTemplate({ TENANT_A_B: env.DB }, "TENANT_{TENANT}");
    expect([of("a-b"), of("a_b")]).toEqual([env.DB, undefined]);
    expect(() => byTemplate(env, "TENANT")).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
  });

  test("a deleted tenant's database is empty, and can be made a tenant again", async () => {
    const tenantry = await overD1(objectDatabase({ namespace: env.TENANTS }));
    await tenantry.lifecycle.create(acme);
    await add(tenantry);
    await tenantry.lifecycle.delete(acme);
    const left = await env.TENANT_ACME.prepare(
      "SELECT count(*) AS n FROM sqlite_schema WHERE name NOT LIKE '\\_cf\\_%' ESCAPE '\\' AND name <> 'sqlite_sequence'",
    ).first("n");
    expect(left).toBe(0);
    await tenantry.lifecycle.create(acme);
    expect(await count(tenantry)).toBe(0);
  });

  test("a database that wrangler has migrated becomes the tenant's as it is", async () => {
    await env.TENANT_ACME.batch([
      env.TENANT_ACME.prepare(
        "CREATE TABLE d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)",
      ),
      env.TENANT_ACME.prepare(NOTES),
      env.TENANT_ACME.prepare("INSERT INTO notes (body) VALUES ('kept')"),
      env.TENANT_ACME.prepare("INSERT INTO d1_migrations (name) VALUES ('0001_notes.sql')"),
    ]);
    const tenantry = await overD1();
    await tenantry.lifecycle.create(acme);
    expect(await count(tenantry)).toBe(1);
  });

  test.for([
    "CREATE TABEL more (x)",
    "CREATE TABLE more (x); CREATE TEMP TABLE passing (x)",
    "CREATE TABLE more (x); VACUUM",
    "CREATE TABLE more (x); INSERT INTO more SELECT sqlite_version()",
    "CREATE TABLE more (x); CREATE VIRTUAL TABLE v USING nothing (x)",
  ])("schema that D1 refuses leaves no tenant, and quarantines one that was there: %s", async (sql) => {
    const broken = await overD1(undefined, sql);
    await expect(broken.lifecycle.create(acme)).rejects.toMatchObject({ code: "MIGRATION_FAILED" });
    expect(await broken.catalog.get(acme, { fresh: true })).toBeUndefined();
    const fine = await overD1();
    await fine.lifecycle.create(acme);
    await add(fine);
    await expect(count(broken)).rejects.toMatchObject({ code: "TENANT_QUARANTINED" });
    expect(await fine.catalog.get(acme, { fresh: true })).toMatchObject({
      state: "quarantined",
      reason: expect.stringContaining("0002_notes.sql"),
    });
    const tables = env.TENANT_ACME.prepare(
      "SELECT group_concat(name) AS n FROM sqlite_schema WHERE name IN ('notes', 'more')",
    );
    expect(await tables.first("n")).toBe("notes");
  });

  test("a migration that rebuilds a parent is refused, as D1 would delete the children", async () => {
    const parents = `CREATE TABLE p (id INTEGER PRIMARY KEY);
      CREATE TABLE c (p INTEGER REFERENCES p (id) ON DELETE CASCADE);
      INSERT INTO p VALUES (1); INSERT INTO c VALUES (1);`;
    const rebuild = `PRAGMA foreign_keys = OFF;
      CREATE TABLE new_p (id INTEGER PRIMARY KEY, name TEXT);
      INSERT INTO new_p (id) SELECT id FROM p; DROP TABLE p; ALTER TABLE new_p RENAME TO p;
      PRAGMA foreign_keys = ON;`;
    await (await overD1(undefined, parents)).lifecycle.create(acme);
    const rebuilt = await overD1(undefined, parents, rebuild);
    await expect(rebuilt.database("acme").prepare("SELECT 1").all()).rejects.toMatchObject({
      code: "TENANT_QUARANTINED",
      cause: { hint: expect.stringContaining("defer_foreign_keys") },
    });
    expect((await rebuilt.catalog.get(acme, { fresh: true }))?.reason).toBe(
      'Migration "0003_notes.sql" failed: Foreign keys cannot be switched off on D1.',
    );
    expect(await env.TENANT_ACME.prepare("SELECT count(*) AS n FROM c").first("n")).toBe(1);
  });

  test("limits are told before D1 does what it cannot undo", async () => {
    const tenantry = await overD1();
    await tenantry.lifecycle.create(acme);
    const run = tenantry.tenants.runner(acme);
    const sql = "INSERT INTO notes (body) SELECT value FROM json_each('[1,2,3]') RETURNING id";
    await expect(run.run({ sql, params: [] }, { maxRows: 2 })).rejects.toMatchObject({
      code: "TOO_MANY_ROWS",
    });
    const many = `INSERT INTO notes (body) VALUES ${Array(101).fill("(lower(?))").join(",")}`;
    await expect(run.run({ sql: many, params: Array(101).fill("x") })).rejects.toMatchObject({
      code: "TOO_MANY_PARAMETERS",
      hint: expect.stringContaining("json_each"),
    });
    await expect(run.run({ sql: "SELECT sqlite_version()", params: [] })).rejects.toMatchObject({
      message: expect.stringContaining("not authorized"),
    });
    expect(await count(tenantry)).toBe(0);
  });

  test("an insert of many rows is divided at a hundred parameters, and done as a whole", async () => {
    const tenantry = await overD1();
    await tenantry.lifecycle.create(acme);
    await expectDivided(tenantry.database("acme"));
  });

  test("a bookmark is told with each answer, and one that is none is refused", async () => {
    const tenantry = await overD1();
    await tenantry.lifecycle.create(acme);
    const { hono } = await tenantry.app({ adminKey: env.TENANTRY_ADMIN_KEY });
    const ask = (sql: string, bookmark?: string): Promise<Response> =>
      Promise.resolve(
        hono.request("/t/acme/query", {
          method: "POST",
          headers: {
            authorization: `Bearer ${env.TENANTRY_ADMIN_KEY}`,
            "content-type": "application/json",
            ...(bookmark !== undefined && { "x-tenantry-bookmark": bookmark }),
          },
          body: JSON.stringify({ sql }),
        }),
      );
    const written = await ask("INSERT INTO notes (body) VALUES ('x')");
    const bookmark = written.headers.get("x-tenantry-bookmark") ?? "";
    expect(bookmark).toMatch(/^[A-Za-z0-9-]+$/);
    const read = await ask("SELECT count(*) AS n FROM notes", bookmark);
    expect(await read.json()).toMatchObject({ results: [{ n: 1 }] });
    expect((await ask("SELECT 1", "not a bookmark")).status).toBe(400);
  });
});
