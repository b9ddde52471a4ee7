// Holds: pages and sweeps give each tenant of their filter once, and bad cursors are refused.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Catalog, TenantQuery } from "../src/catalog/index.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { collect, emptyCatalog, tenant, tenantIds } from "./catalog-file.ts";

/** Thirty tenants: every third suspended, every fifth of them deleted. */
async function thirty(): Promise<Catalog> {
  const catalog = await emptyCatalog();
  const ids = tenantIds(30);
  await Promise.all(ids.map((id) => catalog.create(tenant(id))));
  for (const [n, id] of ids.entries()) {
    if (n % 3 === 0)
      await catalog.setState(id, { from: ["active"], to: n % 5 === 0 ? "deleted" : "suspended" });
  }
  return catalog;
}

async function pages(catalog: Catalog, query: TenantQuery): Promise<string[][]> {
  const all: string[][] = [];
  let cursor: string | null = null;
  do {
    const page = await catalog.list({ ...query, cursor });
    all.push(page.tenants.map(({ id }) => id));
    cursor = page.cursor;
  } while (cursor !== null);
  return all;
}

describe("listing tenants", () => {
  test("gives pages in the order of ids, and no cursor with the last", async () => {
    const catalog = await emptyCatalog();
    for (const id of ["b", "a", "a-1", "a_1", "c", "a1"]) await catalog.create(tenant(id));
    expect(await pages(catalog, { limit: 2 })).toEqual([
      ["a", "a-1"],
      ["a1", "a_1"],
      ["b", "c"],
    ]);
    expect(await pages(catalog, { limit: 6 })).toEqual([["a", "a-1", "a1", "a_1", "b", "c"]]);
    expect(await pages(catalog, {})).toEqual([["a", "a-1", "a1", "a_1", "b", "c"]]);
  });

  test("filters by state", async () => {
    const catalog = await thirty();
    const suspended = [3, 6, 9, 12, 18, 21, 24, 27].map((n) => tenantIds(30)[n]);
    expect((await pages(catalog, { state: "suspended", limit: 3 })).flat()).toEqual(suspended);
    expect((await pages(catalog, { state: ["deleted"] })).flat()).toEqual(["t00000", "t00015"]);
    expect((await pages(catalog, { state: ["deleted", "suspended"], limit: 1 })).flat()).toHaveLength(10);
    expect((await pages(catalog, { limit: 7 })).flat()).toHaveLength(28);
  });

  test("filters by the beginning of the id, which may be the whole id", async () => {
    const catalog = await emptyCatalog();
    for (const id of ["ab", "ab-c", "ab_c", "abc", "ac", "b"]) await catalog.create(tenant(id));
    expect(await pages(catalog, { prefix: "ab", limit: 3 })).toEqual([["ab", "ab-c", "ab_c"], ["abc"]]);
    expect(await pages(catalog, { prefix: "ab-" })).toEqual([["ab-c"]]);
    expect(await pages(catalog, { prefix: "x" })).toEqual([[]]);
  });

  test("goes on after a tenant that has been deleted meanwhile", async () => {
    const catalog = await emptyCatalog();
    for (const id of ["a", "b", "c"]) await catalog.create(tenant(id));
    const { cursor } = await catalog.list({ limit: 2 });
    await catalog.setState(parseTenantId("b"), { from: ["active"], to: "deleted" });
    expect((await catalog.list({ cursor })).tenants.map(({ id }) => id)).toEqual(["c"]);
  });

  test.each([
    { limit: 0 },
    { limit: 1001 },
    { limit: 1.5 },
    { limit: Number.NaN },
    { prefix: "A" },
    { prefix: "%" },
    { state: [] },
    { state: "gone" as "active" },
  ])("refuses %j", async (query) => {
    const catalog = await emptyCatalog();
    await expect(catalog.list(query)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  test("refuses every cursor that it has not given", async () => {
    const catalog = await emptyCatalog();
    const { cursor: keyCursor } = await (async () => {
      for (const hash of ["a", "b"]) await catalog.addKey({ hash, tenant: null, scope: "admin" });
      return catalog.listKeys({ limit: 1 });
    })();
    for (const cursor of ["", " ", "%", "dGVuYW50Og", "dGVuYW50OkEx", keyCursor, "a".repeat(10_000)]) {
      await expect(catalog.list({ cursor })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string({ unit: "binary" }), fc.base64String()), async (cursor) => {
        const refused = await catalog.list({ cursor }).then(
          () => false,
          (error: { code: string }) => error.code === "INVALID_ARGUMENT",
        );
        return refused || /^dGVuYW50O[A-Za-z0-9_-]+$/.test(cursor);
      }),
    );
  });
});

describe("sweeping over tenants", () => {
  test("gives each once, over many pages", async () => {
    const catalog = await emptyCatalog();
    const ids = tenantIds(2500);
    await Promise.all(ids.map((id) => catalog.create(tenant(id))));
    expect((await collect(catalog.iterate())).map(({ id }) => id)).toEqual(ids);
    expect(await collect(catalog.iterate({ prefix: "t0123" }))).toHaveLength(10);
    expect((await collect(catalog.iterate({ prefix: "t02" }))).map(({ id }) => id)).toEqual(ids.slice(2000));
  });

  test("gives those whose schema differs, in the states that are swept", async () => {
    const catalog = await emptyCatalog();
    for (const [id, schemaHash] of Object.entries({ a: "h1", b: "h2", c: "h3", d: "h1", e: "" })) {
      await catalog.create(tenant(id, { schemaHash }));
    }
    const behind = async (hash: string): Promise<string[]> => {
      const ids = (await collect(catalog.behind(hash))).map(({ id }) => id).sort();
      expect(await catalog.countBehind(hash)).toBe(ids.length);
      return ids;
    };
    expect(await behind("h2")).toEqual(["a", "c", "d", "e"]);
    expect(await behind("h0")).toEqual(["a", "b", "c", "d", "e"]);
    expect(await behind("")).toEqual(["a", "b", "c", "d"]);
    await catalog.setState(parseTenantId("a"), { from: ["active"], to: "deleted" });
    await catalog.setState(parseTenantId("c"), { from: ["active"], to: "moving" });
    await catalog.setState(parseTenantId("d"), { from: ["active"], to: "quarantined" });
    expect(await behind("h2")).toEqual(["d", "e"]);
    expect(
      (await collect(catalog.behind("h2", ["quarantined", "moving"]))).map(({ id }) => id).sort(),
    ).toEqual(["c", "d"]);
  });

  test("gives each that is behind once while they are being migrated", async () => {
    const catalog = await emptyCatalog();
    const ids = tenantIds(2500);
    await Promise.all(ids.map((id, n) => catalog.create(tenant(id, { schemaHash: `h${n % 3}` }))));
    const swept: string[] = [];
    for await (const { id } of catalog.behind("new")) {
      swept.push(id);
      catalog.recordMigrated([id], { version: "0002", hash: "new" });
    }
    expect(swept.sort()).toEqual(ids);
    expect(await catalog.countBehind("new")).toBe(0);
  });
});
