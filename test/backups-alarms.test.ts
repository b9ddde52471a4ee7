// Holds alarms to being raised by what they name, and taken back when it is over.
import { mkdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { alarmsOf } from "../src/backups/backups-status.ts";
import { bringOver } from "../src/backups/bring-over.ts";
import { FolderSizes } from "../src/backups/folder-sizes.ts";
import type { SyncAnswer } from "../src/backups/litestream-client.ts";
import type { LitestreamPool } from "../src/backups/litestream-pool.ts";
import { OWNER_PATH } from "../src/backups/replica-url.ts";
import { replicationFolder } from "../src/drivers/local/database-file.ts";
import { examineBackups } from "../src/observe/doctor-backups.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { replicatedTenantry, scratchFolder, until, withLitestream } from "./backups-litestream.ts";
import { runningServer } from "./support/running-server.ts";

const acme = parseTenantId("acme");

withLitestream("a server whose prefix another one has taken stops, and says so", async () => {
  const dir = await scratchFolder();
  const tenantry = await replicatedTenantry(dir);
  const events: string[] = [];
  const backups = await tenantry.backups({
    pollMs: 20,
    renewMs: 50,
    onEvent: ({ what }) => void events.push(what),
  });
  await until("Litestream runs", () => backups.status().pids.length > 0);
  const note = join(dir, "replica", OWNER_PATH);
  const lease = JSON.parse(await readFile(note, "utf8")) as object;
  // As somebody would who has waited for three renewals of a server that was stopped all the while.
  await writeFile(note, JSON.stringify({ ...lease, holder: "another", folder: "another" }));
  await until("it is said", () => backups.status().alarms.includes("lease-lost"));
  await until("nothing is replicated any more", () => backups.status().pids.length === 0);
  expect(events).toContain("replica-lost");
  const findings = await examineBackups({
    dir: tenantry.driver.dir,
    catalog: tenantry.catalog,
    configured: true,
  });
  expect(findings).toContainEqual(
    expect.objectContaining({
      severity: "error",
      message: expect.stringContaining("another server") as string,
    }),
  );
  await tenantry.close();
  expect(JSON.parse(await readFile(note, "utf8"))).toMatchObject({ holder: "another" });
});

withLitestream(
  "how the replication stands is in /metrics and /readyz, and nothing of it before it begins",
  async () => {
    const dir = await scratchFolder();
    const server = await runningServer({ tenantry: { replica: `file://${join(dir, "replica")}` } });
    const figures = async (): Promise<Record<string, number>> => {
      const { text } = await server.send("GET", "/metrics");
      const lines = text.matchAll(/^tenantry_backups_([a-z_]+(?:\{alarm="[a-z-]+"\})?) (\S+)$/gm);
      return Object.fromEntries(Array.from(lines, ([, name = "", value]) => [name, Number(value)]));
    };
    expect((await server.send("GET", "/readyz")).body).toMatchObject({ backups: { state: "off" } });
    expect(Object.keys(await figures())).not.toContain("lag_seconds");
    const backups = await server.tenantry.backups({ pollMs: 20, canaryMs: 50, staleMs: 0 });
    await server.query("acme", "INSERT INTO customers (name) VALUES ('x')");
    await until("the canary has arrived", () => backups.status().canary.arrivedAt !== null);
    const now = await figures();
    expect(now).toMatchObject({ lag_seconds: expect.any(Number), failures_total: expect.any(Number) });
    expect(now["registered"]).toBeGreaterThanOrEqual(2);
    expect(now["canary_seconds"]).toBeGreaterThan(0);
    expect(now["canary_arrived_timestamp_seconds"]).toBeGreaterThan(1e9);
    // Whatever takes any time at all is an alarm here.
    await until("/readyz says so", async () => {
      const { alarms } = (await server.send("GET", "/readyz")).body.backups as { alarms: string[] };
      return alarms.includes("canary");
    });
    await until("/metrics does", async () => (await figures())['alarm{alarm="canary"}'] === 1);
  },
);

/** A Litestream that answers in this order. The real one goes on from what others have written, and seldom says so. */
function answers(...txids: readonly (readonly [txid: number, replicatedTxid: number])[]): LitestreamPool {
  const left = [...txids];
  const sync = async (): Promise<SyncAnswer> => {
    const [txid, replicatedTxid] = left.shift() ?? [0, 0];
    return { txid, replicatedTxid };
  };
  return { sync } as unknown as LitestreamPool;
}

test("a replica that is behind is waited for, and one that is ahead is an alarm", async () => {
  expect(await bringOver(answers([3, 3]), "acme.db", 1_000)).toEqual({ replicatedTxid: 3, ahead: false });
  // What was there when it was asked for is enough, whoever writes meanwhile.
  expect(await bringOver(answers([3, 1], [5, 2], [9, 4]), "acme.db", 60_000)).toEqual({
    replicatedTxid: 4,
    ahead: false,
  });
  await expect(bringOver(answers([3, 1]), "acme.db", 0)).rejects.toThrow(/did not catch up/);
  const { ahead } = await bringOver(answers([3, 5]), "acme.db", 1_000);
  const tenant = { tenant: acme, lagMs: 0, confirmed: true, failure: null, ahead };
  const quiet = {
    lost: false,
    startedAt: 0,
    canary: { ms: 1, arrivedAt: 0, failure: null },
    tenants: [],
    stranded: 0,
    largeFolders: 0,
    catalogError: undefined,
    staleMs: 60_000,
  };
  expect(alarmsOf(quiet, 60_000)).toEqual([]);
  expect(alarmsOf({ ...quiet, tenants: [tenant] }, 60_000)).toEqual(["ahead"]);
  expect(alarmsOf(quiet, 60_001)).toEqual(["canary"]);
  expect(alarmsOf({ ...quiet, catalogError: new Error("gone"), largeFolders: 1 }, 0)).toEqual([
    "large-folders",
    "catalog",
  ]);
});

test("what has grown beside a database is found, and is forgotten when it has gone", async () => {
  const dir = await scratchFolder();
  const [small, large] = [join(dir, "small.db"), join(dir, "large.db")];
  for (const path of [small, large]) {
    await writeFile(path, "x".repeat(1000));
    await mkdir(join(replicationFolder(path), "ltx"), { recursive: true });
    await writeFile(join(replicationFolder(path), "ltx", "0"), "");
  }
  // Of nothing: it takes no room.
  await truncate(join(replicationFolder(large), "ltx", "0"), 100_000_000);
  await truncate(join(replicationFolder(small), "ltx", "0"), 10_000_000);
  const sizes = new FolderSizes(() => [small, large, join(dir, "gone.db")]);
  onTestFinished(() => sizes.close());
  await sizes.look();
  expect(sizes.large).toEqual([large]);
  // A large database may have as much beside it.
  await truncate(large, 20_000_000);
  await sizes.look();
  expect(sizes.large).toEqual([]);
  await truncate(large, 1000);
  await sizes.look();
  await rm(replicationFolder(large), { recursive: true });
  await sizes.look();
  expect(sizes.large).toEqual([]);
});
