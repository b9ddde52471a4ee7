// Holds: hosts and keys belong to live tenants, and a key ends when it is revoked, expired or rotated.
import { describe, expect, test } from "vitest";
import { parseTenantId } from "../src/tenant-id.ts";
import { emptyCatalog, tenant } from "./catalog-file.ts";

const acme = parseTenantId("acme");
const nobody = parseTenantId("nobody");

describe("a tenant's hosts", () => {
  test("are found in lower case and listed in order", async () => {
    const catalog = await emptyCatalog();
    await catalog.create(tenant("acme"));
    await catalog.addAlias("Shop.ACME.test", acme, "ops");
    await catalog.addAlias("acme.test", acme);
    expect(await catalog.aliasesOf(acme)).toEqual(["acme.test", "shop.acme.test"]);
    expect(await catalog.tenantOfHost("shop.acme.test")).toBe(acme);
    expect(await catalog.tenantOfHost("other.test")).toBeUndefined();
    expect((await catalog.listAudit({ tenant: acme, limit: 2 })).entries).toMatchObject([
      { action: "alias.add", actor: "system", detail: { host: "acme.test" } },
      { action: "alias.add", actor: "ops", detail: { host: "shop.acme.test" } },
    ]);
  });

  test("are of one tenant each, and of tenants that are there", async () => {
    const catalog = await emptyCatalog();
    await catalog.create(tenant("acme"));
    await catalog.create(tenant("other"));
    await catalog.addAlias("acme.test", acme);
    await expect(catalog.addAlias("ACME.test", parseTenantId("other"))).rejects.toMatchObject({
      code: "ALIAS_EXISTS",
      message: expect.stringContaining('"acme"'),
    });
    await expect(catalog.addAlias("x.test", nobody)).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" });
    expect(await catalog.tenantOfHost("acme.test")).toBe(acme);
    expect((await catalog.listAudit()).entries).toHaveLength(3);
  });

  test("can be taken away once", async () => {
    const catalog = await emptyCatalog();
    await catalog.create(tenant("acme"));
    await catalog.addAlias("acme.test", acme);
    await catalog.tenantOfHost("acme.test");
    await catalog.removeAlias("ACME.test");
    expect(catalog.peekHost("acme.test")).toBeUndefined();
    expect(await catalog.tenantOfHost("acme.test")).toBeUndefined();
    await expect(catalog.removeAlias("acme.test")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await catalog.addAlias("acme.test", acme);
  });

  test.each([
    "",
    "acme.test:80",
    "http://acme.test",
    "a b",
    "-a.test",
    "a..b",
    ".a",
    "a.",
    "ä.test",
    `${"a".repeat(64)}.test`,
    "a.".repeat(127) + "a",
  ])("are not %j", async (host) => {
    const catalog = await emptyCatalog();
    await catalog.create(tenant("acme"));
    await expect(catalog.addAlias(host, acme)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("an API key", () => {
  test("is found by its hash, for one tenant or for all", async () => {
    const catalog = await emptyCatalog({ clock: () => 1000 });
    await catalog.create(tenant("acme"));
    const own = await catalog.addKey(
      { hash: "own", tenant: acme, scope: "read", label: "ci", expiresAt: 2000 },
      "ops",
    );
    const all = await catalog.addKey({ hash: "all", tenant: null, scope: "admin" });
    expect(own).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      hash: "own",
      tenant: "acme",
      scope: "read",
      label: "ci",
      createdAt: 1000,
      expiresAt: 2000,
      revokedAt: null,
      lastUsedAt: null,
    });
    expect(await catalog.findKey("own")).toEqual(own);
    expect(await catalog.findKey("all")).toEqual(all);
    expect(await catalog.findKey("none")).toBeUndefined();
    expect(JSON.stringify((await catalog.listAudit()).entries)).not.toContain('"own"');
  });

  test("is refused for a tenant that is not there, and with a hash that is", async () => {
    const catalog = await emptyCatalog();
    await expect(catalog.addKey({ hash: "h", tenant: nobody, scope: "read" })).rejects.toMatchObject({
      code: "TENANT_NOT_FOUND",
    });
    await catalog.addKey({ hash: "h", tenant: null, scope: "read" });
    await expect(catalog.addKey({ hash: "h", tenant: null, scope: "admin" })).rejects.toMatchObject({
      code: "CONSTRAINT",
    });
    expect(await catalog.findKey("h")).toMatchObject({ scope: "read" });
  });

  test("ends when it expires, from memory too", async () => {
    let now = 1000;
    const catalog = await emptyCatalog({ clock: () => now });
    await catalog.addKey({ hash: "h", tenant: null, scope: "read", expiresAt: 2000 });
    now = 1999;
    expect(await catalog.findKey("h")).toBeDefined();
    expect(catalog.peekKey("h")).toBeDefined();
    now = 2000;
    expect(await catalog.findKey("h")).toBeUndefined();
    expect(catalog.peekKey("h")).toBeUndefined();
  });

  test("ends when it is revoked, and stays listed", async () => {
    let now = 1000;
    const catalog = await emptyCatalog({ clock: () => now });
    const { id } = await catalog.addKey({ hash: "h", tenant: null, scope: "read" });
    await catalog.findKey("h");
    now = 2000;
    await catalog.revokeKey(id, "ops");
    now = 3000;
    expect(await catalog.revokeKey(id)).toMatchObject({ revokedAt: 2000 });
    expect(catalog.peekKey("h")).toBeUndefined();
    expect(await catalog.findKey("h")).toBeUndefined();
    expect((await catalog.listKeys()).keys).toMatchObject([{ id, revokedAt: 2000 }]);
    expect((await catalog.listAudit()).entries.map(({ action }) => action)).toEqual([
      "key.revoke",
      "key.add",
    ]);
    await expect(catalog.revokeKey("nothing")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("is rotated: the successor has its rights, the old one the time of grace", async () => {
    let now = 1000;
    const catalog = await emptyCatalog({ clock: () => now });
    await catalog.create(tenant("acme"));
    const old = await catalog.addKey({ hash: "old", tenant: acme, scope: "write", label: "app" });
    await catalog.findKey("old");
    const successor = await catalog.rotateKey(old.id, "new", 60, "ops");
    expect(successor).toMatchObject({
      hash: "new",
      tenant: "acme",
      scope: "write",
      label: "app",
      expiresAt: null,
    });
    expect(successor.id).not.toBe(old.id);
    expect(await catalog.findKey("old")).toMatchObject({ expiresAt: 61_000 });
    expect((await catalog.listAudit({ limit: 1 })).entries).toMatchObject([
      {
        action: "key.rotate",
        actor: "ops",
        tenant: "acme",
        detail: { key: old.id, successor: successor.id },
      },
    ]);
    now = 61_000;
    expect(await catalog.findKey("old")).toBeUndefined();
    expect(await catalog.findKey("new")).toEqual(successor);
    await expect(catalog.rotateKey(old.id, "newer", 60)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("is not rotated to live longer, nor for a senseless time", async () => {
    const catalog = await emptyCatalog({ clock: () => 1000 });
    const { id } = await catalog.addKey({ hash: "old", tenant: null, scope: "read", expiresAt: 5000 });
    for (const grace of [-1, Number.NaN, Infinity]) {
      await expect(catalog.rotateKey(id, "new", grace)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
    expect(await catalog.rotateKey(id, "new", 3600)).toMatchObject({ expiresAt: 5000 });
    expect(await catalog.findKey("old")).toMatchObject({ expiresAt: 5000 });
  });

  test("is listed in pages, by tenant", async () => {
    const catalog = await emptyCatalog();
    await catalog.create(tenant("acme"));
    for (let n = 0; n < 5; n++) {
      await catalog.addKey({ hash: `a${n}`, tenant: acme, scope: "read" });
      await catalog.addKey({ hash: `n${n}`, tenant: null, scope: "read" });
    }
    const first = await catalog.listKeys({ tenant: acme, limit: 3 });
    const second = await catalog.listKeys({ tenant: acme, limit: 3, cursor: first.cursor });
    expect([...first.keys, ...second.keys].map(({ hash }) => hash).sort()).toEqual([
      "a0",
      "a1",
      "a2",
      "a3",
      "a4",
    ]);
    expect(second.cursor).toBeNull();
    expect((await catalog.listKeys({ tenant: null })).keys).toHaveLength(5);
    expect((await catalog.listKeys()).keys).toHaveLength(10);
    await expect(catalog.listKeys({ cursor: "x" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("the audit log", () => {
  test("is listed newest first, in pages, of one tenant or of all", async () => {
    let now = 0;
    const catalog = await emptyCatalog({ clock: () => ++now });
    for (let n = 0; n < 5; n++) {
      await catalog.audit({
        actor: "ops",
        action: "tenant.export",
        tenant: n % 2 ? acme : nobody,
        detail: { n },
      });
    }
    await catalog.audit({ actor: "ops", action: "server.start" });
    const first = await catalog.listAudit({ limit: 4 });
    const second = await catalog.listAudit({ limit: 4, cursor: first.cursor });
    expect([...first.entries, ...second.entries].map(({ detail }) => detail)).toEqual([
      {},
      { n: 4 },
      { n: 3 },
      { n: 2 },
      { n: 1 },
      { n: 0 },
    ]);
    expect(first.entries[0]).toMatchObject({ tenant: null, action: "server.start" });
    expect(second.cursor).toBeNull();
    expect((await catalog.listAudit({ tenant: acme })).entries.map(({ detail }) => detail)).toEqual([
      { n: 3 },
      { n: 1 },
    ]);
    await expect(catalog.listAudit({ cursor: "x" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(catalog.listAudit({ limit: 0 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});
