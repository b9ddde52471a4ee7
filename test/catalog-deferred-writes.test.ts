// Holds: times, sizes and migrated tenants are written together, and a failed write loses none of them.
import { describe, expect, test, vi } from "vitest";
import { TenantryError } from "../src/tenantry-error.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { catalogFile, collect, emptyCatalog, tenant, tenantIds } from "./catalog-file.ts";

const acme = parseTenantId("acme");

describe("touching a tenant", () => {
  test("costs no write before the flush, and one for all then", async () => {
    const { catalog, handle } = await (await catalogFile()).open();
    const ids = tenantIds(50);
    await Promise.all(ids.map((id) => catalog.create(tenant(id))));
    const batch = vi.spyOn(handle, "batch");
    for (let n = 1; n <= 100; n++) for (const id of ids) catalog.touch(id, { openedAt: n });
    catalog.touch(ids[0]!, { sizeBytes: 9 });
    expect(batch).not.toHaveBeenCalled();
    expect(catalog.stats().pendingWrites).toBe(50);
    await catalog.flush();
    expect(batch).toHaveBeenCalledTimes(1);
    expect(catalog.stats().pendingWrites).toBe(0);
    expect(await catalog.get(ids[0]!, { fresh: true })).toMatchObject({ openedAt: 100, sizeBytes: 9 });
    expect(await catalog.get(ids[49]!, { fresh: true })).toMatchObject({ openedAt: 100, sizeBytes: 4096 });
  });

  test("is written by itself after a while, and when the catalog closes", async () => {
    const file = await catalogFile();
    const { catalog } = await file.open({ touchFlushMs: 5 });
    await catalog.create(tenant("acme"));
    catalog.touch(acme, { openedAt: 7 });
    await vi.waitFor(() => expect(catalog.stats().pendingWrites).toBe(0));
    expect(await catalog.get(acme)).toMatchObject({ openedAt: 7 });
    catalog.touch(acme, { openedAt: 8 });
    await catalog.close();
    expect(await (await file.open()).catalog.get(acme)).toMatchObject({ openedAt: 8 });
  });

  test("passes over tenants that are not there", async () => {
    const catalog = await emptyCatalog();
    catalog.touch(acme, { openedAt: 1 });
    catalog.touchKey("none");
    await catalog.flush();
    expect(await catalog.get(acme, { deleted: true })).toBeUndefined();
  });

  test("notes when a key was used", async () => {
    const catalog = await emptyCatalog({ clock: () => 1234 });
    const { id } = await catalog.addKey({ hash: "h", tenant: null, scope: "read" });
    catalog.touchKey(id);
    await catalog.flush();
    expect((await catalog.listKeys()).keys).toMatchObject([{ lastUsedAt: 1234 }]);
  });

  test("waits on when the write fails, under what came meanwhile", async () => {
    const { catalog, handle } = await (await catalogFile()).open();
    const key = await catalog.addKey({ hash: "h", tenant: null, scope: "read" });
    await catalog.create(tenant("acme"));
    vi.spyOn(handle, "batch").mockImplementationOnce(async () => {
      catalog.touch(acme, { openedAt: 2 });
      throw new TenantryError("DATABASE_FULL", "full");
    });
    catalog.touch(acme, { openedAt: 1, sizeBytes: 1 });
    catalog.recordMigrated([acme], { version: "0002", hash: "h2" });
    catalog.touchKey(key.id);
    await expect(catalog.flush()).rejects.toMatchObject({ code: "DATABASE_FULL" });
    expect(catalog.stats().pendingWrites).toBe(3);
    await catalog.flush();
    expect(await catalog.get(acme, { fresh: true })).toMatchObject({
      openedAt: 2,
      sizeBytes: 1,
      schemaHash: "h2",
    });
  });

  test("counts the flushes that failed in the background, and tries again", async () => {
    const { catalog, handle } = await (await catalogFile()).open({ touchFlushMs: 5 });
    await catalog.create(tenant("acme"));
    const batch = vi.spyOn(handle, "batch");
    const full = new TenantryError("DATABASE_FULL", "full");
    batch.mockRejectedValue(full);
    catalog.touch(acme, { openedAt: 1 });
    await vi.waitFor(() => expect(catalog.stats().flushFailures).toBeGreaterThan(1));
    expect(catalog.stats()).toMatchObject({ pendingWrites: 1, lastFlushError: full });
    batch.mockRestore();
    await vi.waitFor(() => expect(catalog.stats()).toMatchObject({ pendingWrites: 0, flushFailures: 0 }));
    expect(await catalog.get(acme, { fresh: true })).toMatchObject({ openedAt: 1 });
  });
});

describe("recording migrated tenants", () => {
  test("is seen at once, and takes few commits for many", async () => {
    const { catalog, handle } = await (await catalogFile()).open();
    const ids = tenantIds(3000);
    await Promise.all(ids.map((id) => catalog.create(tenant(id))));
    await catalog.get(ids[0]!, { fresh: true });
    await catalog.get(ids[0]!);
    const batch = vi.spyOn(handle, "batch");
    for (const id of ids) catalog.recordMigrated([id], { version: "0002", hash: "h2" });
    expect(await catalog.countBehind("h2")).toBe(0);
    expect(batch.mock.calls.length).toBeLessThanOrEqual(15);
    expect(await collect(catalog.behind("h1"))).toHaveLength(3000);
    expect(await catalog.get(ids[2999]!, { fresh: true })).toMatchObject({
      schemaVersion: "0002",
      schemaHash: "h2",
    });
  });

  test("shows in the row in memory before it is written", async () => {
    const file = await catalogFile();
    await (await file.open()).catalog.create(tenant("acme"));
    const { catalog } = await file.open();
    await catalog.get(acme, { upToNow: true });
    catalog.recordMigrated([acme], { version: "0002", hash: "h2" });
    expect(catalog.peek(acme)).toMatchObject({ schemaVersion: "0002", schemaHash: "h2" });
    expect(await catalog.get(acme, { fresh: true })).toMatchObject({ schemaHash: "h1" });
    await catalog.flush();
    expect(catalog.peek(acme)).toMatchObject({ schemaHash: "h2" });
    expect(await catalog.get(acme, { fresh: true })).toMatchObject({ schemaHash: "h2" });
  });
});
