// Holds deletion to removing everything and nothing else's, and to a name that begins anew after it.
import { readdir, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { localDriver } from "../src/drivers/local/local-driver.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { until } from "./support/counting-handles.ts";
import { OtherProcess } from "./support/other-process.ts";
import { addNote, notesOf, tempFolder, tempTenantry } from "./support/temp-folder.ts";

const ACME = parseTenantId("acme");

/** The names of a tenant's files that are there. */
async function filesOf(path: string): Promise<string[]> {
  const names = await readdir(dirname(path));
  return names.filter((name) => name.startsWith(basename(path))).toSorted();
}

test("removes the file and every side file, and leaves a tombstone", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme", "other"] });
  await addNote(tenantry, "acme", "a");
  await addNote(tenantry, "other", "kept");
  const path = tenantry.driver.files.pathOf(ACME);
  expect(await filesOf(path)).toEqual(["acme.db", "acme.db-shm", "acme.db-wal"]);
  const deleted = await tenantry.lifecycle.delete(ACME);
  expect(deleted).toMatchObject({ state: "deleted", id: "acme" });
  expect(await filesOf(path)).toEqual([]);
  await expect(notesOf(tenantry, "acme")).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" });
  await expect(tenantry.lifecycle.delete(ACME)).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" });
  expect(await notesOf(tenantry, "other")).toEqual(["kept"]);
});

test.for([[[""]], [["-wal", "-shm"]], [["", "-wal", "-shm", "-journal"]], [["-journal"]], [[]]] as const)(
  "the driver removes whichever files are there: %j",
  async ([suffixes]) => {
    const tenantry = await tempTenantry({ tenants: ["acme"] });
    const path = tenantry.driver.files.pathOf(ACME);
    await rm(path);
    for (const suffix of suffixes) await writeFile(path + suffix, "not a database");
    await tenantry.driver.remove(ACME);
    expect(await filesOf(path)).toEqual([]);
  },
);

test("nothing opens a deleted tenant, and nothing makes its file again", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  const path = tenantry.driver.files.pathOf(ACME);
  const record = (await tenantry.catalog.get(ACME))!;
  const db = tenantry.database("acme");
  await tenantry.lifecycle.delete(ACME);
  await expect(db.prepare("SELECT 1").all()).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" });
  await expect(tenantry.withSqlite("acme", () => "no")).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" });
  await expect(tenantry.tenants.lease(ACME)).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" });
  await expect(tenantry.tenants.visit(record, async () => "no")).rejects.toMatchObject({
    code: "DATABASE_MISSING",
  });
  await expect(tenantry.driver.open(ACME)).rejects.toMatchObject({ code: "DATABASE_MISSING" });
  expect(await filesOf(path)).toEqual([]);
});

test("a tenant of the same name is another one, and inherits no row and no log", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  const path = tenantry.driver.files.pathOf(ACME);
  const before = await tenantry.catalog.get(ACME);
  await addNote(tenantry, "acme", "old");
  await tenantry.lifecycle.delete(ACME);
  await writeFile(`${path}-wal`, "stale");
  const after = await tenantry.lifecycle.create(ACME);
  expect(after.incarnation).not.toBe(before?.incarnation);
  expect(await notesOf(tenantry, "acme")).toEqual([]);
  await addNote(tenantry, "acme", "new");
  expect(await notesOf(tenantry, "acme")).toEqual(["new"]);
});

test("waits for the requests that use it, and refuses new ones meanwhile", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  const lease = await tenantry.tenants.lease(ACME);
  const deleted = tenantry.lifecycle.delete(ACME);
  await until(async () => (await tenantry.catalog.get(ACME))?.state === "suspended");
  await expect(notesOf(tenantry, "acme")).rejects.toMatchObject({ code: "TENANT_SUSPENDED" });
  await lease.handle.handle.run({ sql: "SELECT 1", params: [] });
  lease.release();
  await deleted;
  expect(await filesOf(tenantry.driver.files.pathOf(ACME))).toEqual([]);
});

test("removes nothing of a tenant that stays in use, and can be asked again", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"], drainTimeoutMs: 20 });
  await addNote(tenantry, "acme", "kept");
  const lease = await tenantry.tenants.lease(ACME);
  await expect(tenantry.lifecycle.delete(ACME)).rejects.toMatchObject({
    code: "TENANT_BUSY",
    tenant: "acme",
    message: expect.stringMatching(/still in use after 20 ms\. It is suspended all the same\./),
  });
  expect(await tenantry.catalog.get(ACME)).toMatchObject({ state: "suspended" });
  lease.release();
  await tenantry.lifecycle.resume(ACME);
  expect(await notesOf(tenantry, "acme")).toEqual(["kept"]);
  await tenantry.lifecycle.delete(ACME);
});

test("another process lets go of a tenant that is deleted here, and never makes it again", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  const other = new OtherProcess(tenantry.driver.dir, { watchMs: 10 });
  expect(await other.do("query", "acme", "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  expect(await other.do("stats")).toMatchObject({ open: 1 });
  await tenantry.lifecycle.delete(ACME);
  expect(await filesOf(tenantry.driver.files.pathOf(ACME))).toEqual([]);
  expect(await other.do("stats")).toMatchObject({ open: 0 });
  await expect(other.do("query", "acme", "SELECT 1")).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" });
  await tenantry.lifecycle.create(ACME);
  await addNote(tenantry, "acme", "new");
  expect(await other.do("query", "acme", "SELECT body FROM notes")).toEqual([{ body: "new" }]);
});

test("a tenant whose file another program has open is not deleted", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"], drainTimeoutMs: 20 });
  await addNote(tenantry, "acme", "kept");
  const program = new Database(tenantry.driver.files.pathOf(ACME));
  program.prepare("SELECT * FROM notes").all();
  await expect(tenantry.lifecycle.delete(ACME)).rejects.toMatchObject({ code: "TENANT_BUSY" });
  await expect(tenantry.driver.quiesce(ACME, { timeoutMs: 5 })).rejects.toMatchObject({
    code: "DATABASE_BUSY",
  });
  expect((await stat(tenantry.driver.files.pathOf(ACME))).size).toBeGreaterThan(0);
  program.close();
  await tenantry.lifecycle.delete(ACME);
});

test("the driver removes nothing that somebody has open", async () => {
  const dir = await tempFolder();
  const driver = localDriver({ dir, busyTimeoutMs: 5 });
  const staged = await driver.stage("acme", { key: "none", build: async () => {} });
  await staged.commit();
  const handle = await driver.open("acme");
  await handle.exec("CREATE TABLE t (a)");
  await expect(driver.remove("acme")).rejects.toMatchObject({ code: "DATABASE_BUSY" });
  expect(await driver.exists("acme")).toBe(true);
  await handle.close();
  await driver.remove("acme");
  expect(await driver.exists("acme")).toBe(false);
});

test("a tenant whose file is no database can be deleted", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  const path = tenantry.driver.files.pathOf(ACME);
  await writeFile(path, "not a database".repeat(1000));
  await tenantry.lifecycle.delete(ACME);
  expect(await filesOf(path)).toEqual([]);
  await tenantry.lifecycle.create(ACME);
  expect(await notesOf(tenantry, "acme")).toEqual([]);
});
