// Owns that a mark holds between processes: who takes it away waits until every writer sees that it is gone.
// Needs no Litestream: nothing is replicated here, only the marks are moved as the replicator moves them.
import { expect, test } from "vitest";
import { parseTenantId } from "../src/tenant-id.ts";
import { replicatedTenantry, scratchFolder } from "./backups-litestream.ts";

test("a write after a mark was taken away by another process sets it again before it is acknowledged", async () => {
  const dir = await scratchFolder();
  const [writer, replicator] = [await replicatedTenantry(dir), await replicatedTenantry(dir)];
  const acme = parseTenantId("acme");
  await writer.lifecycle.create(acme);
  const db = writer.database("acme");
  const insert = db.prepare("INSERT INTO notes (body) VALUES ('x')");
  for (let turn = 0; turn < 40; turn++) {
    // From here on the writer has the mark in memory, and has just asked whether anybody else has changed it.
    await insert.run();
    const record = await replicator.catalog.get(acme, { fresh: true });
    expect(await replicator.catalog.backups.settle(record!)).toBe(true);
    // In every other turn as the replicator has it once all is in the replica.
    const clean = turn % 2 === 0 && (await replicator.catalog.backups.clean(record!, turn + 1));
    await insert.run();
    const after = await replicator.catalog.get(acme, { fresh: true });
    expect({ turn, clean, mark: after?.backupState }).toEqual({ turn, clean: turn % 2 === 0, mark: "dirty" });
  }
});
