// Holds archives to bringing a tenant elsewhere as it was, and to refusing one that has been touched on the way.
import { execFileSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseTenantId } from "../src/tenant-id.ts";
import { cliFolder } from "./cli-process.ts";
import { addNote, notesOf, tempFolder, tempTenantry } from "./support/temp-folder.ts";

const ACME = parseTenantId("acme");

test("an archive is a tar file like any other, and a tenant comes out of it with the same rows", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  for (const note of ["a", "b"]) await addNote(tenantry, "acme", note);
  const dir = await tempFolder();
  const archive = join(dir, "acme.tar");
  const manifest = await tenantry.recovery.archives.write(ACME, archive);
  expect(manifest).toMatchObject({ tenant: "acme", schemaVersion: "0001_notes.sql" });
  expect(manifest.tables.find(({ table }) => table === "notes")).toMatchObject({ rows: 2 });
  expect(execFileSync("tar", ["-tf", archive], { encoding: "utf8" })).toBe("manifest.json\ndatabase.db\n");
  const out = join(dir, "out.db");
  expect(await tenantry.recovery.archives.read(archive, out)).toEqual(manifest);
  await tenantry.lifecycle.importFile(parseTenantId("twin"), out);
  expect(await notesOf(tenantry, "twin")).toEqual(["a", "b"]);
  const nobody = tenantry.recovery.archives.write(parseTenantId("nobody"), join(dir, "no.tar"));
  await expect(nobody).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" });
});

test("what was changed, cut off, added, or is something else is refused, and nothing is left of it", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  await addNote(tenantry, "acme", "as it was");
  const dir = await tempFolder();
  const archive = join(dir, "acme.tar");
  await tenantry.recovery.archives.write(ACME, archive);
  const bytes = await readFile(archive);
  const unpacked = join(dir, "unpacked");
  execFileSync("mkdir", [unpacked]);
  execFileSync("tar", ["-xf", archive, "-C", unpacked]);
  const pack = (name: string, ...args: string[]): string => {
    execFileSync("tar", ["-cf", join(dir, name), "-C", unpacked, ...args]);
    return join(dir, name);
  };
  const write = async (name: string, content: Uint8Array | string): Promise<string> => {
    await writeFile(join(dir, name), content);
    return join(dir, name);
  };
  const changed = Buffer.from(bytes);
  changed.write("as it is ", changed.indexOf("as it was"));
  const evil = join(dir, "evil");
  const refused = {
    changed: await write("changed.tar", changed),
    "cut off": await write("cut.tar", bytes.subarray(0, bytes.length - 6000)),
    "without a manifest": pack("bare.tar", "database.db"),
    "without a database": pack("empty.tar", "manifest.json"),
    "no tar": await write("no.tar", "x".repeat(4096)),
  };
  for (const [what, path] of Object.entries(refused)) {
    await expect(tenantry.recovery.archives.read(path, join(dir, "out.db")), what).rejects.toMatchObject({
      code: "IMPORT_INVALID",
    });
  }
  await writeFile(join(unpacked, "manifest.json"), '{"format":"other"}');
  const other = tenantry.recovery.archives.read(pack("other.tar", "."), join(dir, "out.db"));
  await expect(other).rejects.toMatchObject({ code: "IMPORT_INVALID" });
  // A link that leads out, and a path that does: nothing is written there.
  execFileSync("ln", ["-sf", evil, join(unpacked, "manifest.json")]);
  const link = tenantry.recovery.archives.read(
    pack("link.tar", "manifest.json", "database.db"),
    join(dir, "out.db"),
  );
  await expect(link).rejects.toMatchObject({ code: "IMPORT_INVALID" });
  await expect(readFile(evil)).rejects.toMatchObject({ code: "ENOENT" });
  await expect(readFile(join(dir, "out.db"))).rejects.toMatchObject({ code: "ENOENT" });
});

test("on the command line: by its ending, by --archive, from a file and from stdin", async () => {
  await using here = await cliFolder();
  await using there = await cliFolder();
  await here.run(["tenants", "create", "acme"]);
  const exported = await here.run(["tenants", "export", "acme", "-o", "acme.tar", "--json"]);
  expect(JSON.parse(exported.stdout)).toMatchObject({
    tenant: "acme",
    manifest: { format: "tenantry-archive" },
  });
  const archive = join(here.dir, "acme.tar");
  expect(await there.run(["tenants", "import", "acme", archive])).toMatchObject({
    code: 0,
    stdout: /^imported acme/,
  });
  const plain = await here.run(["tenants", "export", "acme", "-o", "acme.db"]);
  expect(plain.code).toBe(0);
  expect((await readFile(join(here.dir, "acme.db"))).toString("latin1", 0, 15)).toBe("SQLite format 3");
  expect(await there.run(["tenants", "import", "again", join(here.dir, "acme.db")])).toMatchObject({
    code: 0,
  });
});
