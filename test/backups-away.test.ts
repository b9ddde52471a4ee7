// Holds the disk's budget to moving only tenants of whom the replica has everything, and timetables to their minute.
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { LEAVING_REASON } from "../src/backups/restores.ts";
import { examineFolder } from "../src/observe/doctor-folder.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { exists } from "../src/drivers/local/database-file.ts";
import { lineFolder, NO_LITESTREAM, replicateOnce } from "./support/litestream.ts";
import { addNote, notesOf, tempFolder, tempTenantry, whenHere } from "./support/temp-folder.ts";

const ACME = parseTenantId("acme");

async function cold(names: readonly string[]) {
  const folder = join(await tempFolder(), "replica");
  const tenantry = await tempTenantry({ tenants: names, replica: `file://${folder}`, idleMs: 1 });
  for (const name of names) {
    await addNote(tenantry, name, name);
    await replicateOnce(tenantry, name, folder);
  }
  await vi.waitFor(() => expect(tenantry.tenants.stats().open).toBe(0));
  return { tenantry, folder };
}

test.skipIf(NO_LITESTREAM)(
  "cold tenants leave until the budget is kept, and come back with their rows",
  async () => {
    const { tenantry } = await cold(["acme", "globex", "initech"]);
    const { catalog, driver } = tenantry;
    const sizes = await Promise.all(
      ["acme", "globex", "initech"].map(async (id) => (await catalog.get(parseTenantId(id)))?.sizeBytes ?? 0),
    );
    const total = sizes.reduce((sum, size) => sum + size, 0);
    using budget = tenantry.recovery.keepWithin(total - 1, { coldMs: -1, lookMs: 1e9 });
    expect(await budget.look()).toMatchObject({ left: 1, problem: null });
    expect(await budget.look()).toMatchObject({ left: 0 });
    const [gone] = await catalog.backups.away(10);
    expect(gone).toMatchObject({ id: "acme", state: "active", backupState: "clean" });
    expect(await exists(driver.files.pathOf(ACME))).toBe(false);
    // For the doctor nothing is missing.
    expect(await examineFolder({ dir: driver.dir, catalog })).toMatchObject([
      { check: "files", severity: "ok" },
    ]);
    expect(await whenHere(() => notesOf(tenantry, "acme"))).toEqual(["acme"]);
    await addNote(tenantry, "acme", "back");
    expect(await whenHere(() => notesOf(tenantry, "acme"))).toEqual(["acme", "back"]);
  },
);

test.skipIf(NO_LITESTREAM)(
  "who was written to, is in use, was opened lately, or is not whole in the replica, stays",
  async () => {
    const { tenantry, folder } = await cold(["acme", "globex", "initech", "lately"]);
    const { catalog } = tenantry;
    await catalog.backups.markDirty(ACME);
    const lease = await tenantry.tenants.lease(parseTenantId("globex"));
    const record = await catalog.get(parseTenantId("initech"));
    const line = lineFolder(folder, record!);
    for (const name of await readdir(line)) await rm(join(line, name));
    {
      using budget = tenantry.recovery.keepWithin(1, { coldMs: -1, lookMs: 1e9 });
      const look = await budget.look();
      expect(look).toMatchObject({ left: 1 });
      expect(look.problem).not.toBeNull();
    }
    lease.release();
    expect((await catalog.backups.away(10)).map(({ id }) => id)).toEqual(["lately"]);
    expect(await whenHere(() => notesOf(tenantry, "lately"))).toEqual(["lately"]);
    {
      using budget = tenantry.recovery.keepWithin(1, { lookMs: 1e9 });
      expect(await budget.look()).toMatchObject({ left: 0 });
    }
    for (const id of ["acme", "globex", "initech"]) {
      expect(await notesOf(tenantry, id)).toEqual([id]);
      expect(await catalog.get(parseTenantId(id))).toMatchObject({ state: "active", awaySince: null });
    }
  },
);

test.skipIf(NO_LITESTREAM)(
  "killed while it leaves, a tenant has its file or comes from the replica",
  async () => {
    for (const isAway of [false, true]) {
      const { tenantry } = await cold(["acme"]);
      const { catalog } = tenantry;
      await catalog.setState(ACME, { from: ["active"], to: "moving", reason: LEAVING_REASON });
      const record = await catalog.get(ACME);
      if (isAway) await catalog.backups.setAway(record!, Date.now());
      expect(await tenantry.recovery.restores.mend()).toMatchObject([
        { id: "acme", backupEpoch: 1, backupState: "clean" },
      ]);
      expect(await whenHere(() => notesOf(tenantry, "acme"))).toEqual(["acme"]);
    }
  },
);

test.skipIf(NO_LITESTREAM)(
  "a file that somebody has put there while it was away is the tenant's",
  async () => {
    const { tenantry } = await cold(["acme"]);
    const { driver, catalog } = tenantry;
    {
      using budget = tenantry.recovery.keepWithin(1, { coldMs: -1, lookMs: 1e9 });
      await budget.look();
    }
    await tenantry.lifecycle.suspend(ACME);
    const path = driver.files.pathOf(ACME);
    expect(await exists(path)).toBe(false);
    const other = await tempTenantry({ tenants: ["acme"] });
    await addNote(other, "acme", "from elsewhere");
    await other.lifecycle.exportFile(ACME, path);
    await tenantry.lifecycle.resume(ACME);
    expect(await whenHere(() => notesOf(tenantry, "acme"))).toEqual(["from elsewhere"]);
    expect(await catalog.get(ACME)).toMatchObject({ awaySince: null, backupEpoch: 2, backupState: "dirty" });
  },
);

test("a timetable takes snapshots at its moment and under its name, and refuses what is no time", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  const { recovery } = tenantry;
  await expect(recovery.startTimetable({ snapshots: { cron: "every night" } })).rejects.toMatchObject({
    code: "INVALID_OPTION",
  });
  // With a field for seconds, so that the test need not wait for a minute.
  await recovery.startTimetable({ snapshots: { cron: "* * * * * *", keep: 1 } });
  const [job] = await vi.waitFor(
    () => {
      const jobs = recovery.jobs.list().filter(({ state }) => state === "done");
      expect(jobs.length).toBeGreaterThan(0);
      return jobs;
    },
    { timeout: 20_000 },
  );
  expect(job).toMatchObject({ kind: "snapshot", tenant: null });
  expect((await recovery.snapshots.list(ACME))[0]?.name).toMatch(/T\d\d-\d\d-00\.000Z$/);
});
