// Holds a failing migration to stopping its own tenant and nobody else, and to being tried again.
import { expect, test } from "vitest";
import { migrationSet } from "../src/migrations/migration-set.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { NOTES } from "./support/notes-schema.ts";
import { addNote, notesOf, tempFolder, tempTenantry } from "./support/temp-folder.ts";

const ACME = parseTenantId("acme");
const UNIQUE = {
  name: "0002_unique.sql",
  sql: "CREATE TABLE before_failing (id); CREATE UNIQUE INDEX notes_body ON notes (body)",
};

/** `acme` cannot take the second migration, `good` can; the first process has neither open any more. */
async function twoTenants() {
  const data = await tempFolder();
  const first = await tempTenantry({ data, tenants: ["acme", "good"] });
  for (const body of ["twice", "twice"]) await addNote(first, "acme", body);
  await addNote(first, "good", "once");
  await first.close();
  return tempTenantry({ data, migrations: await migrationSet([NOTES, UNIQUE]) });
}

test("the tenant is quarantined with the reason, from its first request on, and the others go on", async () => {
  const tenantry = await twoTenants();
  const quarantined = { code: "TENANT_QUARANTINED", tenant: "acme", retryAfterSeconds: 60 };
  const first = await Promise.allSettled(Array.from({ length: 5 }, () => notesOf(tenantry, "acme")));
  for (const outcome of first) expect(outcome).toMatchObject({ status: "rejected", reason: quarantined });
  await expect(notesOf(tenantry, "acme")).rejects.toMatchObject(quarantined);
  const record = await tenantry.catalog.get(ACME);
  expect(record).toMatchObject({ state: "quarantined" });
  expect(record?.reason).toContain("0002_unique.sql");
  expect(await notesOf(tenantry, "good")).toEqual(["once"]);
  await expect(addNote(tenantry, "good", "once")).rejects.toMatchObject({ code: "CONSTRAINT" });
  expect(tenantry.tenants.stats()).toMatchObject({ open: 1, leased: 0 });
});

test("nothing of the failed file stays, and a retry after a repair serves it again", async () => {
  const tenantry = await twoTenants();
  await expect(notesOf(tenantry, "acme")).rejects.toMatchObject({ code: "TENANT_QUARANTINED" });
  const record = (await tenantry.catalog.get(ACME))!;
  const tables = await tenantry.tenants.visit(record, (handle) =>
    handle.run({ sql: "SELECT name FROM sqlite_schema WHERE name = 'before_failing'", params: [] }),
  );
  expect(tables.rows).toEqual([]);
  expect(await tenantry.fleet.run({ retry: true })).toMatchObject({
    migrated: 0,
    failed: [{ tenant: "acme", code: "MIGRATION_FAILED" }],
  });
  await tenantry.tenants.visit(record, (handle) =>
    handle.run({ sql: "UPDATE notes SET body = body || id", params: [] }),
  );
  expect(await tenantry.fleet.run({ retry: true })).toMatchObject({ migrated: 1, failed: [] });
  expect(await notesOf(tenantry, "acme")).toEqual(["twice1", "twice2"]);
});

test("a sweep goes on past it, counts it, and does not open it again before it is retried", async () => {
  const tenantry = await twoTenants();
  const seen: string[] = [];
  const result = await tenantry.fleet.run({ onProgress: ({ tenant }) => seen.push(tenant) });
  expect(result).toMatchObject({ behind: 2, migrated: 1, failed: [{ tenant: "acme" }] });
  expect(seen.toSorted()).toEqual(["acme", "good"]);
  expect(await tenantry.fleet.run()).toMatchObject({ behind: 0, migrated: 0, failed: [] });
  expect(await tenantry.fleet.countBehind({ retry: true })).toBe(1);
  expect(tenantry.tenants.stats()).toMatchObject({ open: 0, leased: 0 });
});

test("a suspended tenant's file is left to its operator by a sweep, and migrated when it is used again", async () => {
  const tenantry = await twoTenants();
  const good = parseTenantId("good");
  await tenantry.lifecycle.suspend(good);
  expect(await tenantry.fleet.run()).toMatchObject({ behind: 1, migrated: 0 });
  await tenantry.lifecycle.resume(good);
  await addNote(tenantry, "good", "twice");
  await expect(addNote(tenantry, "good", "twice")).rejects.toMatchObject({ code: "CONSTRAINT" });
});

test("a sweep passes over a tenant that is deleted or suspended while it comes to it", async () => {
  const tenantry = await twoTenants();
  const { catalog, lifecycle, fleet } = tenantry;
  const tenant = parseTenantId("good");
  const queue = fleet.behind();
  for await (const record of queue) {
    if (record.id !== tenant) continue;
    await lifecycle.suspend(tenant);
    await expect(tenantry.tenants.visit(record, async () => "no")).rejects.toMatchObject({
      code: "TENANT_STATE",
      tenant,
    });
    await lifecycle.delete(tenant);
    await lifecycle.create(tenant);
    await expect(tenantry.tenants.visit(record, async () => "no")).rejects.toMatchObject({
      code: "TENANT_NOT_FOUND",
    });
  }
  expect(await catalog.get(tenant)).toMatchObject({ state: "active" });
});

test("a tenant that is ahead, as after a roll-back of the application, is served as it is", async () => {
  const data = await tempFolder();
  const migrations = await migrationSet([NOTES, UNIQUE]);
  const ahead = await tempTenantry({ data, migrations, tenants: ["acme"] });
  await ahead.close();
  const behind = await tempTenantry({ data });
  await addNote(behind, "acme", "works");
  expect(await behind.catalog.get(ACME)).toMatchObject({ schemaHash: migrations.hash });
});
