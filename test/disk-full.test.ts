// Holds a full or read-only disk to being said by its name, undone as a whole, and over when there is room.
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseTenantId } from "../src/tenant-id.ts";
import { createTenantry } from "../src/tenantry.ts";
import { NO_SMALL_DISK, smallDisk } from "./support/small-disk.ts";
import { addNote, notesOf, tempTenantry } from "./support/temp-folder.ts";

const ACME = parseTenantId("acme");
const LARGE = "x".repeat(50_000);

if (NO_SMALL_DISK) console.log(`Full and read-only disks are not tested: ${NO_SMALL_DISK}.`);

test("a tenant that reaches its size is DATABASE_FULL, as a whole, and the others go on", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme", "other"], maxDatabaseBytes: 100_000 });
  await addNote(tenantry, "acme", "small");
  const full = { code: "DATABASE_FULL", tenant: "acme" };
  await addNote(tenantry, "acme", LARGE);
  await expect(addNote(tenantry, "acme", LARGE)).rejects.toMatchObject(full);
  const db = tenantry.database("acme");
  const note = (body: string) => db.prepare("INSERT INTO notes (body) VALUES (?)").bind(body);
  await expect(db.batch([note("no"), note(LARGE)])).rejects.toMatchObject(full);
  const transaction = db.transaction("write", async (tx) => {
    await tx.prepare("INSERT INTO notes (body) VALUES ('no')").run();
    await tx.prepare("INSERT INTO notes (body) VALUES (?)").bind(LARGE).run();
  });
  await expect(transaction).rejects.toMatchObject(full);
  expect(await notesOf(tenantry, "acme")).toEqual(["small", LARGE]);
  await addNote(tenantry, "other", LARGE);
  await db.prepare("DELETE FROM notes WHERE id = 2").run();
  await addNote(tenantry, "acme", LARGE);
  expect(await notesOf(tenantry, "acme")).toEqual(["small", LARGE]);
});

test.skipIf(NO_SMALL_DISK)(
  "a full disk is DATABASE_FULL for writes and creations, and leaves nothing half made",
  async () => {
    const { dir } = await smallDisk(1_500_000);
    const tenantry = await tempTenantry({ data: dir, tenants: ["acme"] });
    await addNote(tenantry, "acme", "kept");
    const filler = join(dir, "filler");
    // The disk is full when not even a block more fits.
    await writeFile(filler, Buffer.alloc(2_000_000)).catch(() => undefined);
    const full = { code: "DATABASE_FULL" };
    const fails = Array.from({ length: 20 }, () => addNote(tenantry, "acme", LARGE));
    const outcomes = await Promise.allSettled(fails);
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({
        status: "rejected",
        reason: { code: "DATABASE_FULL", tenant: "acme" },
      });
    }
    await expect(tenantry.lifecycle.create(parseTenantId("late"))).rejects.toMatchObject(full);
    expect(await tenantry.catalog.get(parseTenantId("late"))).toBeUndefined();
    expect(await readdir(join(dir, "scratch"))).toEqual([]);
    await expect(tenantry.lifecycle.exportFile(ACME, join(dir, "copy.db"))).rejects.toMatchObject(full);
    expect(await readdir(dir)).not.toContain("copy.db");
    expect(await notesOf(tenantry, "acme")).toEqual(["kept"]);

    await rm(filler);
    await addNote(tenantry, "acme", "after");
    await tenantry.lifecycle.create(parseTenantId("late"));
    expect(await notesOf(tenantry, "acme")).toEqual(["kept", "after"]);
    const { results } = await tenantry.database("acme").prepare("PRAGMA integrity_check").all();
    expect(results).toEqual([{ integrity_check: "ok" }]);
  },
);

test.skipIf(NO_SMALL_DISK)(
  "a disk that cannot be written is DATABASE_READ_ONLY from the start on",
  async () => {
    const { dir, remount } = await smallDisk(4_000_000);
    const before = await createTenantry({ data: join(dir, "data") });
    await before.lifecycle.create(ACME);
    await before.close();
    remount("ro");
    const readOnly = { code: "DATABASE_READ_ONLY" };
    await expect(createTenantry({ data: join(dir, "data") })).rejects.toMatchObject(readOnly);
    await expect(createTenantry({ data: join(dir, "new") })).rejects.toMatchObject(readOnly);
    await expect(before.driver.open("acme")).rejects.toMatchObject(readOnly);
    await expect(before.driver.stage("late", { key: "k", build: async () => {} })).rejects.toMatchObject(
      readOnly,
    );
    await expect(before.driver.remove("acme")).rejects.toMatchObject(readOnly);
    remount("rw");
    const after = await tempTenantry({ data: join(dir, "data") });
    await addNote(after, "acme", "works");
    expect(await notesOf(after, "acme")).toEqual(["works"]);
  },
);
