// Holds erasure to leaving nothing of a tenant anywhere, nothing of others touched, and a report of what there was.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { openObjectStore } from "../src/backups/open-object-store.ts";
import { parseReplicaUrl, replicaPath } from "../src/backups/replica-url.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { cliFolder } from "./cli-process.ts";
import { litestream, NO_LITESTREAM, replicateOnce } from "./support/litestream.ts";
import { azurite, NO_AZURITE } from "./support/azurite.ts";
import { gcsServer, NO_GCS } from "./support/gcs-server.ts";
import { s3Server } from "./support/s3-server.ts";
import { addNote, notesOf, tempFolder, tempTenantry } from "./support/temp-folder.ts";

const ACME = parseTenantId("acme");

async function everyFile(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  return entries.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name));
}

test.skipIf(NO_LITESTREAM)(
  "nothing of it is left in the folder, in the snapshots and in the replica",
  async () => {
    const folder = join(await tempFolder(), "replica");
    const tenantry = await tempTenantry({ tenants: ["acme", "acme-2"], replica: `file://${folder}` });
    const { erasure, restores, snapshots } = tenantry.recovery;
    const secret = "b7d1f7c0-what-nobody-may-find";
    for (const tenant of ["acme", "acme-2"]) {
      await addNote(tenantry, tenant, tenant === "acme" ? secret : "theirs");
      await replicateOnce(tenantry, tenant, folder);
    }
    // Of a tenant that had the name before, of a restore, of a snapshot, and of a crash.
    await tenantry.lifecycle.delete(ACME);
    await tenantry.lifecycle.create(ACME);
    await addNote(tenantry, "acme", secret);
    await snapshots.take(ACME);
    await restores.inPlace(ACME, { kind: "snapshot" });
    await replicateOnce(tenantry, "acme", folder);
    const orphans = join(tenantry.driver.dir, "orphans", "2026-11-22");
    await mkdir(orphans, { recursive: true });
    await writeFile(join(orphans, "acme.db"), secret);
    await writeFile(join(orphans, "acme-2.db"), "theirs");
    await tenantry.lifecycle.suspend(ACME);
    const path = tenantry.driver.files.pathOf(ACME);
    const sha256 = createHash("sha256")
      .update(await readFile(path))
      .digest("hex");

    const report = await erasure.erase(ACME, { actor: "tester" });
    expect(report).toMatchObject({
      tenant: "acme",
      replica: { place: `file://${folder}` },
      snapshots: { names: [/Z$/] },
    });
    expect(report.replica?.objects).toBeGreaterThanOrEqual(2);
    expect(report.files.map(({ sha256: found }) => found)).toContain(sha256);
    const { entries } = await tenantry.catalog.listAudit({ tenant: ACME, limit: 1 });
    expect(entries[0]).toMatchObject({ actor: "tester", action: "tenant.erase", detail: report });
    expect(await tenantry.catalog.get(ACME, { deleted: true })).toMatchObject({ state: "deleted" });
    for (const file of [...(await everyFile(tenantry.driver.dir)), ...(await everyFile(folder))]) {
      expect(file).not.toMatch(/\/acme(?:\.db|\/)/);
      expect((await readFile(file)).includes(secret), file).toBe(false);
    }
    expect(await notesOf(tenantry, "acme-2")).toEqual(["theirs"]);
    await restores.toNew(parseTenantId("acme-2"), parseTenantId("acme-3"), { kind: "replica" });
    expect(await readdir(orphans)).toEqual(["acme-2.db"]);
    // Again: there is nothing, and that is said.
    expect(await erasure.erase(ACME)).toMatchObject({ files: [], replica: { objects: 0 } });
    await expect(erasure.erase(parseTenantId("nobody"))).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" });
  },
);

test.skipIf(NO_LITESTREAM)(
  "a replica that is not named, or that cannot be listed, stops it before anything is gone",
  async () => {
    const data = await tempFolder();
    const folder = join(await tempFolder(), "replica");
    const first = await tempTenantry({ data, tenants: ["acme"], replica: `file://${folder}` });
    await addNote(first, "acme", "kept");
    await replicateOnce(first, "acme", folder);
    await first.close();
    for (const [replica, code] of [
      [undefined, "BACKUPS_UNAVAILABLE"],
      ["sftp://user@127.0.0.1:1/path", "BACKUPS_UNAVAILABLE"],
    ] as const) {
      const tenantry = await tempTenantry({ data, replica });
      await expect(tenantry.recovery.erasure.erase(ACME)).rejects.toMatchObject({ code });
      expect(await notesOf(tenantry, "acme")).toEqual(["kept"]);
      await tenantry.close();
    }
  },
);

test.for([
  ["S3", s3Server, undefined],
  ["Google's storage", gcsServer, NO_GCS],
  ["Azure's storage", azurite, NO_AZURITE],
] as const)(
  "objects of %s are erased, and none of a neighbour whose name begins alike",
  async ([, place, missing], { skip }) => {
    skip(missing !== undefined, missing);
    const replica = await place();
    const tenantry = await tempTenantry({ tenants: ["acme"], replica });
    const store = await openObjectStore(parseReplicaUrl(replica));
    const file = join(await tempFolder(), "file");
    await writeFile(file, "object");
    for (const key of [
      "default/acme/i/1/ltx/0/a",
      "default/acme/i/2/ltx/0/b",
      "default/acme-2/i/1/ltx/0/c",
    ]) {
      await store.put(key, file);
    }
    const report = await tenantry.recovery.erasure.erase(ACME);
    expect(report.replica).toMatchObject({ objects: 2, bytes: 12 });
    const left: string[] = [];
    for await (const { key } of store.list("")) left.push(key);
    expect(left).toEqual(["default/acme-2/i/1/ltx/0/c"]);
  },
);

test("what never was in a replica is erased without one, also when it was restored", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  const { erasure, restores, snapshots } = tenantry.recovery;
  await addNote(tenantry, "acme", "first");
  await snapshots.take(ACME);
  await restores.inPlace(ACME, { kind: "snapshot" });
  await addNote(tenantry, "acme", "second");
  const report = await erasure.erase(ACME, { actor: "tester" });
  expect(report).toMatchObject({ tenant: "acme", replica: null });
});

test("on the command line it wants a yes, and prints the report", async () => {
  await using folder = await cliFolder();
  await folder.run(["tenants", "create", "acme"]);
  expect(await folder.run(["erase", "acme"])).toMatchObject({ code: 2, stderr: /--yes/ });
  const erased = await folder.run(["erase", "acme", "--yes"]);
  expect(erased).toMatchObject({
    code: 0,
    stdout: /^erased acme: 1 file, 0 snapshots; .*Nothing is left\.\n$/,
  });
  const again = await folder.run(["erase", "acme", "--yes", "--json"]);
  expect(JSON.parse(again.stdout)).toMatchObject({ tenant: "acme", files: [], replica: null });
});

test.skipIf(NO_LITESTREAM)("from S3 a tenant is restored, drilled and erased as from a folder", async () => {
  const replica = await s3Server();
  const tenantry = await tempTenantry({ tenants: ["acme"], replica });
  const { restores, drills, erasure } = tenantry.recovery;
  await addNote(tenantry, "acme", "in the bucket");
  const record = await tenantry.catalog.get(ACME);
  const url = parseReplicaUrl(replica).at(replicaPath(record!));
  await promisify(execFile)(litestream().path, [
    "replicate",
    "-once",
    tenantry.driver.files.pathOf(ACME),
    url,
  ]);
  await tenantry.catalog.backups.settle(record!);
  await tenantry.catalog.backups.clean(record!, 1);
  expect(await drills.run({ all: true })).toMatchObject({ passed: 1, failed: 0 });
  await addNote(tenantry, "acme", "later");
  await restores.inPlace(ACME, { kind: "replica" });
  expect(await notesOf(tenantry, "acme")).toEqual(["in the bucket"]);
  const report = await erasure.erase(ACME);
  expect(report.replica?.objects).toBeGreaterThan(0);
  const store = await openObjectStore(parseReplicaUrl(replica));
  for await (const { key } of store.list("")) expect(key).toBe("");
});
