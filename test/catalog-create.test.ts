// Holds: one creator of an id wins, a failed creation leaves nothing, a deleted id comes back anew.
import { describe, expect, test, vi } from "vitest";
import { catalogFile, emptyCatalog, tenant, tenantIds } from "./catalog-file.ts";
import { DEFAULT_TENANT_SETTINGS } from "../src/catalog/index.ts";
import { parseTenantId } from "../src/tenant-id.ts";

const acme = parseTenantId("acme");

describe("creating a tenant", () => {
  test("writes the record that provision was shown", async () => {
    const catalog = await emptyCatalog({ clock: () => 1_700_000_000_000 });
    let shown: unknown;
    const made = await catalog.create(
      tenant("acme", {
        provision: async (record) => {
          shown = record;
        },
      }),
    );
    expect(shown).toEqual(made);
    expect(made).toEqual({
      id: "acme",
      incarnation: expect.stringMatching(/^[0-9a-f]{32}$/),
      state: "active",
      reason: null,
      driver: "local",
      shard: "local",
      schemaVersion: "0001_initial.sql",
      schemaHash: "h1",
      sizeBytes: 4096,
      createdAt: 1_700_000_000_000,
      updatedAt: 1_700_000_000_000,
      openedAt: null,
      deletedAt: null,
      backupState: "none",
      awaySince: null,
      backupEpoch: 1,
      backupTxid: 0,
      backupSettledAt: null,
      backupVerifiedAt: null,
      backupVerifyFailure: null,
      ...DEFAULT_TENANT_SETTINGS,
    });
    expect(await catalog.get(acme, { fresh: true })).toEqual(made);
  });

  test("refuses an id that is there", async () => {
    const catalog = await emptyCatalog();
    await catalog.create(tenant("acme"));
    await expect(catalog.create(tenant("acme"))).rejects.toMatchObject({
      code: "TENANT_EXISTS",
      tenant: "acme",
    });
  });

  test("leaves nothing when provision fails", async () => {
    const catalog = await emptyCatalog();
    const provision = (): Promise<void> => Promise.reject(new Error("no space"));
    await expect(catalog.create(tenant("acme", { provision }))).rejects.toThrow("no space");
    expect(await catalog.get(acme, { fresh: true, deleted: true })).toBeUndefined();
    expect((await catalog.listAudit()).entries).toEqual([]);
    await catalog.create(tenant("acme"));
  });

  test("never runs provision for an id that is there", async () => {
    const catalog = await emptyCatalog();
    await catalog.create(tenant("acme"));
    let provisioned = false;
    const provision = async (): Promise<void> => {
      provisioned = true;
    };
    await expect(catalog.create(tenant("acme", { provision }))).rejects.toMatchObject({
      code: "TENANT_EXISTS",
    });
    expect(provisioned).toBe(false);
  });

  test("shares commits, in which one failure harms no other", async () => {
    const { catalog, handle } = await (await catalogFile()).open();
    const transaction = vi.spyOn(handle, "transaction");
    const outcomes = await Promise.allSettled(
      tenantIds(150).map((id, n) =>
        catalog.create(
          tenant(id, n % 10 === 3 ? { provision: () => Promise.reject(new Error(`no ${id}`)) } : {}),
        ),
      ),
    );
    const refused = outcomes.filter(({ status }) => status === "rejected");
    expect(refused.map((one) => (one as PromiseRejectedResult).reason.message)).toContain("no t00003");
    expect(refused).toHaveLength(15);
    expect((await catalog.count()).active).toBe(135);
    expect(transaction).toHaveBeenCalledTimes(3);
  });

  test("gives an id to the first of those who ask together", async () => {
    const catalog = await emptyCatalog();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, () => catalog.create(tenant("acme"))),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", ...Array(19).fill("rejected")]);
  });

  test("lets the second have the id when the first fails", async () => {
    const catalog = await emptyCatalog();
    const provision = (): Promise<void> => Promise.reject(new Error("no space"));
    const [, first, second] = await Promise.allSettled([
      catalog.create(tenant("other")),
      catalog.create(tenant("acme", { provision })),
      catalog.create(tenant("acme")),
    ]);
    expect([first.status, second.status]).toEqual(["rejected", "fulfilled"]);
  });

  test("makes a new incarnation of a deleted id, and keeps the old one's history", async () => {
    let now = 1_700_000_000_000;
    const catalog = await emptyCatalog({ clock: () => now++ });
    const before = await catalog.create(tenant("acme"));
    catalog.touch(acme, { openedAt: 5, sizeBytes: 6 });
    await catalog.setState(acme, { from: ["active"], to: "deleted", reason: "left us" }, "ops");
    const after = await catalog.create(tenant("acme", { actor: "ops" }));
    await catalog.flush();
    expect(after.incarnation).not.toBe(before.incarnation);
    expect(after.createdAt).toBeGreaterThan(before.createdAt);
    expect(await catalog.get(acme, { fresh: true })).toEqual(after);
    expect(
      (await catalog.listAudit({ tenant: acme })).entries.map(({ action, detail }) => [action, detail]),
    ).toEqual([
      ["tenant.create", expect.objectContaining({ incarnation: after.incarnation })],
      ["tenant.state", { from: "active", to: "deleted", reason: "left us", incarnation: before.incarnation }],
      ["tenant.create", expect.objectContaining({ incarnation: before.incarnation })],
    ]);
    expect(await catalog.count()).toMatchObject({ active: 1, deleted: 0 });
  });

  test("is refused once the catalog is closed, and finished before", async () => {
    const catalog = await emptyCatalog();
    const creating = catalog.create(tenant("acme"));
    await catalog.close();
    await expect(creating).resolves.toMatchObject({ id: "acme" });
    await expect(catalog.create(tenant("other"))).rejects.toMatchObject({ code: "CLOSED" });
    expect(() => catalog.touch(acme, {})).toThrow("closed");
    await catalog.close();
  });
});
