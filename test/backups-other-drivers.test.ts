// Holds backups to passing over tenants that are no files here: their databases are kept, and backed up, elsewhere.
import { join } from "node:path";
import { expect } from "vitest";
import { libsqlDriver } from "../src/drivers/libsql/libsql-driver.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import {
  replicatedTenantry,
  restoredNotes,
  scratchFolder,
  until,
  withLitestream,
} from "./backups-litestream.ts";
import { libsqlServer } from "./support/libsql-server.ts";
import { tempFolder } from "./support/temp-folder.ts";

const FILE = parseTenantId("file");
const REMOTE = parseTenantId("remote");

withLitestream(
  "tenants of another driver are passed over, and those of files are backed up beside them",
  async () => {
    const dir = await scratchFolder();
    const before = await replicatedTenantry(dir, { replica: undefined });
    await before.lifecycle.create(FILE);
    await before.close();

    const server = await libsqlServer();
    await server.create("remote");
    const driver = libsqlDriver({ url: server.url });
    const tenantry = await replicatedTenantry(dir, { driver });
    const { catalog, lifecycle, recovery } = tenantry;
    expect(await lifecycle.create(REMOTE)).toMatchObject({ driver: "libsql", backupState: "none" });
    const backups = await tenantry.backups({ pollMs: 20, settleIdleMs: 0 });
    for (const id of [FILE, REMOTE]) {
      await tenantry.database(id).prepare("INSERT INTO notes (body) VALUES ('x')").run();
    }
    const record = await until("the file is in the replica", async () => {
      const now = await catalog.get(FILE, { fresh: true });
      return now?.backupState === "clean" && now;
    });
    expect(await restoredNotes(dir, record)).toEqual(["x"]);
    // Suspended and resumed, as anybody may be.
    await lifecycle.suspend(REMOTE);
    await lifecycle.resume(REMOTE);
    expect(await catalog.get(REMOTE, { fresh: true })).toMatchObject({ backupState: "none" });
    expect(backups.status()).toMatchObject({ dirty: 0, alarms: [], failures: 0 });

    expect(await recovery.drills.run({ all: true })).toMatchObject({ passed: 1, failed: 0, skipped: 0 });
    expect(await recovery.drills.run({ tenants: [FILE, REMOTE] })).toMatchObject({
      passed: 1,
      failed: 0,
      skipped: 1,
    });
    expect(await recovery.snapshots.takeAll()).toMatchObject({
      taken: 1,
      passedOver: 1,
      failed: [],
    });
    await expect(recovery.snapshots.take(REMOTE)).rejects.toMatchObject({ code: "UNSUPPORTED" });
    await expect(recovery.restores.inPlace(REMOTE, { kind: "replica" })).rejects.toMatchObject({
      code: "UNSUPPORTED",
    });
    await expect(recovery.archives.write(REMOTE, join(await tempFolder(), "a.tar"))).rejects.toMatchObject({
      code: "UNSUPPORTED",
    });
    using budget = recovery.keepWithin(1, { coldMs: -1, lookMs: 1e9 });
    await budget.look();
    expect((await catalog.backups.away(10)).map(({ id }) => id)).not.toContain("remote");
    // Its rows are somebody else's to remove, and that is said.
    await expect(recovery.erasure.erase(REMOTE)).rejects.toMatchObject({
      code: "ERASE_INCOMPLETE",
      message: /its database, which libsql keeps/,
    });
    await server.remove("remote");
    expect(await recovery.erasure.erase(REMOTE)).toMatchObject({ files: [], replica: { objects: 0 } });
  },
);
