// Holds: a tenant's state changes only from the states named, and what a deleted tenant leaves behind.
import { describe, expect, test } from "vitest";
import { parseTenantId } from "../src/tenant-id.ts";
import { catalogFile, emptyCatalog, nextTurn, tenant } from "./catalog-file.ts";

const acme = parseTenantId("acme");

describe("changing a tenant's state", () => {
  test("holds from the states named, and is seen at once", async () => {
    const catalog = await emptyCatalog();
    await catalog.create(tenant("acme"));
    await catalog.get(acme, { upToNow: true });
    const changed = await catalog.setState(acme, {
      from: ["active", "migrating"],
      to: "quarantined",
      reason: "0002 failed",
    });
    expect(changed).toMatchObject({ state: "quarantined", reason: "0002 failed" });
    expect(catalog.peek(acme)).toEqual(changed);
    expect(await catalog.get(acme, { fresh: true })).toEqual(changed);
    expect(await catalog.setState(acme, { from: ["quarantined"], to: "active" })).toMatchObject({
      state: "active",
      reason: null,
    });
  });

  test("is refused from another state, which the error names", async () => {
    const catalog = await emptyCatalog();
    await catalog.create(tenant("acme"));
    await catalog.setState(acme, { from: ["active"], to: "suspended", reason: "unpaid" });
    await expect(
      catalog.setState(acme, { from: ["active", "moving"], to: "migrating" }),
    ).rejects.toMatchObject({
      code: "TENANT_STATE",
      message: 'Tenant "acme" is suspended; this needs it to be active or moving.',
      hint: "It is suspended because: unpaid",
      tenant: "acme",
    });
    expect(await catalog.get(acme, { fresh: true })).toMatchObject({ state: "suspended", reason: "unpaid" });
    expect((await catalog.listAudit()).entries).toHaveLength(2);
  });

  test("is refused for a tenant that is not there, or not any more", async () => {
    const catalog = await emptyCatalog();
    const suspend = { from: ["active"], to: "suspended" } as const;
    await expect(catalog.setState(acme, suspend)).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" });
    const { incarnation } = await catalog.create(tenant("acme"));
    await catalog.setState(acme, { from: ["active"], to: "deleted" });
    await expect(catalog.setState(acme, suspend)).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" });
    await expect(catalog.update(acme, { sizeBytes: 1 })).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" });
    await catalog.create(tenant("acme"));
    await expect(catalog.setState(acme, { ...suspend, incarnation })).rejects.toMatchObject({
      code: "TENANT_NOT_FOUND",
      message: expect.stringContaining("made anew"),
    });
    expect(catalog.peek(acme) ?? (await catalog.get(acme))).toMatchObject({ state: "active" });
  });

  test("lets one of two have it", async () => {
    const catalog = await emptyCatalog();
    await catalog.create(tenant("acme"));
    const outcomes = await Promise.allSettled([
      catalog.setState(acme, { from: ["active"], to: "migrating" }),
      catalog.setState(acme, { from: ["active"], to: "moving" }),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect(await catalog.get(acme)).toMatchObject({ state: "migrating" });
  });

  test("locks out everybody while work goes on that belongs to it", async () => {
    const file = await catalogFile();
    const { catalog: here } = await file.open();
    const { catalog: elsewhere } = await file.open();
    const { incarnation } = await here.create(tenant("acme"));
    await here.setState(acme, { from: ["active"], to: "suspended" });
    const order: string[] = [];
    let resuming: Promise<unknown> | undefined;
    const deleting = here.setState(acme, {
      from: ["suspended"],
      to: "deleted",
      incarnation,
      whileLocked: async (record) => {
        order.push(`removing ${record.incarnation}`);
        resuming = elsewhere.setState(acme, { from: ["suspended"], to: "active" });
        resuming.catch(() => order.push("refused"));
        await nextTurn();
        order.push("removed");
      },
    });
    expect(await deleting).toMatchObject({ state: "deleted" });
    await expect(resuming).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" });
    const remake = tenant("acme", { provision: async () => void order.push("made anew") });
    await elsewhere.create(remake);
    expect(order).toEqual([`removing ${incarnation}`, "removed", "refused", "made anew"]);
    const again = { from: ["active"], to: "deleted", incarnation } as const;
    const whileLocked = async (): Promise<void> => void order.push("never");
    await expect(here.setState(acme, { ...again, whileLocked })).rejects.toMatchObject({
      code: "TENANT_NOT_FOUND",
    });
    expect(order).not.toContain("never");
  });

  test("does not happen when the work that belongs to it fails", async () => {
    const catalog = await emptyCatalog();
    await catalog.create(tenant("acme"));
    const whileLocked = (): Promise<void> => Promise.reject(new Error("read-only folder"));
    await expect(catalog.setState(acme, { from: ["active"], to: "deleted", whileLocked })).rejects.toThrow(
      "read-only",
    );
    expect(await catalog.get(acme, { fresh: true })).toMatchObject({ state: "active" });
    expect((await catalog.listAudit()).entries).toHaveLength(1);
  });

  test("keeps a tombstone of a deleted tenant, which only who asks for it sees", async () => {
    const catalog = await emptyCatalog({ clock: () => 1_700_000_000_000 });
    await catalog.create(tenant("acme"));
    await catalog.setState(acme, { from: ["active"], to: "deleted" });
    expect(catalog.peek(acme)).toBeUndefined();
    expect(await catalog.get(acme)).toBeUndefined();
    expect(await catalog.getMany([acme])).toEqual(new Map());
    expect(await catalog.get(acme, { deleted: true })).toMatchObject({
      state: "deleted",
      deletedAt: 1_700_000_000_000,
    });
    expect((await catalog.list()).tenants).toEqual([]);
    expect((await catalog.list({ state: "deleted" })).tenants).toHaveLength(1);
  });

  test("takes a deleted tenant's hosts and keys from it, and from no other", async () => {
    const catalog = await emptyCatalog();
    await catalog.create(tenant("acme"));
    const other = (await catalog.create(tenant("other"))).id;
    await catalog.addAlias("acme.test", acme);
    await catalog.addAlias("other.test", other);
    const key = await catalog.addKey({ hash: "ka", tenant: acme, scope: "read" });
    await catalog.addKey({ hash: "ko", tenant: other, scope: "read" });
    await catalog.setState(acme, { from: ["active"], to: "deleted" });
    await catalog.create(tenant("acme"));
    expect(await catalog.tenantOfHost("acme.test")).toBeUndefined();
    expect(await catalog.findKey("ka")).toBeUndefined();
    expect((await catalog.listKeys({ tenant: acme })).keys).toMatchObject([
      { id: key.id, revokedAt: expect.any(Number) },
    ]);
    expect(await catalog.tenantOfHost("other.test")).toBe("other");
    expect(await catalog.findKey("ko")).toMatchObject({ tenant: "other" });
  });

  test("counts the states as the table has them", async () => {
    const catalog = await emptyCatalog();
    for (const id of ["a", "b", "c", "d"]) await catalog.create(tenant(id));
    await catalog.setState(parseTenantId("a"), { from: ["active"], to: "suspended" });
    await catalog.setState(parseTenantId("b"), { from: ["active"], to: "deleted" });
    await catalog.create(tenant("b"));
    await catalog.setState(parseTenantId("c"), { from: ["active"], to: "deleted" });
    expect(await catalog.count()).toEqual({
      active: 2,
      suspended: 1,
      migrating: 0,
      quarantined: 0,
      moving: 0,
      deleted: 1,
    });
  });
});

describe("updating a tenant", () => {
  test("writes what is given and leaves the rest", async () => {
    let now = 1000;
    const catalog = await emptyCatalog({ clock: () => now });
    const made = await catalog.create(tenant("acme"));
    await catalog.get(acme, { upToNow: true });
    now = 2000;
    const updated = await catalog.update(acme, { shard: "eu-1", sizeBytes: 8192 });
    expect(updated).toEqual({ ...made, shard: "eu-1", sizeBytes: 8192, updatedAt: 2000 });
    expect(catalog.peek(acme)).toEqual(updated);
  });
});
