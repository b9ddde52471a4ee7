// Holds restores from a replica to the real Litestream: any moment that is there, the right error for any other,
// and nothing changed by a replica that is damaged.
import { randomBytes } from "node:crypto";
import { cp, open, readdir, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Tenantry } from "../src/tenantry.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { lineFolder, NO_LITESTREAM, replicateOnce } from "./support/litestream.ts";
import { NO_SMALL_DISK, smallDisk } from "./support/small-disk.ts";
import { addNote, notesOf, tempFolder, tempTenantry } from "./support/temp-folder.ts";

const ACME = parseTenantId("acme");
const TWIN = parseTenantId("twin");

/** What the replica lists is to the second: the next write is to be of another one. */
const nextSecond = async (): Promise<number> => {
  const began = Math.floor(Date.now() / 1000);
  while (Math.floor(Date.now() / 1000) < began + 1)
    await new Promise((resolve) => void setTimeout(resolve, 20));
  return Date.now();
};

/** A tenant with notes `0`, `1` and `2` in its replica, and the moments and the transactions after each. */
async function replicated(): Promise<{
  tenantry: Tenantry;
  folder: string;
  after: number[];
  txids: string[];
}> {
  const folder = join(await tempFolder(), "replica");
  const tenantry = await tempTenantry({ tenants: ["acme"], replica: `file://${folder}` });
  const after: number[] = [];
  const txids: string[] = [];
  for (const n of [0, 1, 2]) {
    await addNote(tenantry, "acme", String(n));
    await replicateOnce(tenantry, "acme", folder);
    const record = await tenantry.catalog.get(ACME, { fresh: true });
    txids.push((record?.backupTxid ?? 0).toString(16).padStart(16, "0"));
    after.push(await nextSecond());
  }
  return { tenantry, folder, after, txids };
}

test.skipIf(NO_LITESTREAM)(
  "any moment of the replica comes back, and lines of before a restore go on to be there",
  async () => {
    const { tenantry, folder, after, txids } = await replicated();
    const { restores } = tenantry.recovery;
    const [first = 0, second = 0] = after;
    expect(await restores.plan(ACME, { kind: "replica", at: first })).toMatchObject({
      epoch: 1,
      txid: txids[0],
    });
    await restores.toNew(ACME, TWIN, { kind: "replica", at: first });
    expect(await notesOf(tenantry, "twin")).toEqual(["0"]);
    expect(await notesOf(tenantry, "acme")).toEqual(["0", "1", "2"]);

    const result = await restores.inPlace(ACME, { kind: "replica", at: second });
    expect(result).toMatchObject({
      restored: { txid: txids[1] },
      tenant: { backupEpoch: 2, backupState: "dirty" },
    });
    expect(await notesOf(tenantry, "acme")).toEqual(["0", "1"]);
    await nextSecond();
    await addNote(tenantry, "acme", "new line");
    await replicateOnce(tenantry, "acme", folder);
    await nextSecond();
    // The newest line is the one of now; what was written before the restore is still in the one before.
    await restores.inPlace(ACME, { kind: "replica" });
    expect(await notesOf(tenantry, "acme")).toEqual(["0", "1", "new line"]);
    await restores.inPlace(ACME, { kind: "replica", at: after[2] ?? 0 });
    expect(await notesOf(tenantry, "acme")).toEqual(["0", "1", "2"]);
    await restores.undo(ACME);
    expect(await notesOf(tenantry, "acme")).toEqual(["0", "1", "new line"]);
  },
);

test.skipIf(NO_LITESTREAM)(
  "a transaction comes back by its number, and one that is not there is said",
  async () => {
    const { tenantry, txids } = await replicated();
    const { restores } = tenantry.recovery;
    await restores.toNew(ACME, TWIN, { kind: "replica", txid: txids[1] ?? "" });
    expect(await notesOf(tenantry, "twin")).toEqual(["0", "1"]);
    await expect(restores.inPlace(ACME, { kind: "replica", txid: "00000000000000ff" })).rejects.toMatchObject(
      {
        code: "REPLICA_RANGE",
        hint: expect.stringContaining(txids[2] ?? "none") as string,
      },
    );
  },
);

test.skipIf(NO_LITESTREAM)(
  "a moment before the first says the range; one after the last is the last, if nothing came after",
  async () => {
    const { tenantry } = await replicated();
    const { restores } = tenantry.recovery;
    const at = Date.UTC(2020, 0, 1);
    await expect(restores.inPlace(ACME, { kind: "replica", at })).rejects.toMatchObject({
      code: "REPLICA_RANGE",
      message: expect.stringMatching(
        /reaches from \d{4}-.*Z to \d{4}-.*Z, and has no 2020-01-01T00:00:00Z/,
      ) as string,
    });
    await restores.inPlace(ACME, { kind: "replica", at: Date.now() + 60_000 });
    expect(await notesOf(tenantry, "acme")).toEqual(["0", "1", "2"]);
    await addNote(tenantry, "acme", "not there yet");
    const later = restores.inPlace(ACME, { kind: "replica", at: Date.now() + 60_000 });
    await expect(later).rejects.toMatchObject({ code: "REPLICA_RANGE", message: /written to since/ });
    expect(await notesOf(tenantry, "acme")).toEqual(["0", "1", "2", "not there yet"]);
  },
);

test.skipIf(NO_LITESTREAM)(
  "a corrupted, cut off or missing object is said, and changes nothing",
  async () => {
    const { tenantry, folder } = await replicated();
    const { restores } = tenantry.recovery;
    const record = await tenantry.catalog.get(ACME);
    const line = lineFolder(folder, record!);
    const names = (await readdir(line)).toSorted();
    const whole = await tempFolder();
    await cp(folder, whole, { recursive: true });
    const [first = "", second = ""] = names.map((name) => join(line, name));
    const third = join(line, names.at(-1) ?? "");
    const harms: Record<string, () => Promise<unknown>> = {
      corrupted: async () => {
        const file = await open(second, "r+");
        await file.write(Buffer.alloc(16, 0xff), 0, 16, 150);
        await file.close();
      },
      "cut off": () => truncate(second, 300),
      empty: () => truncate(second, 0),
      "the first is gone": () => rm(first),
      "one between is gone": () => rm(second),
      "the last is gone": () => rm(third),
      "not what it says": () => writeFile(third, "x".repeat(2000)),
    };
    for (const [harm, act] of Object.entries(harms)) {
      await rm(folder, { recursive: true });
      await cp(whole, folder, { recursive: true });
      await act();
      await expect(restores.inPlace(ACME, { kind: "replica" }), harm).rejects.toMatchObject({
        code: "REPLICA_DAMAGED",
        tenant: "acme",
        hint: expect.stringMatching(/\S/) as string,
      });
      await expect(restores.toNew(ACME, TWIN, { kind: "replica" }), harm).rejects.toMatchObject({
        code: "REPLICA_DAMAGED",
      });
      expect(await tenantry.catalog.get(TWIN)).toBeUndefined();
      expect(await tenantry.catalog.get(ACME)).toMatchObject({ state: "active", backupEpoch: 1 });
      expect(await notesOf(tenantry, "acme")).toEqual(["0", "1", "2"]);
      expect(await readdir(join(tenantry.driver.dir, "scratch"))).toEqual([]);
    }
    await rm(folder, { recursive: true });
    await expect(restores.inPlace(ACME, { kind: "replica" })).rejects.toMatchObject({
      code: "REPLICA_EMPTY",
    });
  },
);

test.skipIf(NO_LITESTREAM)(
  "a tenant that was made anew never meets its old history, unless it is asked for",
  async () => {
    const { tenantry, folder } = await replicated();
    const { restores } = tenantry.recovery;
    const old = await tenantry.lifecycle.delete(ACME);
    // From the tombstone, under another name.
    await restores.toNew(ACME, TWIN, { kind: "replica" });
    expect(await notesOf(tenantry, "twin")).toEqual(["0", "1", "2"]);
    await expect(restores.inPlace(ACME, { kind: "replica" })).rejects.toMatchObject({
      code: "TENANT_NOT_FOUND",
    });
    await tenantry.lifecycle.create(ACME);
    await addNote(tenantry, "acme", "anew");
    await expect(restores.inPlace(ACME, { kind: "replica" })).rejects.toMatchObject({
      code: "REPLICA_EMPTY",
    });
    await replicateOnce(tenantry, "acme", folder);
    await restores.inPlace(ACME, { kind: "replica" });
    expect(await notesOf(tenantry, "acme")).toEqual(["anew"]);
    await restores.inPlace(ACME, { kind: "replica", incarnation: old.incarnation });
    expect(await notesOf(tenantry, "acme")).toEqual(["0", "1", "2"]);
  },
);

test.skipIf(NO_LITESTREAM)("what is compacted while it is read is read again", async () => {
  const { tenantry, folder } = await replicated();
  const record = await tenantry.catalog.get(ACME);
  const line = lineFolder(folder, record!);
  const names = (await readdir(line)).toSorted();
  const second = join(line, names[1] ?? "");
  const aside = join(await tempFolder(), "aside");
  // Gone for as long as a first try needs, as when retention comes between the list and the read.
  await rename(second, aside);
  const restored = tenantry.recovery.restores.inPlace(ACME, { kind: "replica" });
  const back = rename(aside, second);
  await Promise.all([restored, back]);
  expect(await notesOf(tenantry, "acme")).toEqual(["0", "1", "2"]);
});

test.skipIf(NO_LITESTREAM ?? NO_SMALL_DISK)(
  "a disk that is full in the midst of it leaves everything as it was",
  async () => {
    const folder = join(await tempFolder(), "replica");
    const tenantry = await tempTenantry({ tenants: ["acme"], replica: `file://${folder}` });
    for (let n = 0; n < 15; n++) await addNote(tenantry, "acme", randomBytes(50_000).toString("hex"));
    await replicateOnce(tenantry, "acme", folder);
    const disk = await smallDisk(500_000);
    const scratch = join(tenantry.driver.dir, "scratch");
    await rm(scratch, { recursive: true });
    await symlink(disk.dir, scratch);
    const before = await notesOf(tenantry, "acme");
    await expect(tenantry.recovery.restores.inPlace(ACME, { kind: "replica" })).rejects.toMatchObject({
      code: "DATABASE_FULL",
      tenant: "acme",
    });
    expect(await notesOf(tenantry, "acme")).toEqual(before);
    expect(await readdir(disk.dir)).toEqual([]);
  },
);
