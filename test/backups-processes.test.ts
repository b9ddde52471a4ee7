// Holds the Litestream processes to dividing the databases among them, and to being replaced when they have had many.
import { expect } from "vitest";
import { parseTenantId, type TenantId } from "../src/tenant-id.ts";
import type { Tenantry } from "../src/tenantry.ts";
import {
  replicatedTenantry,
  restoredNotes,
  scratchFolder,
  until,
  untilReplicated,
  withLitestream,
} from "./backups-litestream.ts";

const NAMES = Array.from({ length: 7 }, (_, n) => parseTenantId(`tenant-${n}`));

const note = (tenantry: Tenantry, id: TenantId, body: string): Promise<unknown> =>
  tenantry.database(id).prepare("INSERT INTO notes (body) VALUES (?)").bind(body).run();

/** On a busy machine, or while a process is started again, a write may have to be told that nobody knows. */
const notReplicated = (error: unknown): void => expect(error).toMatchObject({ code: "NOT_REPLICATED" });

withLitestream(
  "databases are divided among as many processes as they need, and one that ends loses none",
  async () => {
    const dir = await scratchFolder();
    const tenantry = await replicatedTenantry(dir, { durability: "replicated" });
    const backups = await tenantry.backups({ pollMs: 20, maxDatabasesPerProcess: 2 });
    for (const id of NAMES) await tenantry.lifecycle.create(id);
    await Promise.all(NAMES.map((id) => note(tenantry, id, "one").catch(notReplicated)));
    // The catalog and the canary are databases, too. A tenant that was new may have been let go already.
    const { pids, registered } = backups.status();
    expect(pids.length).toBeGreaterThanOrEqual(registered / 2);
    expect(pids.length).toBeGreaterThan(1);
    for (const pid of pids) process.kill(pid, "SIGKILL");
    await until("all of them run again", () => {
      const now = backups.status();
      return now.restarts >= pids.length && now.pids.length >= pids.length;
    });
    for (const id of NAMES) {
      await note(tenantry, id, "two").catch(notReplicated);
      await untilReplicated(backups, id);
      const record = await tenantry.catalog.get(id);
      expect(await restoredNotes(dir, record!)).toEqual(["one", "two"]);
    }
  },
);

withLitestream("a process that has had many databases is replaced, and what it had goes on", async () => {
  const dir = await scratchFolder();
  const tenantry = await replicatedTenantry(dir);
  const backups = await tenantry.backups({ pollMs: 20, maxRegistrations: 3 });
  for (const id of NAMES) await tenantry.lifecycle.create(id);
  const [first] = await until(
    "Litestream runs",
    () => backups.status().pids.length > 0 && backups.status().pids,
  );
  await until("another one runs", () => {
    const [now] = backups.status().pids;
    return now !== undefined && now !== first;
  });
  expect(backups.status().restarts).toBe(0);
  for (const id of NAMES) await note(tenantry, id, "one");
  await tenantry.close();
  const again = await replicatedTenantry(dir);
  for (const id of NAMES) {
    const record = await again.catalog.get(id);
    expect(record).toMatchObject({ backupState: "clean" });
    expect(await restoredNotes(dir, record!)).toEqual(["one"]);
  }
});
