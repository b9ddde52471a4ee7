// Holds durability "replicated" to what brings whole databases: restored, undone, imported, forked, copied, or put in
// place by hand, a tenant is in the replica when that is acknowledged. The machine is lost in that moment.
import { cpSync } from "node:fs";
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { createApiKey } from "../src/auth/api-key.ts";
import { acknowledgements } from "../src/backups/acknowledgements.ts";
import type { Backups } from "../src/backups/backups.ts";
import { recoverCatalog } from "../src/backups/recover-catalog.ts";
import { migrationSet } from "../src/migrations/migration-set.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import type { Tenantry } from "../src/tenantry.ts";
import { isTenantryError } from "../src/tenantry-error.ts";
import { cliFolder } from "./cli-process.ts";
import { litestream, NO_LITESTREAM, replicateOnce } from "./support/litestream.ts";
import { NOTES } from "./support/notes-schema.ts";
import { runningServer } from "./support/running-server.ts";
import { addNote, notesOf, tempFolder, tempTenantry, whenHere } from "./support/temp-folder.ts";

const ACME = parseTenantId("acme");

/** On a busy machine it may have to be said that nobody knows: then it is done again. */
async function acknowledged(act: (attempt: number) => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return void (await act(attempt));
    } catch (error) {
      if (!isTenantryError(error, "NOT_REPLICATED") || attempt === 5) throw error;
    }
  }
}

/** What another machine has of a tenant where this one is lost now. */
async function recovered(backups: Backups, folder: string, tenant: string): Promise<string[]> {
  const copy = join(await tempFolder(), "replica");
  // Nothing more gets there while it is copied.
  for (const pid of backups.status().pids) process.kill(pid, "SIGSTOP");
  try {
    cpSync(folder, copy, { recursive: true });
  } finally {
    for (const pid of backups.status().pids) process.kill(pid, "SIGCONT");
  }
  const [data, replica] = [await tempFolder(), `file://${copy}`];
  await recoverCatalog({ data, replica, actor: "tester" });
  const elsewhere = await tempTenantry({ data, replica });
  const notes = await whenHere(() => notesOf(elsewhere, tenant));
  await elsewhere.close();
  return notes;
}

/** A Tenantry that replicates, with a tenant. */
async function replicating(): Promise<{ tenantry: Tenantry; backups: Backups; folder: string }> {
  const folder = join(await tempFolder(), "replica");
  const tenantry = await tempTenantry({ replica: `file://${folder}`, durability: "replicated" });
  const backups = await tenantry.backups({ pollMs: 20 });
  await acknowledged((n) => (n === 1 ? tenantry.lifecycle.create(ACME) : tenantry.lifecycle.resume(ACME)));
  return { tenantry, backups, folder };
}

test.skipIf(NO_LITESTREAM)("what a restore brought back is there, and what undoing it brought", async () => {
  const { tenantry, backups, folder } = await replicating();
  const { restores, snapshots } = tenantry.recovery;
  await acknowledged(() => addNote(tenantry, "acme", "first"));
  await snapshots.take(ACME);
  await acknowledged(() => addNote(tenantry, "acme", "second"));
  const before = await notesOf(tenantry, "acme");
  const phases: string[] = [];
  await acknowledged(() =>
    restores.inPlace(ACME, { kind: "snapshot" }, { onPhase: (phase) => void phases.push(phase) }),
  );
  expect(phases.slice(-2)).toEqual(["replicating", "done"]);
  expect(await recovered(backups, folder, "acme")).toEqual(["first"]);
  // Done again it would take itself back.
  await acknowledged((n) => (n === 1 ? restores.undo(ACME) : tenantry.lifecycle.resume(ACME)));
  expect(await recovered(backups, folder, "acme")).toEqual(before);
  await acknowledged(() => restores.inPlace(ACME, { kind: "replica", txid: "0000000000000001" }));
  expect(await recovered(backups, folder, "acme")).toEqual(await notesOf(tenantry, "acme"));
});

test.skipIf(NO_LITESTREAM)("so is what was imported, forked, and made of the past", async () => {
  const { tenantry, backups, folder } = await replicating();
  await acknowledged(() => addNote(tenantry, "acme", "forked"));
  const file = join(await tempFolder(), "file.db");
  const made: readonly [string, (id: ReturnType<typeof parseTenantId>) => Promise<unknown>, string[]][] = [
    ["forked", (id) => tenantry.lifecycle.fork(ACME, id), ["forked"]],
    ["restored", (id) => tenantry.recovery.restores.toNew(ACME, id, { kind: "replica" }), ["forked"]],
    ["imported", (id) => tenantry.lifecycle.importFile(id, file, { baseline: true }), ["imported"]],
  ];
  for (const [name, make, notes] of made) {
    let id = ACME;
    await acknowledged(async (n) => {
      id = parseTenantId(`${name}-${n}`);
      const db = new Database(file);
      db.exec(`DROP TABLE IF EXISTS notes; ${NOTES.sql}; INSERT INTO notes (body) VALUES ('imported')`);
      db.close();
      await make(id);
    });
    expect(await recovered(backups, folder, id), name).toEqual(notes);
  }
});

test.skipIf(NO_LITESTREAM)(
  "a file that was put in place by hand is there when its tenant is resumed",
  async () => {
    const { tenantry, backups, folder } = await replicating();
    const path = tenantry.driver.files.pathOf(ACME);
    const copy = join(await tempFolder(), "copy.db");
    await acknowledged(() => addNote(tenantry, "acme", "copied"));
    await tenantry.lifecycle.suspend(ACME);
    await copyFile(path, copy);
    await acknowledged(() => tenantry.lifecycle.resume(ACME));
    await acknowledged(() => addNote(tenantry, "acme", "later"));
    await tenantry.lifecycle.suspend(ACME);
    await copyFile(copy, path);
    await acknowledged(() => tenantry.lifecycle.resume(ACME));
    expect(await recovered(backups, folder, "acme")).toEqual(await notesOf(tenantry, "acme"));
    // A suspended one is restored without anybody having its file open, and is there when it is resumed.
    await acknowledged(() => addNote(tenantry, "acme", "latest"));
    await tenantry.lifecycle.suspend(ACME);
    await tenantry.recovery.restores.undo(ACME).catch((error: unknown) => {
      expect(error).toMatchObject({ code: "NOTHING_REPLACED" });
    });
    await tenantry.recovery.restores.inPlace(ACME, { kind: "file", path: copy });
    await acknowledged(() => tenantry.lifecycle.resume(ACME));
    expect(await recovered(backups, folder, "acme")).toEqual(["copied"]);
  },
);

test.skipIf(NO_LITESTREAM)("a copy into a server is there when the copy has ended", async () => {
  const folder = join(await tempFolder(), "replica");
  const { secret: key, hash } = await createApiKey();
  const server = await runningServer({
    tenants: [],
    tenantry: {
      replica: `file://${folder}`,
      durability: "replicated",
      migrations: await migrationSet([NOTES]),
    },
    app: { adminKeyHash: hash },
  });
  const backups = await server.tenantry.backups({ pollMs: 20 });
  await using cli = await cliFolder({ TENANTRY_OTHER_KEY: key });
  const source = await tempTenantry({ tenants: ["acme"] });
  await addNote(source, "acme", "copied");
  const file = join(cli.dir, "copied.db");
  await source.lifecycle.exportFile(ACME, file);
  let tenant = "";
  await acknowledged(async (n) => {
    tenant = `acme-${n}`;
    const place = `tenantry:${server.url}/${tenant}`;
    const { code, stderr } = await cli.run(["copy", "acme", "--from", `file:${file}`, "--to", place]);
    // The copy is whole then, and its tenant serves.
    if (stderr.includes("not seen in the replica"))
      return server.tenantry.lifecycle.resume(parseTenantId(tenant));
    expect(stderr).not.toContain("error");
    return expect(code).toBe(0);
  });
  expect(await recovered(backups, folder, tenant)).toEqual(["copied"]);
});

test.skipIf(NO_LITESTREAM)("where no server brings it there, that is said, and it is restored", async () => {
  const folder = join(await tempFolder(), "replica");
  const [data, migrations] = [await tempFolder(), await tempFolder()];
  await writeFile(join(migrations, NOTES.name), NOTES.sql);
  const tenantry = await tempTenantry({ data, tenants: ["acme"], replica: `file://${folder}` });
  await addNote(tenantry, "acme", "first");
  await tenantry.recovery.snapshots.take(ACME);
  await addNote(tenantry, "acme", "second");
  await replicateOnce(tenantry, "acme", folder);
  await tenantry.lifecycle.configure(ACME, { durability: "replicated" });
  await tenantry.close();
  await using cli = await cliFolder({
    LITESTREAM_BIN: litestream().path,
    TENANTRY_DATA: data,
    TENANTRY_REPLICA: `file://${folder}`,
    TENANTRY_MIGRATIONS: migrations,
  });
  const { code, stderr } = await cli.run(["restore", "acme", "--from-snapshot"]);
  expect(stderr).toMatch(/committed here, and no server brings it into the replica[^]*Do not do it again/);
  expect(code).toBe(1);
  const after = await tempTenantry({ data, replica: `file://${folder}` });
  expect(await notesOf(after, "acme")).toEqual(["first"]);
  const backups = await after.backups({ pollMs: 20 });
  await acknowledged(() => after.lifecycle.resume(ACME));
  expect(await recovered(backups, folder, "acme")).toEqual(["first"]);
});

test("whoever wrote before his tenant was suspended waits; a suspended tenant as a whole, and a copy's rows, do not", async () => {
  const { catalog, lifecycle } = await tempTenantry({ tenants: ["acme"] });
  const copied = await lifecycle.create(parseTenantId("copied"), { empty: true });
  const suspended = await lifecycle.suspend(ACME);
  const asked: string[] = [];
  const { write, whole } = acknowledgements("replicated", async (id) => void asked.push(id));
  await write(suspended);
  expect(asked).toEqual(["acme"]);
  expect([whole(suspended), write(copied), whole(copied)]).toEqual([undefined, undefined, undefined]);
  await whole(await lifecycle.resume(ACME));
  expect(asked).toEqual(["acme", "acme"]);
  // One whose file is in the replica alone has nothing to be brought there.
  const away = await catalog.backups.setAway((await catalog.get(ACME))!, Date.now());
  expect(whole(away!)).toBeUndefined();
  await catalog.backups.setAway(away!, null);
  // Each tenant's own rule goes before the server's.
  await lifecycle.configure(ACME, { durability: "local" });
  expect(write((await catalog.get(ACME))!)).toBeUndefined();
});
