// Holds restores in place to the promise: checked first, a short pause, the one file or the other, and a way back.
import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { RESTORE_REASON } from "../src/backups/restores.ts";
import { lockTenant } from "../src/backups/tenant-lock.ts";
import { migrationSet } from "../src/migrations/migration-set.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { NOTES } from "./support/notes-schema.ts";
import { OtherProcess } from "./support/other-process.ts";
import { addNote, notesOf, tempFolder, tempTenantry } from "./support/temp-folder.ts";

const ACME = parseTenantId("acme");

/** A file with those notes, and the schema of the tests. */
async function fileOf(...notes: string[]): Promise<string> {
  const path = join(await tempFolder(), "from.db");
  const sqlite = new Database(path);
  sqlite.exec(NOTES.sql);
  for (const body of notes) sqlite.prepare("INSERT INTO notes (body) VALUES (?)").run(body);
  sqlite.exec(
    "CREATE TABLE d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)",
  );
  sqlite.prepare("INSERT INTO d1_migrations (name) VALUES (?)").run(NOTES.name);
  sqlite.close();
  return path;
}

test("a file takes the tenant's place, the epoch rises, and an undo brings back what was there, and again", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  const { restores } = tenantry.recovery;
  await addNote(tenantry, "acme", "present");
  const before = await tenantry.catalog.get(ACME);
  const path = await fileOf("past");
  const result = await restores.inPlace(ACME, { kind: "file", path }, { actor: "tester" });
  expect(result).toMatchObject({
    restored: { kind: "file", name: path },
    tenant: { state: "active", reason: null },
  });
  expect(await notesOf(tenantry, "acme")).toEqual(["past"]);
  expect((await tenantry.catalog.get(ACME))?.backupEpoch).toBe((before?.backupEpoch ?? 0) + 1);
  // The user's own file has only been read.
  expect((await stat(path)).size).toBeGreaterThan(0);
  await addNote(tenantry, "acme", "after");
  for (const notes of [["present"], ["past", "after"], ["present"]]) {
    await restores.undo(ACME);
    expect(await notesOf(tenantry, "acme")).toEqual(notes);
  }
  expect(await readdir(join(tenantry.driver.dir, "replaced", "acme"))).toHaveLength(1);
  expect(await readdir(join(tenantry.driver.dir, "scratch"))).toEqual([]);
  const { entries } = await tenantry.catalog.listAudit({ tenant: ACME });
  expect(entries.filter(({ action }) => action === "tenant.restore")).toHaveLength(4);
});

test("what is damaged, no database, not there, or cannot be migrated changes nothing", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  const { restores } = tenantry.recovery;
  await addNote(tenantry, "acme", "present");
  const before = await tenantry.catalog.get(ACME);
  const dir = await tempFolder();
  const text = join(dir, "text.db");
  await writeFile(text, "no database".repeat(1000));
  const empty = join(dir, "empty.db");
  await writeFile(empty, "");
  const other = join(dir, "other.db");
  new Database(other).exec("CREATE TABLE notes (mine)").close();
  await expect(restores.inPlace(ACME, { kind: "file", path: text })).rejects.toMatchObject({
    code: "IMPORT_INVALID",
  });
  await expect(restores.inPlace(ACME, { kind: "file", path: empty })).rejects.toMatchObject({
    code: "IMPORT_INVALID",
  });
  const strange = join(dir, "strange.db");
  new Database(strange).exec("CREATE TABLE theirs (a)").close();
  await expect(restores.inPlace(ACME, { kind: "file", path: strange })).rejects.toMatchObject({
    code: "IMPORT_INVALID",
    message: expect.stringContaining("none of the migrations") as string,
  });
  await expect(restores.inPlace(ACME, { kind: "file", path: join(dir, "no.db") })).rejects.toMatchObject({
    code: "ENOENT",
  });
  await expect(restores.inPlace(ACME, { kind: "file", path: other })).rejects.toMatchObject({
    code: "MIGRATION_FAILED",
    tenant: "acme",
  });
  await expect(restores.inPlace(ACME, { kind: "snapshot" })).rejects.toMatchObject({
    code: "SNAPSHOT_NOT_FOUND",
  });
  await expect(restores.inPlace(ACME, { kind: "replica" })).rejects.toMatchObject({
    code: "BACKUPS_UNAVAILABLE",
  });
  await expect(restores.undo(ACME)).rejects.toMatchObject({ code: "NOTHING_REPLACED" });
  await expect(restores.undo(parseTenantId("nobody"))).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" });
  expect(await notesOf(tenantry, "acme")).toEqual(["present"]);
  expect(await tenantry.catalog.get(ACME)).toMatchObject({
    state: "active",
    backupEpoch: before?.backupEpoch,
  });
  expect(await readdir(join(tenantry.driver.dir, "scratch"))).toEqual([]);
});

test("it waits for what runs, gives up in time, and the tenant is as it was", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"], drainTimeoutMs: 50 });
  await addNote(tenantry, "acme", "present");
  const lease = await tenantry.tenants.lease(ACME);
  const path = await fileOf("past");
  const restored = tenantry.recovery.restores.inPlace(ACME, { kind: "file", path });
  await expect(restored).rejects.toMatchObject({ code: "TENANT_BUSY" });
  lease.release();
  expect(await notesOf(tenantry, "acme")).toEqual(["present"]);
  expect(await tenantry.catalog.get(ACME)).toMatchObject({ state: "active", reason: null });
});

test("another process that serves the tenant lets go, and goes on with what came back", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  const other = new OtherProcess(tenantry.driver.dir, { watchMs: 10 });
  await other.do("query", "acme", "INSERT INTO notes (body) VALUES ('theirs')");
  await tenantry.recovery.restores.inPlace(ACME, { kind: "file", path: await fileOf("past") });
  expect(await other.do("query", "acme", "SELECT body FROM notes")).toEqual([{ body: "past" }]);
});

test("writers meanwhile are refused or write into what came back, and nobody loses what is acknowledged", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  const path = await fileOf("past");
  const acknowledged: { body: string; epoch: number }[] = [];
  const refused = new Set<unknown>();
  let stop = false;
  const epoch = async (): Promise<number> => (await tenantry.catalog.get(ACME))!.backupEpoch;
  const write = async (who: number): Promise<void> => {
    for (let n = 0; ; n++) {
      if (stop) return;
      const began = await epoch();
      try {
        await addNote(tenantry, "acme", `${who}:${n}`);
        if (began === (await epoch())) acknowledged.push({ body: `${who}:${n}`, epoch: began });
      } catch (error) {
        refused.add((error as { code: unknown }).code);
      }
      await new Promise((resolve) => void setImmediate(resolve));
    }
  };
  const writers = [1, 2, 3].map(write);
  for (let n = 0; n < 3; n++) await tenantry.recovery.restores.inPlace(ACME, { kind: "file", path });
  stop = true;
  await Promise.all(writers);
  expect([...refused].filter((code) => code !== "TENANT_BUSY")).toEqual([]);
  const notes = await notesOf(tenantry, "acme");
  expect(notes[0]).toBe("past");
  const present = await epoch();
  const last = acknowledged.filter((one) => one.epoch === present).map(({ body }) => body);
  expect(notes).toEqual(expect.arrayContaining(last));
});

test("a suspended tenant stays suspended, a quarantined one and one without a file serve again", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme", "lost"] });
  const { restores } = tenantry.recovery;
  const path = await fileOf("past");
  await tenantry.lifecycle.suspend(ACME, { reason: "unpaid" });
  await restores.inPlace(ACME, { kind: "file", path });
  expect(await tenantry.catalog.get(ACME)).toMatchObject({ state: "suspended", reason: "unpaid" });
  await tenantry.catalog.setState(ACME, { from: ["suspended"], to: "quarantined", reason: "0002 failed" });
  await restores.inPlace(ACME, { kind: "file", path });
  expect(await notesOf(tenantry, "acme")).toEqual(["past"]);
  const lost = parseTenantId("lost");
  await tenantry.driver.remove(lost);
  await expect(notesOf(tenantry, "lost")).rejects.toMatchObject({ code: "DATABASE_MISSING" });
  await restores.inPlace(lost, { kind: "file", path });
  expect(await notesOf(tenantry, "lost")).toEqual(["past"]);
});

test("what came back is of an older schema, and is migrated before it takes the place", async () => {
  const data = await tempFolder();
  const old = await tempTenantry({ data, tenants: ["acme"] });
  await addNote(old, "acme", "old");
  const { name } = await old.recovery.snapshots.take(ACME);
  await old.close();
  const migrations = await migrationSet([
    NOTES,
    { name: "0002_more.sql", sql: "ALTER TABLE notes ADD COLUMN more" },
  ]);
  const tenantry = await tempTenantry({ data, migrations });
  const result = await tenantry.recovery.restores.inPlace(ACME, { kind: "snapshot", name });
  expect(result.migrated).toEqual(["0002_more.sql"]);
  expect(await tenantry.catalog.get(ACME)).toMatchObject({ schemaVersion: "0002_more.sql" });
  expect(await notesOf(tenantry, "acme")).toEqual(["old"]);
});

test.for(["paused", "raised", "replaced"] as const)(
  "killed when it is %s, the tenant has a whole file, and serves when mended",
  async (point) => {
    const data = await tempFolder();
    const path = await fileOf("past");
    const first = await tempTenantry({ data, tenants: ["acme"] });
    await addNote(first, "acme", "present");
    await first.close();
    const other = new OtherProcess(data);
    await other.doUntil("restoreUpTo", 1, "acme", path, point);
    const tenantry = await tempTenantry({ data });
    const { restores } = tenantry.recovery;
    // Whoever lives is let alone.
    expect(await restores.mend()).toEqual([]);
    await expect(restores.undo(ACME)).rejects.toMatchObject({ code: "TENANT_BUSY" });
    await expect(notesOf(tenantry, "acme")).rejects.toMatchObject({
      code: "TENANT_BUSY",
      message: `Tenant "acme" is moving: ${RESTORE_REASON}.`,
    });
    await other.kill();
    expect(await restores.mend()).toMatchObject([{ id: "acme", state: "active" }]);
    expect(await notesOf(tenantry, "acme")).toEqual([point === "replaced" ? "past" : "present"]);
    expect(await restores.mend()).toEqual([]);
    if (point === "replaced") {
      await restores.undo(ACME);
      expect(await notesOf(tenantry, "acme")).toEqual(["present"]);
    }
  },
);

test("two at once: one waits for nobody and is told so", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  const path = await fileOf("past");
  {
    using lock = await lockTenant(tenantry.driver.dir, ACME);
    expect(lock?.tenant).toBe("acme");
    const busy = tenantry.recovery.restores.inPlace(ACME, { kind: "file", path });
    await expect(busy).rejects.toMatchObject({ code: "TENANT_BUSY", message: /restored already/ });
  }
  await tenantry.recovery.restores.inPlace(ACME, { kind: "file", path });
});
