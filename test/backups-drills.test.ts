// Holds drills to finding what a restore would not bring back, to disturbing nobody, and to being remembered.
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test, vi } from "vitest";
import { parseTenantId } from "../src/tenant-id.ts";
import { lineFolder, NO_LITESTREAM, replicateOnce } from "./support/litestream.ts";
import { addNote, notesOf, tempFolder, tempTenantry } from "./support/temp-folder.ts";

const ACME = parseTenantId("acme");

async function drilled(tenants: string[]) {
  const folder = join(await tempFolder(), "replica");
  const tenantry = await tempTenantry({ tenants, replica: `file://${folder}` });
  for (const [n, tenant] of tenants.entries()) {
    for (let i = 0; i <= n; i++) await addNote(tenantry, tenant, `${i} of ${tenant}`);
    await replicateOnce(tenantry, tenant, folder);
  }
  return { tenantry, folder };
}

test.skipIf(NO_LITESTREAM)(
  "what comes back is compared table by table, and the catalog remembers",
  async () => {
    const { tenantry } = await drilled(["acme", "globex", "initech"]);
    const { drills } = tenantry.recovery;
    const progress: number[] = [];
    const run = await drills.run({
      all: true,
      onProgress: ({ done }) => progress.push(done),
      actor: "tester",
    });
    expect(run).toMatchObject({ passed: 3, failed: 0, skipped: 0 });
    expect(progress).toEqual([1, 2, 3]);
    const result = run.results.find(({ tenant }) => tenant === "initech");
    // The schema, the journal and its sequence, and the notes.
    // As many transactions as Litestream has made of them: more on a machine on which it is slow.
    const initech = await tenantry.catalog.get(parseTenantId("initech"));
    expect(result).toMatchObject({ outcome: "passed", problem: null, txid: initech?.backupTxid });
    expect(result?.rows).toBeGreaterThan(3);
    const record = await tenantry.catalog.get(ACME);
    expect(record?.backupVerifiedAt).toBeGreaterThan(0);
    expect(record?.backupVerifyFailure).toBeNull();
    expect(await tenantry.catalog.backups.failing(10)).toEqual([]);
    const { entries } = await tenantry.catalog.listAudit({ limit: 1 });
    expect(entries[0]).toMatchObject({ actor: "tester", action: "backups.verify", detail: { passed: 3 } });
    expect(await readdir(join(tenantry.driver.dir, "scratch"))).toEqual([]);
    expect((await drills.run({ largest: 1 })).results).toHaveLength(1);
    expect((await drills.run({ sample: 2 })).results).toHaveLength(2);
    await expect(drills.run({})).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  },
);

test.skipIf(NO_LITESTREAM)(
  "a live database that differs in one value, and a replica that is damaged, fail",
  async () => {
    const { tenantry, folder } = await drilled(["acme", "globex"]);
    const { drills, restores } = tenantry.recovery;
    // Behind everybody's back: the catalog still says that all of it is in the replica.
    await tenantry.lifecycle.suspend(ACME);
    const sqlite = new Database(tenantry.driver.files.pathOf(ACME));
    sqlite.exec("UPDATE notes SET body = body || '!'");
    sqlite.close();
    await tenantry.lifecycle.resume(ACME);
    const known = await tenantry.catalog.get(ACME);
    await tenantry.catalog.backups.settle(known!);
    await tenantry.catalog.backups.clean(known!, known!.backupTxid);
    const globex = await tenantry.catalog.get(parseTenantId("globex"));
    const line = lineFolder(folder, globex!);
    for (const name of await readdir(line)) await rm(join(line, name));
    const run = await drills.run({ all: true });
    expect(run).toMatchObject({ passed: 0, failed: 2 });
    const problems = Object.fromEntries(run.results.map(({ tenant, problem }) => [tenant, problem]));
    expect(problems["acme"]).toBe("The table notes came back with other content than it has.");
    expect(problems["globex"]).toMatch(/nothing of tenant "globex"/);
    expect((await tenantry.catalog.backups.failing(10)).map(({ id }) => id)).toEqual(["acme", "globex"]);
    // It is as it was, and a drill that passes takes the failure back.
    await restores.inPlace(ACME, { kind: "replica" });
    await replicateOnce(tenantry, "acme", folder);
    expect(await drills.run({ tenants: [ACME] })).toMatchObject({ passed: 1 });
    expect((await tenantry.catalog.backups.failing(10)).map(({ id }) => id)).toEqual(["globex"]);
  },
);

test.skipIf(NO_LITESTREAM)(
  "a tenant whose last writes nobody can bring over is skipped, and no failure",
  async () => {
    const { tenantry } = await drilled(["acme"]);
    await tenantry.catalog.backups.markDirty(ACME);
    await addNote(tenantry, "acme", "not there");
    const run = await tenantry.recovery.drills.run({ all: true });
    expect(run).toMatchObject({
      skipped: 1,
      results: [{ outcome: "skipped", problem: /not in the replica yet/ }],
    });
    expect((await tenantry.catalog.get(ACME))?.backupVerifiedAt).toBeNull();
    expect(await notesOf(tenantry, "acme")).toHaveLength(2);
  },
);

test.skipIf(NO_LITESTREAM)("by the clock, so many tenants are drilled as a job", async () => {
  const { tenantry } = await drilled(["acme", "globex"]);
  const { recovery, catalog } = tenantry;
  // With a field for seconds, so that the test need not wait for a minute.
  await recovery.startTimetable({ drills: { cron: "* * * * * *", sample: 1 } });
  const [job] = await vi.waitFor(
    () => {
      const jobs = recovery.jobs.list().filter(({ state }) => state === "done");
      expect(jobs.length).toBeGreaterThan(0);
      return jobs;
    },
    { timeout: 40_000 },
  );
  expect(job).toMatchObject({ kind: "verify", tenant: null, result: { passed: 1, failed: 0, skipped: 0 } });
  const { entries } = await catalog.listAudit({ limit: 1 });
  expect(entries[0]).toMatchObject({ actor: "timetable", action: "backups.verify" });
});

test("without a replica there is nothing to drill", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  await expect(tenantry.recovery.drills.run({ all: true })).rejects.toMatchObject({
    code: "BACKUPS_UNAVAILABLE",
  });
});
