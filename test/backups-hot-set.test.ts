// Owns the way of a tenant through its replication: marked, taken in, confirmed, let go, and marked again.
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import type { TenantRecord } from "../src/catalog/index.ts";
import { replicaPath } from "../src/backups/replica-url.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import type { Tenantry } from "../src/tenantry.ts";
import {
  replicatedTenantry,
  restoredNotes,
  scratchFolder,
  until,
  withLitestream,
} from "./backups-litestream.ts";

const acme = parseTenantId("acme");
const QUICK = { settleIdleMs: 0, pollMs: 20 };

const recordOf = async ({ catalog }: Tenantry): Promise<TenantRecord> => {
  const record = await catalog.get(acme, { fresh: true });
  if (!record) throw new Error("There is no acme.");
  return record;
};
const untilClean = (tenantry: Tenantry): Promise<TenantRecord> =>
  until("acme is clean", async () => {
    const record = await recordOf(tenantry);
    return record.backupState === "clean" && record;
  });
const note = (tenantry: Tenantry, body: string): Promise<unknown> =>
  tenantry.database("acme").prepare("INSERT INTO notes (body) VALUES (?)").bind(body).run();

withLitestream(
  "a tenant that is written to is replicated, and let go with its last write in the replica",
  async () => {
    const dir = await scratchFolder();
    const tenantry = await replicatedTenantry(dir);
    const backups = await tenantry.backups(QUICK);
    await tenantry.lifecycle.create(acme);
    expect(await recordOf(tenantry)).toMatchObject({ backupState: "dirty" });
    const created = await untilClean(tenantry);
    expect(created.backupTxid).toBeGreaterThan(0);

    await note(tenantry, "one");
    expect(await recordOf(tenantry)).toMatchObject({ backupState: "dirty" });
    const clean = await untilClean(tenantry);
    expect(clean.backupTxid).toBeGreaterThan(created.backupTxid);
    expect(await restoredNotes(dir, clean)).toEqual(["one"]);
    await until("nothing is replicated", () => backups.tenants().length === 0);
  },
);

withLitestream("every way to write marks its tenant before it is acknowledged", async () => {
  const tenantry = await replicatedTenantry(await scratchFolder());
  await tenantry.backups(QUICK);
  await tenantry.lifecycle.create(acme);
  const db = tenantry.database("acme");
  const sql = "INSERT INTO notes (body) VALUES ('x')";
  const ways: readonly [string, () => Promise<unknown>][] = [
    ["run", () => db.prepare(sql).run()],
    ["returning", () => db.prepare(`${sql} RETURNING id`).all()],
    ["batch", () => db.batch([db.prepare("SELECT 1"), db.prepare(sql)])],
    ["exec", () => db.exec(`${sql}; ${sql}`)],
    ["transaction", () => db.transaction("write", (tx) => tx.prepare(sql).run())],
    ["withSqlite", () => tenantry.withSqlite("acme", (sqlite) => sqlite.exec(sql))],
    [
      "a session's statement",
      async () => {
        const { session, release } = await tenantry.tenants.session(acme);
        await session.run({ sql, params: [] });
        const { backupState } = await recordOf(tenantry);
        await release();
        expect(backupState).toBe("dirty");
      },
    ],
    [
      "a session's transaction",
      async () => {
        const { session, release } = await tenantry.tenants.session(acme);
        for (const step of ["BEGIN", sql, "COMMIT"]) {
          await session.runNow({ sql: step, params: [] });
        }
        const { backupState } = await recordOf(tenantry);
        await release();
        expect(backupState).toBe("dirty");
      },
    ],
  ];
  for (const [way, write] of ways) {
    await untilClean(tenantry);
    await db.prepare("SELECT * FROM notes").all();
    expect(await recordOf(tenantry), `reading before ${way}`).toMatchObject({ backupState: "clean" });
    await write();
    expect(await recordOf(tenantry), way).toMatchObject({ backupState: "dirty" });
  }
});

withLitestream("a writer that comes between the last sync and the letting go is not forgotten", async () => {
  const dir = await scratchFolder();
  const tenantry = await replicatedTenantry(dir);
  await tenantry.backups(QUICK);
  await tenantry.lifecycle.create(acme);
  const bodies: string[] = [];
  // As soon as it is about to be let go, again and again.
  for (let n = 0; n < 40; n++) {
    await until("acme is about to be let go", async () => (await recordOf(tenantry)).backupState !== "dirty");
    await note(tenantry, String(n));
    bodies.push(String(n));
  }
  const clean = await untilClean(tenantry);
  expect(await restoredNotes(dir, clean)).toEqual(bodies);
});

withLitestream(
  "who asks for what is in the replica already is answered, though it has been let go",
  async () => {
    const tenantry = await replicatedTenantry(await scratchFolder());
    const backups = await tenantry.backups(QUICK);
    await tenantry.lifecycle.create(acme);
    await note(tenantry, "one");
    const { backupTxid } = await untilClean(tenantry);
    await until("nothing is replicated", () => backups.tenants().length === 0);
    expect(await backups.replicated(acme, 5_000)).toBe(backupTxid);
  },
);

withLitestream(
  "a writer of a replicated tenant that is being let go, again and again, is answered",
  async () => {
    const dir = await scratchFolder();
    const tenantry = await replicatedTenantry(dir, { durability: "replicated" });
    await tenantry.backups({ settleIdleMs: 0, pollMs: 5 });
    await tenantry.lifecycle.create(acme);
    const bodies = Array.from({ length: 60 }, (_, n) => String(n));
    for (const body of bodies) await note(tenantry, body);
    expect(await restoredNotes(dir, await recordOf(tenantry))).toEqual(bodies);
  },
);

withLitestream("a tenant is suspended, deleted and made anew while it is replicated", async () => {
  const dir = await scratchFolder();
  const tenantry = await replicatedTenantry(dir);
  await tenantry.backups({ pollMs: 20 });
  const first = await tenantry.lifecycle.create(acme);
  await note(tenantry, "first");
  await tenantry.lifecycle.suspend(acme);
  expect(await recordOf(tenantry)).toMatchObject({ backupState: "clean" });
  await tenantry.lifecycle.resume(acme);
  expect(await recordOf(tenantry)).toMatchObject({ backupState: "dirty" });
  await note(tenantry, "second");
  await tenantry.lifecycle.delete(acme);
  const path = tenantry.driver.files.pathOf(acme);
  expect(existsSync(join(path, "..", ".acme.db-litestream"))).toBe(false);

  await tenantry.lifecycle.create(acme);
  await note(tenantry, "anew");
  await tenantry.lifecycle.suspend(acme);
  expect(await restoredNotes(dir, await recordOf(tenantry))).toEqual(["anew"]);
  expect(await restoredNotes(dir, first)).toEqual(["first", "second"]);
});

withLitestream("the end of a server brings its last writes into the replica", async () => {
  const dir = await scratchFolder();
  const tenantry = await replicatedTenantry(dir);
  const backups = await tenantry.backups();
  await tenantry.lifecycle.create(acme);
  await note(tenantry, "last");
  const { pids } = await until("Litestream runs", () => backups.status().pids.length > 0 && backups.status());
  await tenantry.close();
  expect(pids.filter(isAlive)).toEqual([]);

  const again = await replicatedTenantry(dir);
  const record = await recordOf(again);
  expect(record.backupState).toBe("clean");
  expect(await restoredNotes(dir, record)).toEqual(["last"]);
});

withLitestream("what was there before there was a replica comes in by itself", async () => {
  const dir = await scratchFolder();
  const before = await replicatedTenantry(dir, { replica: undefined });
  await before.lifecycle.create(acme);
  await note(before, "early");
  expect(await recordOf(before)).toMatchObject({ backupState: "none" });
  await before.close();

  const tenantry = await replicatedTenantry(dir);
  await tenantry.backups(QUICK);
  expect(await restoredNotes(dir, await untilClean(tenantry))).toEqual(["early"]);
});

withLitestream("tenants that nobody may open do not stand before those that wait behind them", async () => {
  const dir = await scratchFolder();
  const tenantry = await replicatedTenantry(dir);
  const { catalog, lifecycle } = tenantry;
  // More than are read at once, and named so that they come first.
  for (const name of ["a", "aa", "aaa", "aaaa"]) {
    const record = await lifecycle.create(parseTenantId(name));
    await lifecycle.suspend(record.id);
    await catalog.backups.markDirty(record.id);
  }
  await lifecycle.create(acme);
  const backups = await tenantry.backups({ ...QUICK, maxHot: 2 });
  await note(tenantry, "behind them");
  expect(await restoredNotes(dir, await untilClean(tenantry))).toEqual(["behind them"]);
  expect(backups.status().alarms).toContain("stranded");
});

withLitestream("more tenants than are replicated at once all get their turn", async () => {
  const dir = await scratchFolder();
  const before = await replicatedTenantry(dir, { replica: undefined });
  const names = Array.from({ length: 40 }, (_, n) => parseTenantId(`tenant-${String(n).padStart(2, "0")}`));
  // Never replicated, and of some nobody may open the files.
  for (const id of names) await before.lifecycle.create(id);
  for (const id of names.slice(0, 34)) await before.lifecycle.suspend(id);
  await before.close();

  const tenantry = await replicatedTenantry(dir);
  await tenantry.backups({ ...QUICK, maxHot: 3 });
  const { backups } = tenantry.catalog;
  await until("the open ones are clean", async () => (await backups.countOf("clean")) === 6);
  for (const id of names.slice(0, 34)) await tenantry.lifecycle.resume(id);
  for (const id of names) await backups.markDirty(id);
  await until("all are clean", async () => (await backups.countOf("clean")) === names.length);
});

withLitestream(
  "a tenant that nobody writes to is brought round: it gets a whole copy, and is restored from that",
  async () => {
    const dir = await scratchFolder();
    const tenantry = await replicatedTenantry(dir);
    const backups = await tenantry.backups({ ...QUICK, rotateAfterMs: 0, rotateEveryMs: 10 });
    await tenantry.lifecycle.create(acme);
    await note(tenantry, "one");
    await untilClean(tenantry);
    await until("it was brought round", () => backups.status().rotation.rotated > 0);
    const record = await untilClean(tenantry);
    // Litestream keeps whole copies in its ninth level.
    const copies = join(dir, "replica", replicaPath(record), "ltx", "9");
    expect((await readdir(copies)).length).toBeGreaterThan(0);
    await note(tenantry, "two");
    expect(await restoredNotes(dir, await untilClean(tenantry))).toEqual(["one", "two"]);
    expect(backups.status().rotation.failures).toBe(0);
  },
);

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
