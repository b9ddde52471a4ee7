// Holds snapshots to being checked, whole, named after their moment, and kept as long as they were asked to be.
import { open, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { snapshotName } from "../src/backups/snapshot-name.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { addNote, notesOf, tempFolder, tempTenantry } from "./support/temp-folder.ts";

const ACME = parseTenantId("acme");
const DAY_MS = 86_400_000;

test("a snapshot is one plain file of the moment, which any SQLite reads", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  await addNote(tenantry, "acme", "before");
  const { snapshots } = tenantry.recovery;
  const taken = await snapshots.take(ACME, { actor: "tester" });
  await addNote(tenantry, "acme", "after");
  expect(await snapshots.list(ACME)).toEqual([taken]);
  const folder = join(tenantry.driver.dir, "snapshots", "acme");
  expect(await readdir(folder)).toEqual([`${taken.name}.db`]);
  const sqlite = new Database(join(folder, `${taken.name}.db`), { readonly: true });
  expect(sqlite.prepare("SELECT body FROM notes").pluck().all()).toEqual(["before"]);
  expect(sqlite.pragma("journal_mode", { simple: true })).toBe("delete");
  sqlite.close();
  const { entries } = await tenantry.catalog.listAudit({ tenant: ACME, limit: 1 });
  expect(entries[0]).toMatchObject({
    actor: "tester",
    action: "snapshot.create",
    detail: { name: taken.name },
  });
});

test("what fails its check is no snapshot", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme", "globex"] });
  for (let n = 0; n < 50; n++) await addNote(tenantry, "acme", "x".repeat(3000));
  await tenantry.lifecycle.suspend(ACME);
  const path = tenantry.driver.files.pathOf(ACME);
  const sqlite = new Database(path);
  const page = sqlite
    .prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'notes'")
    .pluck()
    .get() as number;
  sqlite.close();
  const file = await open(path, "r+");
  await file.write(Buffer.alloc(64, 0xff), 0, 64, (page - 1) * 4096 + 8);
  await file.close();
  const { snapshots } = tenantry.recovery;
  await expect(snapshots.take(ACME)).rejects.toMatchObject({ code: "DATABASE_CORRUPT", tenant: "acme" });
  expect(await snapshots.list(ACME)).toEqual([]);
  expect(await readdir(join(tenantry.driver.dir, "scratch"))).toEqual([]);
  const all = await snapshots.takeAll();
  expect(all).toMatchObject({ taken: 1, failed: [{ tenant: "acme", code: "DATABASE_CORRUPT" }] });
});

test("all are taken under one moment, past the cache, and none twice", async () => {
  const names = ["a", "b", "c", "d", "e"];
  const tenantry = await tempTenantry({ tenants: names, maxOpen: 1 });
  await tenantry.lifecycle.suspend(parseTenantId("c"));
  const { opens } = tenantry.tenants.stats();
  const at = Date.UTC(2026, 10, 22, 3);
  const progress: number[] = [];
  const { snapshots } = tenantry.recovery;
  const result = await snapshots.takeAll({
    at,
    concurrency: 3,
    onProgress: ({ done }) => progress.push(done),
  });
  expect(result).toEqual({
    name: "2026-11-22T03-00-00.000Z",
    taken: 5,
    passedOver: 0,
    removed: 0,
    failed: [],
  });
  expect(progress).toEqual([1, 2, 3, 4, 5]);
  expect(tenantry.tenants.stats().opens).toBe(opens);
  for (const name of names) {
    expect(await snapshots.list(parseTenantId(name))).toMatchObject([{ name: snapshotName(at), at }]);
  }
  await expect(snapshots.take(ACME)).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" });
  expect((await snapshots.takeAll({ at })).failed).toMatchObject([
    { code: "DATABASE_EXISTS" },
    {},
    {},
    {},
    {},
  ]);
});

test("old ones go by number and by age, the newest never, and strange files are nobody's snapshots", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  const { snapshots } = tenantry.recovery;
  const now = Date.UTC(2026, 10, 22);
  for (const days of [40, 30, 20, 10, 5]) await snapshots.take(ACME, { at: now - days * DAY_MS });
  const folder = join(tenantry.driver.dir, "snapshots", "acme");
  await writeFile(join(folder, "mine.db"), "mine");
  const ages = async (): Promise<number[]> =>
    (await snapshots.list(ACME)).map(({ at }) => (now - at) / DAY_MS);
  expect(await snapshots.prune(ACME, { now, maxAgeMs: 35 * DAY_MS })).toBe(1);
  expect(await ages()).toEqual([30, 20, 10, 5]);
  expect(await snapshots.prune(ACME, { now, keep: 2 })).toBe(2);
  expect(await ages()).toEqual([10, 5]);
  expect(await snapshots.prune(ACME, { now, maxAgeMs: DAY_MS })).toBe(1);
  expect(await ages()).toEqual([5]);
  expect(await readdir(folder)).toContain("mine.db");
});

test("a snapshot comes back in place, or as another tenant", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  const { snapshots, restores } = tenantry.recovery;
  await addNote(tenantry, "acme", "kept");
  const first = await snapshots.take(ACME);
  await addNote(tenantry, "acme", "lost");
  await snapshots.take(ACME);
  await restores.toNew(ACME, parseTenantId("twin"), { kind: "snapshot", name: first.name });
  expect(await notesOf(tenantry, "twin")).toEqual(["kept"]);
  expect(await notesOf(tenantry, "acme")).toEqual(["kept", "lost"]);
  expect(await restores.plan(ACME, { kind: "snapshot", name: first.name })).toMatchObject({ at: first.at });
  await restores.inPlace(ACME, { kind: "snapshot", name: first.name });
  expect(await notesOf(tenantry, "acme")).toEqual(["kept"]);
  const nothing = restores.inPlace(ACME, { kind: "snapshot", name: snapshotName(0) });
  await expect(nothing).rejects.toMatchObject({ code: "SNAPSHOT_NOT_FOUND" });
});

test("kept as objects, they are compressed, come back, and those of the folder are not theirs", async () => {
  const place = join(await tempFolder(), "kept");
  const tenantry = await tempTenantry({ tenants: ["acme"], snapshots: `file://${place}` });
  const { snapshots, restores } = tenantry.recovery;
  for (let n = 0; n < 20; n++) await addNote(tenantry, "acme", "the same again ".repeat(200));
  const taken = await snapshots.take(ACME);
  expect(taken.storedBytes).toBeLessThan(20_000);
  expect(await readdir(join(place, "acme"))).toEqual([`${taken.name}.db.zst`]);
  expect(await readdir(join(tenantry.driver.dir, "scratch"))).toEqual([]);
  await addNote(tenantry, "acme", "later");
  await restores.inPlace(ACME, { kind: "snapshot" });
  expect(await notesOf(tenantry, "acme")).toHaveLength(20);
  expect(await snapshots.prune(ACME, { keep: 1 })).toBe(0);
});
