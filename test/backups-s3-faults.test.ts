// Owns what happens while a replica in S3 is away, slow, or refuses: writes go on, and all of it is there afterwards.
// The server is a real one behind a proxy that does what the test wants.
import { randomBytes } from "node:crypto";
import { expect } from "vitest";
import { parseTenantId } from "../src/tenant-id.ts";
import {
  replicatedTenantry,
  restoredNotes,
  scratchFolder,
  until,
  untilReplicated,
  withLitestream,
} from "./backups-litestream.ts";
import { type Fault, faultyProxy } from "./support/faulty-proxy.ts";
import { s3Server } from "./support/s3-server.ts";

const acme = parseTenantId("acme");
const FAULTS: readonly [string, Fault][] = [
  ["is away", "away"],
  ["answers 500", { status: 500 }],
  ["answers 403", { status: 403 }],
  ["is slow", { delayMs: 700 }],
];

for (const [what, fault] of FAULTS) {
  withLitestream(
    `the replica ${what}: writes go on, it is said, and nothing is missing afterwards`,
    async () => {
      const dir = await scratchFolder();
      const proxy = await faultyProxy(await s3Server());
      const tenantry = await replicatedTenantry(dir, { replica: proxy.url });
      const backups = await tenantry.backups({ pollMs: 20, settleIdleMs: 0, staleMs: 300, canaryMs: 100 });
      const record = await tenantry.lifecycle.create(acme);
      const note = (body: string): Promise<unknown> =>
        tenantry.database("acme").prepare("INSERT INTO notes (body) VALUES (?)").bind(body).run();
      await note("before");
      await until(
        "it is in the replica",
        async () => (await tenantry.catalog.get(acme))?.backupState === "clean",
      );

      proxy.fault = fault;
      const bodies = ["before"];
      const during = async (): Promise<void> => {
        bodies.push(`during ${bodies.length}`);
        await note(bodies.at(-1) as string);
      };
      await during();
      if (what !== "is slow") {
        await until("there is an alarm", async () => {
          await during();
          const { alarms } = backups.status();
          return alarms.includes("canary") && alarms.includes("stale");
        });
        expect((await tenantry.catalog.get(acme, { fresh: true }))?.backupState).not.toBe("clean");
        expect(proxy.faults).toBeGreaterThan(0);
      }
      proxy.fault = "none";
      await note("after");
      await until("all is in the replica", async () => {
        const { alarms } = backups.status();
        return (
          alarms.length === 0 && (await tenantry.catalog.get(acme, { fresh: true }))?.backupState === "clean"
        );
      });
      expect(await restoredNotes(dir, record, proxy.url)).toEqual([...bodies, "after"]);
    },
  );
}

withLitestream(
  "a write of a replicated tenant is acknowledged when S3 has it, and said to be missing when not",
  async () => {
    const dir = await scratchFolder();
    const proxy = await faultyProxy(await s3Server());
    const tenantry = await replicatedTenantry(dir, { replica: proxy.url, durability: "replicated" });
    const backups = await tenantry.backups({ pollMs: 20 });
    const record = await tenantry.lifecycle.create(acme);
    await untilReplicated(backups, acme);
    const note = (body: string): Promise<unknown> =>
      tenantry.database("acme").prepare("INSERT INTO notes (body) VALUES (?)").bind(body).run();
    await note("one");
    // Nobody waits for it to settle: it is there already.
    expect(await restoredNotes(dir, record, proxy.url)).toEqual(["one"]);
    proxy.fault = "away";
    await expect(note("two")).rejects.toMatchObject({ code: "NOT_REPLICATED", tenant: "acme" });
    expect(await tenantry.database("acme").prepare("SELECT count(*) AS n FROM notes").first("n")).toBe(2);
    await tenantry.lifecycle.configure(acme, { durability: "local" });
    await note("three");
    proxy.fault = "none";
    await tenantry.lifecycle.configure(acme, { durability: "replicated" });
    await note("four");
    expect(await restoredNotes(dir, record, proxy.url)).toEqual(["one", "two", "three", "four"]);
  },
);

withLitestream("a write larger than a part of an upload is in S3, and comes back", async () => {
  const dir = await scratchFolder();
  const replica = await s3Server();
  const tenantry = await replicatedTenantry(dir, { replica });
  const backups = await tenantry.backups({ pollMs: 20 });
  const record = await tenantry.lifecycle.create(acme);
  // What compresses would fit into one part.
  const large = randomBytes(8 * 1024 * 1024).toString("hex");
  await tenantry.database("acme").prepare("INSERT INTO notes (body) VALUES (?)").bind(large).run();
  await untilReplicated(backups, acme);
  const [body] = await restoredNotes(dir, record, replica);
  expect(body === large).toBe(true);
});
