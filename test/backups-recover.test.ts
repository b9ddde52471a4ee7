// Holds recovery on an empty machine, and files that come back on first use, to the rows that there were.
import { execFile } from "node:child_process";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { FileExaminer } from "../src/backups/file-examiner.ts";
import { Hydration } from "../src/backups/hydration.ts";
import { recoverCatalog } from "../src/backups/recover-catalog.ts";
import { catalogPath } from "../src/backups/replica-url.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import type { Tenantry } from "../src/tenantry.ts";
import { cliFolder } from "./cli-process.ts";
import { lineFolder, litestream, NO_LITESTREAM, replicateOnce } from "./support/litestream.ts";
import { OtherProcess } from "./support/other-process.ts";
import { addNote, notesOf, tempFolder, tempTenantry, whenHere } from "./support/temp-folder.ts";

const ACME = parseTenantId("acme");
const NAMES = ["acme", "globex", "initech"];

async function replicateCatalog(tenantry: Tenantry, folder: string, epoch = 1): Promise<void> {
  const path = join(tenantry.driver.dir, "catalog.db");
  const url = `file://${folder}/${catalogPath(epoch)}`;
  await promisify(execFile)(litestream().path, ["replicate", "-once", path, url]);
}

/** A replica of three tenants and of their catalog; the machine that they were on is gone. */
async function disaster(): Promise<{ folder: string; replica: string; data: string }> {
  const folder = join(await tempFolder(), "replica");
  const replica = `file://${folder}`;
  const lost = await tempTenantry({ tenants: NAMES, replica });
  for (const name of NAMES) {
    for (let n = 0; n < 3; n++) await addNote(lost, name, `${n} of ${name}`);
    await replicateOnce(lost, name, folder);
  }
  await lost.lifecycle.create(parseTenantId("never"));
  await replicateCatalog(lost, folder);
  await lost.close();
  return { folder, replica, data: join(await tempFolder(), "new") };
}

test.skipIf(NO_LITESTREAM)("the catalog comes back, and each tenant with its first use", async () => {
  const { folder, replica, data } = await disaster();
  const recovered = await recoverCatalog({ data, replica, actor: "tester" });
  expect(recovered).toMatchObject({ away: 4, here: 0, dirty: 1, never: 0 });
  const tenantry = await tempTenantry({ data, replica });
  expect(await readdir(join(data, "tenants")).catch(() => [])).toEqual([]);
  // Ten at once share one fetch.
  const all = await Promise.all(Array.from({ length: 10 }, () => whenHere(() => notesOf(tenantry, "acme"))));
  expect(all).toEqual(Array.from({ length: 10 }, () => ["0 of acme", "1 of acme", "2 of acme"]));
  expect(await tenantry.catalog.get(ACME)).toMatchObject({
    awaySince: null,
    backupEpoch: 2,
    backupState: "dirty",
  });
  expect(await tenantry.catalog.backups.countAway()).toBe(3);
  await addNote(tenantry, "acme", "after");
  await replicateOnce(tenantry, "acme", folder);
  // Another process meets the same: its tenant comes while it asks.
  const other = new OtherProcess(data, { replica });
  expect(await whenHere(() => other.do("query", "globex", "SELECT count(*) AS n FROM notes"))).toEqual([
    { n: 3 },
  ]);
  await expect(whenHere(() => notesOf(tenantry, "never"))).rejects.toMatchObject({
    code: "REPLICA_EMPTY",
    tenant: "never",
  });
  const { entries } = await tenantry.catalog.listAudit({ limit: 1 });
  expect(entries[0]).toMatchObject({ action: "catalog.recover", actor: "tester" });
  await expect(recoverCatalog({ data, replica, actor: "tester" })).rejects.toMatchObject({
    code: "DATABASE_EXISTS",
  });
});

test.skipIf(NO_LITESTREAM)(
  "of two recoveries at once one brings the catalog, and the other says so",
  async () => {
    const { replica, data } = await disaster();
    const both = await Promise.allSettled(
      [1, 2].map(() => recoverCatalog({ data, replica, actor: "tester" })),
    );
    expect(both.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    expect(both).toContainEqual({
      status: "rejected",
      reason: expect.objectContaining({ code: "DATABASE_EXISTS" }) as Error,
    });
    const tenantry = await tempTenantry({ data, replica });
    expect(await tenantry.catalog.backups.countAway()).toBe(4);
    const { entries } = await tenantry.catalog.listAudit({ limit: 9 });
    expect(entries.filter(({ action }) => action === "catalog.recover")).toHaveLength(1);
    expect(await readdir(join(data, "scratch"))).toEqual([]);
  },
);

test.skipIf(NO_LITESTREAM)(
  "a replica that lost a tenant's last files brings nothing back, and says so",
  async () => {
    const { folder, replica, data } = await disaster();
    await recoverCatalog({ data, replica, actor: "tester" });
    const tenantry = await tempTenantry({ data, replica });
    const record = await tenantry.catalog.get(ACME);
    const line = lineFolder(folder, record!);
    for (const name of await readdir(line)) await rm(join(line, name));
    await expect(whenHere(() => notesOf(tenantry, "acme"))).rejects.toMatchObject({ code: "REPLICA_EMPTY" });
    expect((await tenantry.catalog.get(ACME))?.awaySince).not.toBeNull();
    expect(await whenHere(() => notesOf(tenantry, "globex"))).toHaveLength(3);
  },
);

test.skipIf(NO_LITESTREAM)(
  "files that are still there are kept, and the newest line of the catalog is taken",
  async () => {
    const { folder, replica } = await disaster();
    const data = await tempFolder();
    await mkdir(data, { recursive: true });
    const present = await tempTenantry({ data, replica, tenants: ["globex"] });
    await addNote(present, "globex", "newer than the replica");
    await replicateCatalog(present, folder, 3);
    await present.close();
    await rm(join(data, "catalog.db"));
    const recovered = await recoverCatalog({ data, replica, actor: "tester" });
    expect(recovered).toMatchObject({ away: 0, here: 1 });
    const tenantry = await tempTenantry({ data, replica });
    expect(await notesOf(tenantry, "globex")).toEqual(["newer than the replica"]);
  },
);

test.skipIf(NO_LITESTREAM)(
  "on the command line: one by one or all at once, and what makes no sense is said",
  async () => {
    const { replica } = await disaster();
    await using folder = await cliFolder({ LITESTREAM_BIN: litestream().path });
    const unnamed = await folder.run(["recover"]);
    expect(unnamed).toMatchObject({ code: 2, stderr: /--replica URL/ });
    const first = await folder.run(["recover", "--replica", replica, "--tenant", "acme"]);
    expect(first).toMatchObject({
      code: 0,
      stdout: /recovered the catalog of .*: 4 tenants\n1 tenant fetched, 0 failed/,
    });
    const rest = await folder.run(["recover", "--replica", replica, "--all", "--json"]);
    expect(rest.code).toBe(1);
    expect(JSON.parse(rest.stdout)).toMatchObject({
      fetched: 2,
      failed: [{ tenant: "never", code: "REPLICA_EMPTY" }],
    });
    const again = await folder.run(["recover", "--replica", replica]);
    expect(again).toMatchObject({ code: 2, stderr: /There is a catalog here already/ });
  },
);

test.skipIf(NO_LITESTREAM)(
  "who was told that his write is in the replica finds it there, though his tenant was made a moment before",
  async () => {
    const replica = `file://${join(await tempFolder(), "replica")}`;
    const tenantry = await tempTenantry({ replica, durability: "replicated" });
    await tenantry.backups();
    let acknowledged = 0;
    for (let n = 0; acknowledged < 3; n++) {
      const tenant = `tenant-${n}`;
      // As soon as it is made, or has been written to.
      const notes = acknowledged === 0 ? [] : ["acknowledged"];
      const write = async (): Promise<void> => {
        await tenantry.lifecycle.create(parseTenantId(tenant));
        for (const body of notes) await addNote(tenantry, tenant, body);
      };
      // On a busy machine some may have to be told that nobody knows: the next one is asked then.
      if (await write().catch(() => "nobody knows")) continue;
      acknowledged++;
      // This machine is lost now.
      const data = await tempFolder();
      await recoverCatalog({ data, replica, actor: "tester" });
      const elsewhere = await tempTenantry({ data, replica });
      expect(await whenHere(() => notesOf(elsewhere, tenant))).toEqual(notes);
      await elsewhere.close();
    }
  },
);

test.skipIf(NO_LITESTREAM)(
  "who comes while a tenant is fetched is told to come again, and one fetch is for all",
  async () => {
    const { replica, data } = await disaster();
    await recoverCatalog({ data, replica, actor: "tester" });
    const { catalog, driver, recovery } = await tempTenantry({ data, replica });
    const examiner = new FileExaminer();
    onTestFinished(() => examiner.close());
    const { files } = driver;
    const parts = { dir: driver.dir, catalog, driver, files, examiner, replica: () => recovery.replica() };
    const hydration = new Hydration({ ...parts, waitMs: 0 });
    const record = await catalog.get(ACME);
    const asked = await Promise.allSettled(Array.from({ length: 20 }, () => hydration.hydrate(record!)));
    for (const one of asked) {
      expect(one).toMatchObject({
        status: "rejected",
        reason: { code: "HYDRATING", tenant: "acme", retryAfterSeconds: 2 },
      });
    }
    const here = await hydration.bring(record!);
    // Each fetch would have begun a line of its own.
    expect(here).toMatchObject({ awaySince: null, backupEpoch: record!.backupEpoch + 1 });
    await hydration.close();
  },
);
