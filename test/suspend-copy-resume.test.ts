// Holds suspension to its promise: the tenant's one file can be copied out, and back in, with cp.
import { copyFile, readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { parseTenantId } from "../src/tenant-id.ts";
import { OtherProcess } from "./support/other-process.ts";
import { addNote, notesOf, tempFolder, tempTenantry } from "./support/temp-folder.ts";

const ACME = parseTenantId("acme");

test("a file copied out while suspended holds all that was committed, and can be copied back in", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  const path = tenantry.driver.files.pathOf(ACME);
  const copy = join(await tempFolder(), "copy.db");
  for (const body of ["a", "b"]) await addNote(tenantry, "acme", body);
  await tenantry.lifecycle.suspend(ACME, { reason: "backup" });
  await expect(notesOf(tenantry, "acme")).rejects.toMatchObject({
    code: "TENANT_SUSPENDED",
    message: 'Tenant "acme" is suspended: backup.',
  });
  const names = await readdir(dirname(path));
  expect(names.filter((name) => name.startsWith("acme"))).toEqual([basename(path)]);
  await copyFile(path, copy);
  await tenantry.lifecycle.resume(ACME);

  await addNote(tenantry, "acme", "after the copy");
  await tenantry.lifecycle.suspend(ACME);
  await copyFile(copy, path);
  await tenantry.lifecycle.resume(ACME);
  expect(await notesOf(tenantry, "acme")).toEqual(["a", "b"]);
  await addNote(tenantry, "acme", "c");
  expect(await notesOf(tenantry, "acme")).toEqual(["a", "b", "c"]);
});

test("a suspension returns when the other process has let go, with what that one wrote in the file", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  const other = new OtherProcess(tenantry.driver.dir, { watchMs: 10 });
  await other.do("query", "acme", "INSERT INTO notes (body) VALUES ('theirs')");
  await addNote(tenantry, "acme", "ours");
  await tenantry.lifecycle.suspend(ACME);
  expect(await other.do("stats")).toMatchObject({ open: 0, leased: 0 });
  const copy = join(await tempFolder(), "copy.db");
  await copyFile(tenantry.driver.files.pathOf(ACME), copy);
  const sqlite = new Database(copy, { readonly: true });
  expect(sqlite.prepare("SELECT body FROM notes").pluck().all()).toEqual(["theirs", "ours"]);
  sqlite.close();
  await expect(other.do("query", "acme", "SELECT 1")).rejects.toMatchObject({ code: "TENANT_SUSPENDED" });
  await other.do("resume", "acme");
  expect(await notesOf(tenantry, "acme")).toEqual(["theirs", "ours"]);
});

test("many suspensions and resumptions under load lose no write that was acknowledged", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  const other = new OtherProcess(tenantry.driver.dir, { watchMs: 5 });
  const acknowledged: string[] = [];
  let stop = false;
  const refusals = new Set<unknown>();
  const write = async (who: number): Promise<void> => {
    for (let n = 0; ; n++) {
      if (stop) return;
      const body = `${who}:${n}`;
      try {
        await addNote(tenantry, "acme", body);
        acknowledged.push(body);
      } catch (error) {
        refusals.add((error as { code?: unknown }).code);
        await new Promise((resolve) => void setImmediate(resolve));
      }
    }
  };
  const writers = [1, 2, 3].map(write);
  for (let n = 0; n < 10; n++) {
    await other.do("suspend", "acme");
    await other.do("resume", "acme");
    await other.do("query", "acme", `INSERT INTO notes (body) VALUES ('other:${n}')`);
    acknowledged.push(`other:${n}`);
  }
  stop = true;
  await Promise.all(writers);
  expect((await notesOf(tenantry, "acme")).toSorted()).toEqual(acknowledged.toSorted());
  expect([...refusals].filter((code) => code !== "TENANT_SUSPENDED")).toEqual([]);
});

test("suspending twice and resuming twice is no error; an unknown tenant is", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  await tenantry.lifecycle.suspend(ACME);
  await tenantry.lifecycle.suspend(ACME);
  await tenantry.lifecycle.resume(ACME);
  await tenantry.lifecycle.resume(ACME);
  expect(await notesOf(tenantry, "acme")).toEqual([]);
  const nobody = parseTenantId("nobody");
  await expect(tenantry.lifecycle.suspend(nobody)).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" });
  await expect(tenantry.lifecycle.resume(nobody)).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" });
});
