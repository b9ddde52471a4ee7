// Owns what happens when Litestream's own folder beside a database cannot be written: writes go on, it is said, and
// all of it is in the replica when there is room again.
import { mkdirSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { replicationFolder } from "../src/drivers/local/database-file.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import {
  replicatedTenantry,
  restoredNotes,
  scratchFolder,
  until,
  withLitestream,
} from "./backups-litestream.ts";
import { NO_SMALL_DISK } from "./support/small-disk.ts";

const acme = parseTenantId("acme");

if (NO_SMALL_DISK) console.log(`Litestream's folder on a full disk is not tested: ${NO_SMALL_DISK}.`);
else {
  withLitestream(
    "Litestream's folder is full: writes go on, and are in the replica when there is room",
    async () => {
      const dir = await scratchFolder();
      const tenantry = await replicatedTenantry(dir);
      const record = await tenantry.lifecycle.create(acme);
      const folder = replicationFolder(tenantry.driver.files.pathOf(acme));
      mkdirSync(folder);
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=1000000", "tmpfs", folder]);
      onTestFinished(() => void execFileSync("umount", ["--lazy", folder]));
      const filler = join(folder, "filler");
      await writeFile(filler, Buffer.alloc(2_000_000)).catch(() => undefined);

      const backups = await tenantry.backups({ pollMs: 20, settleIdleMs: 0 });
      const bodies: string[] = [];
      const note = async (): Promise<void> => {
        bodies.push(`note ${bodies.length}`);
        await tenantry
          .database("acme")
          .prepare("INSERT INTO notes (body) VALUES (?)")
          .bind(bodies.at(-1))
          .run();
      };
      await note();
      await until("it is said", async () => {
        await note();
        return backups.status().alarms.includes("failing");
      });
      expect(backups.tenants()[0]?.failure).toMatch(/no space|disk full/i);
      await rm(filler);
      await until("it is in the replica", async () => {
        const now = await tenantry.catalog.get(acme, { fresh: true });
        return now?.backupState === "clean";
      });
      expect(await restoredNotes(dir, record)).toEqual(bodies);
    },
  );
}
