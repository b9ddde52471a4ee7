// Holds snapshots to being one whole file of one moment, while others write.
import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { parseTenantId } from "../src/tenant-id.ts";
import { insert, tempDatabase } from "./support/temp-database.ts";
import { addNote, notesOf, tempFolder, tempTenantry } from "./support/temp-folder.ts";

const ACME = parseTenantId("acme");

test("a copy that is made while others write holds one moment, and none of their halves", async () => {
  const handle = await tempDatabase();
  await handle.exec("CREATE TABLE pair (a, b, filler)");
  // Many pages, so that the copy takes many steps, between which the writer comes.
  for (let n = 0; n < 100; n++) {
    await handle.run({ sql: "INSERT INTO pair VALUES (0, 0, zeroblob(20000))", params: [] });
  }
  const path = join(await tempFolder(), "copy.db");
  const copying = { on: true };
  const copy = handle.snapshot(path).finally(() => (copying.on = false));
  let writes = 0;
  while (copying.on) {
    await handle.batch([
      { sql: "UPDATE pair SET a = a + 1", params: [] },
      { sql: "UPDATE pair SET b = b + 1", params: [] },
    ]);
    writes++;
    await new Promise((resolve) => void setImmediate(resolve));
  }
  await copy;
  expect(writes).toBeGreaterThan(1);

  expect(await readdir(join(path, ".."))).toEqual(["copy.db"]);
  const sqlite = new Database(path, { readonly: true });
  expect(sqlite.pragma("journal_mode", { simple: true })).toBe("delete");
  expect(sqlite.pragma("integrity_check", { simple: true })).toBe("ok");
  expect(sqlite.prepare("SELECT count(*) FROM pair WHERE a <> b").pluck().get()).toBe(0);
  expect(sqlite.prepare("SELECT count(DISTINCT a) FROM pair").pluck().get()).toBe(1);
  sqlite.close();
});

test("what is committed but still in the log is in the copy", async () => {
  const handle = await tempDatabase();
  await handle.run(insert("in the log"));
  expect((await stat(`${handle.path}-wal`)).size).toBeGreaterThan(0);
  const path = join(await tempFolder(), "copy.db");
  await handle.snapshot(path);
  const sqlite = new Database(path, { readonly: true });
  expect(sqlite.prepare("SELECT v FROM t").pluck().all()).toEqual(["in the log"]);
  sqlite.close();
});

test("a file that is there is never overwritten, and a folder that is not there is said", async () => {
  const handle = await tempDatabase();
  const dir = await tempFolder();
  await writeFile(join(dir, "mine"), "mine");
  await expect(handle.snapshot(join(dir, "mine"))).rejects.toMatchObject({ code: "DATABASE_EXISTS" });
  expect((await stat(join(dir, "mine"))).size).toBe(4);
  await expect(handle.snapshot(join(dir, "no", "copy.db"))).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
  });
});

test("a handle that is closed in the midst of a copy ends it, and leaves no file", async () => {
  const handle = await tempDatabase();
  for (let n = 0; n < 100; n++) await handle.run(insert("x".repeat(20_000)));
  const dir = await tempFolder();
  const copy = handle.snapshot(join(dir, "copy.db"));
  const ended = expect(copy).rejects.toMatchObject({ name: "TenantryError" });
  while ((await readdir(dir)).length === 0) await new Promise((resolve) => void setImmediate(resolve));
  await handle.close();
  await ended;
  expect(await readdir(dir)).toEqual([]);
});

test("a tenant is exported while it serves, and while it is suspended or quarantined", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  await addNote(tenantry, "acme", "a");
  const dir = await tempFolder();
  await tenantry.lifecycle.exportFile(ACME, join(dir, "active.db"));
  await tenantry.lifecycle.suspend(ACME);
  await tenantry.lifecycle.exportFile(ACME, join(dir, "suspended.db"));
  await tenantry.catalog.setState(ACME, { from: ["suspended"], to: "quarantined" });
  await tenantry.lifecycle.exportFile(ACME, join(dir, "quarantined.db"));
  expect((await readdir(dir)).toSorted()).toEqual(["active.db", "quarantined.db", "suspended.db"]);
  for (const name of await readdir(dir)) {
    const sqlite = new Database(join(dir, name), { readonly: true });
    expect(sqlite.prepare("SELECT body FROM notes").pluck().all()).toEqual(["a"]);
    sqlite.close();
  }
  const nobody = tenantry.lifecycle.exportFile(parseTenantId("nobody"), join(dir, "nobody.db"));
  await expect(nobody).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" });
});

test("an export comes back as a tenant with all its rows, and its file is taken", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  await addNote(tenantry, "acme", "a");
  const path = join(await tempFolder(), "copy.db");
  await tenantry.lifecycle.exportFile(ACME, path);
  await tenantry.lifecycle.importFile(parseTenantId("twin"), path);
  await expect(stat(path)).rejects.toMatchObject({ code: "ENOENT" });
  await addNote(tenantry, "twin", "b");
  expect(await notesOf(tenantry, "twin")).toEqual(["a", "b"]);
  expect(await notesOf(tenantry, "acme")).toEqual(["a"]);
});
