// Holds opening to refusing what is missing or damaged by its name, without making it worse.
import { readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { parseTenantId } from "../src/tenant-id.ts";
import { createTenantry } from "../src/tenantry.ts";
import { addNote, notesOf, tempFolder, tempTenantry } from "./support/temp-folder.ts";

const ACME = parseTenantId("acme");

/** A tenant with a few pages, closed; a Tenantry that has not opened it yet. */
async function closedTenant() {
  const data = await tempFolder();
  const before = await createTenantry({ data, migrations: (await tempTenantry()).migrations });
  await before.lifecycle.create(ACME);
  for (const body of ["a", "b", "x".repeat(20_000)]) await addNote(before, "acme", body);
  await before.close();
  const tenantry = await tempTenantry({ data });
  return { tenantry, path: tenantry.driver.files.pathOf(ACME) };
}

test("a missing file is DATABASE_MISSING, is not made, and works when it is back", async () => {
  const { tenantry, path } = await closedTenant();
  await rename(path, `${path}.away`);
  const missing = { code: "DATABASE_MISSING", tenant: "acme" };
  await expect(notesOf(tenantry, "acme")).rejects.toMatchObject(missing);
  await expect(tenantry.withSqlite("acme", () => "no")).rejects.toMatchObject(missing);
  await expect(readFile(path)).rejects.toMatchObject({ code: "ENOENT" });
  await rename(`${path}.away`, path);
  expect(await notesOf(tenantry, "acme")).toHaveLength(3);
});

test.for([
  ["text", (path: string) => writeFile(path, "not a database ".repeat(1000))],
  ["nothing", (path: string) => truncate(path, 0)],
  ["half a page", (path: string) => truncate(path, 2048)],
  ["its first page", (path: string) => truncate(path, 4096)],
  [
    "a header with garbage behind it",
    async (path: string) => {
      const bytes = await readFile(path);
      await writeFile(path, bytes.fill(0xff, 100));
    },
  ],
] as const)("a file that holds %s is DATABASE_CORRUPT, and works when it is put back", async ([, damage]) => {
  const { tenantry, path } = await closedTenant();
  const whole = await readFile(path);
  await damage(path);
  const damaged = await readFile(path);
  const corrupt = { code: "DATABASE_CORRUPT", tenant: "acme" };
  await expect(notesOf(tenantry, "acme")).rejects.toMatchObject(corrupt);
  await expect(notesOf(tenantry, "acme")).rejects.toMatchObject(corrupt);
  expect((await readFile(path)).equals(damaged)).toBe(true);
  expect(tenantry.tenants.stats()).toMatchObject({ open: 0, leased: 0 });
  await writeFile(path, whole);
  expect(await notesOf(tenantry, "acme")).toHaveLength(3);
});

test("a log without its magic is DATABASE_CORRUPT, not an empty log, and stays where it is", async () => {
  const { tenantry, path } = await closedTenant();
  const other = await tempTenantry({ data: await tempFolder(), tenants: ["acme"] });
  await addNote(other, "acme", "in the log");
  const log = await readFile(`${other.driver.files.pathOf(ACME)}-wal`);
  log[0] = 0x36;
  await writeFile(`${path}-wal`, log);
  await expect(notesOf(tenantry, "acme")).rejects.toMatchObject({ code: "DATABASE_CORRUPT", tenant: "acme" });
  await tenantry.lifecycle.suspend(ACME);
  expect((await readFile(`${path}-wal`)).equals(log)).toBe(true);
  await tenantry.lifecycle.resume(ACME);
  await rm(`${path}-wal`);
  expect(await notesOf(tenantry, "acme")).toHaveLength(3);
});

test.for([0, 10, 32])("a log of %i zeros, as a power cut leaves it, is none", async (bytes) => {
  const { tenantry, path } = await closedTenant();
  await writeFile(`${path}-wal`, Buffer.alloc(bytes));
  expect(await notesOf(tenantry, "acme")).toHaveLength(3);
});

test("damage deep in a file is said when it is met, and the other tenants go on", async () => {
  const { tenantry, path } = await closedTenant();
  await tenantry.lifecycle.create(parseTenantId("other"));
  const bytes = await readFile(path);
  await writeFile(path, bytes.fill(0xff, bytes.length - 4096 * 3));
  const scan = tenantry.database("acme").prepare("SELECT sum(length(body)) FROM notes").all();
  await expect(scan).rejects.toMatchObject({ code: "DATABASE_CORRUPT", tenant: "acme" });
  await addNote(tenantry, "other", "works");
  expect(await notesOf(tenantry, "other")).toEqual(["works"]);
});

test("a catalog that is no database says so, and nothing stays open", async () => {
  const data = await tempFolder();
  await writeFile(`${data}/catalog.db`, "not a database ".repeat(1000));
  await expect(createTenantry({ data })).rejects.toMatchObject({ code: "DATABASE_CORRUPT" });
});
