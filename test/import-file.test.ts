// Holds imports to taking whole databases only, and to leaving no tenant behind where they refuse.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { parseTenantId } from "../src/tenant-id.ts";
import { NOTES } from "./support/notes-schema.ts";
import { addNote, notesOf, tempFolder, tempTenantry } from "./support/temp-folder.ts";

const ACME = parseTenantId("acme");

/** A file with what `sql` makes. */
async function fileOf(sql: string): Promise<string> {
  const path = join(await tempFolder(), "import.db");
  const sqlite = new Database(path);
  sqlite.exec(sql);
  sqlite.close();
  return path;
}

test("a file without the schema gets it", async () => {
  const tenantry = await tempTenantry();
  await tenantry.lifecycle.importFile(
    ACME,
    await fileOf("CREATE TABLE mine (a); INSERT INTO mine VALUES (1)"),
  );
  await addNote(tenantry, "acme", "a");
  expect(await notesOf(tenantry, "acme")).toEqual(["a"]);
  expect(await tenantry.database("acme").prepare("SELECT a FROM mine").first("a")).toBe(1);
});

test("a file that has the schema but no journal is imported with a baseline, and only so", async () => {
  const tenantry = await tempTenantry();
  const sql = `${NOTES.sql}; INSERT INTO notes (body) VALUES ('theirs')`;
  const refused = tenantry.lifecycle.importFile(ACME, await fileOf(sql));
  await expect(refused).rejects.toMatchObject({ code: "MIGRATION_FAILED", tenant: "acme" });
  expect(await tenantry.catalog.get(ACME)).toBeUndefined();
  await tenantry.lifecycle.importFile(ACME, await fileOf(sql), { baseline: true });
  expect(await notesOf(tenantry, "acme")).toEqual(["theirs"]);
});

test.for([
  ["no database", async (path: string) => writeFile(path, "not a database ".repeat(1000))],
  ["nothing", async (path: string) => writeFile(path, "")],
  ["half a file", async (path: string) => writeFile(path, (await readFile(path)).subarray(0, 6000))],
  [
    "garbage in the midst",
    async (path: string) => {
      const bytes = await readFile(path);
      await writeFile(path, bytes.fill(0xff, 8192));
    },
  ],
] as const)("%s is refused, and the name stays free", async ([, damage]) => {
  const tenantry = await tempTenantry();
  const path = await fileOf(`CREATE TABLE mine (a);
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000)
    INSERT INTO mine SELECT printf('%.50c', 'x') FROM n; CREATE INDEX mine_a ON mine (a)`);
  await damage(path);
  const refused = tenantry.lifecycle.importFile(ACME, path);
  await expect(refused).rejects.toMatchObject({ code: "IMPORT_INVALID", tenant: "acme" });
  expect(await tenantry.catalog.get(ACME)).toBeUndefined();
  await tenantry.lifecycle.create(ACME);
  expect(await notesOf(tenantry, "acme")).toEqual([]);
});

test("an id that is taken is refused before the file is touched", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  const path = await fileOf("CREATE TABLE mine (a)");
  const before = await readFile(path);
  await expect(tenantry.lifecycle.importFile(ACME, path)).rejects.toMatchObject({ code: "TENANT_EXISTS" });
  expect((await readFile(path)).equals(before)).toBe(true);
});

test("a file that somebody still writes is refused: half of it would be in his log", async () => {
  const tenantry = await tempTenantry();
  const path = await fileOf("PRAGMA journal_mode = WAL; CREATE TABLE mine (a)");
  const writer = new Database(path);
  writer.exec("INSERT INTO mine VALUES (1)");
  await expect(tenantry.lifecycle.importFile(ACME, path)).rejects.toMatchObject({ code: "DATABASE_BUSY" });
  expect(await tenantry.catalog.get(ACME)).toBeUndefined();
  writer.exec("INSERT INTO mine VALUES (2)");
  writer.close();
  await tenantry.lifecycle.importFile(ACME, path);
  expect(await tenantry.database("acme").prepare("SELECT count(*) AS n FROM mine").first("n")).toBe(2);
});

test("a log beside the file is part of it", async () => {
  const tenantry = await tempTenantry();
  const source = await fileOf("PRAGMA journal_mode = WAL; CREATE TABLE mine (a)");
  const writer = new Database(source);
  writer.exec("INSERT INTO mine VALUES (1)");
  const path = join(await tempFolder(), "copied.db");
  for (const suffix of ["", "-wal"]) await writeFile(path + suffix, await readFile(source + suffix));
  writer.close();
  await tenantry.lifecycle.importFile(ACME, path);
  expect(await tenantry.database("acme").prepare("SELECT count(*) AS n FROM mine").first("n")).toBe(1);
  expect(await readdir(join(path, ".."))).toEqual([]);
});
