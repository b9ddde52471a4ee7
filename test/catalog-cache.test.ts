// Holds: rows in memory are never older than what this process wrote, nor than what another has been told that it
// has written.
import { describe, expect, test, vi } from "vitest";
import { type CatalogOptions, openCatalog } from "../src/catalog/index.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { catalogFile, nextTurn, tenant } from "./catalog-file.ts";

const acme = parseTenantId("acme");
const suspend = { from: ["active"], to: "suspended" } as const;
const resume = { from: ["suspended"], to: "active" } as const;

/** One catalog on two connections, as two processes have it, with the tenant `acme` in the first one's memory. */
async function twoCatalogs(options: Partial<CatalogOptions> = {}) {
  const file = await catalogFile();
  const { catalog: here, handle } = await file.open(options);
  const { catalog: elsewhere } = await file.open();
  await elsewhere.create(tenant("acme"));
  await here.get(acme, { upToNow: true });
  return { here, elsewhere, handle };
}

describe("a row in memory", () => {
  test("is there after it was read, and not before", async () => {
    const file = await catalogFile();
    const { catalog: here } = await file.open();
    const { catalog: elsewhere } = await file.open();
    await elsewhere.create(tenant("acme"));
    expect(here.peek(acme)).toBeUndefined();
    const row = await here.get(acme);
    expect(row).toMatchObject({ id: "acme" });
    expect(here.peek(acme)).toBe(row);
  });

  test("is read once for all who ask together", async () => {
    const file = await catalogFile();
    await (await file.open()).catalog.create(tenant("acme"));
    const { catalog, handle } = await file.open();
    const run = vi.spyOn(handle, "run");
    const rows = await Promise.all(Array.from({ length: 10 }, () => catalog.get(acme)));
    expect(new Set(rows).size).toBe(1);
    expect(run).toHaveBeenCalledTimes(1);
  });

  test("goes when another process has written, before that one hears of it", async () => {
    const { here, elsewhere } = await twoCatalogs();
    for (let round = 0; round < 50; round++) {
      const change = round % 2 === 0 ? suspend : resume;
      await here.get(acme);
      const told = new AbortController();
      const changing = elsewhere.setState(acme, change).then(() => {
        told.abort();
        return here.peek(acme);
      });
      while (!told.signal.aborted) {
        here.peek(acme);
        await nextTurn();
      }
      expect(await changing).toBeUndefined();
    }
    await elsewhere.setState(acme, suspend);
    expect(here.peek(acme)).toBeUndefined();
    expect(await here.get(acme)).toMatchObject({ state: "suspended" });
    expect(here.stats().drops).toBeGreaterThan(0);
  });

  test("is passed by when it must be fresh, within the same turn", async () => {
    const { here, elsewhere } = await twoCatalogs();
    await nextTurn();
    here.peek(acme);
    const suspending = elsewhere.setState(acme, suspend);
    const fresh = here.get(acme, { fresh: true });
    await suspending;
    expect(await fresh).toMatchObject({ state: "suspended" });
  });

  test("is passed by for what holds up to now, within the same turn, and else is enough for it", async () => {
    const { here, elsewhere, handle } = await twoCatalogs();
    const run = vi.spyOn(handle, "run");
    await nextTurn();
    here.peek(acme);
    expect(await here.get(acme, { upToNow: true })).toMatchObject({ state: "active" });
    expect(run).not.toHaveBeenCalled();
    const suspending = elsewhere.setState(acme, suspend);
    const now = here.get(acme, { upToNow: true });
    await suspending;
    expect(await now).toMatchObject({ state: "suspended" });
  });

  test("stays while nobody writes", async () => {
    const { here } = await twoCatalogs();
    const { drops } = here.stats();
    for (let turn = 0; turn < 5; turn++) {
      expect(here.peek(acme)).toBeDefined();
      await nextTurn();
    }
    expect(here.stats().drops).toBe(drops);
  });

  test("is asked for its freshness once in five milliseconds", async () => {
    const file = await catalogFile();
    const dataVersion = vi.fn(() => 1);
    const { catalog } = await file.open({ dataVersion });
    dataVersion.mockClear();
    const started = performance.now();
    while (performance.now() - started < 50) catalog.peek(acme);
    const calls = dataVersion.mock.calls.length;
    expect(calls).toBeGreaterThan(0);
    expect(calls).toBeLessThanOrEqual((performance.now() - started) / 5 + 1);
  });

  test("is the newest of reads and writes that overlap", async () => {
    const { here } = await twoCatalogs();
    await nextTurn();
    for (let round = 0; round < 20; round++) {
      const change = round % 2 === 0 ? suspend : resume;
      const [, , changed] = await Promise.all([
        here.get(acme, { fresh: true }),
        here.get(acme),
        here.setState(acme, change),
        here.get(acme, { fresh: true }),
        here.update(acme, { sizeBytes: round }),
      ]);
      expect(await here.get(acme)).toMatchObject({ state: changed.state, sizeBytes: round });
      expect(await here.get(acme)).toEqual(await here.get(acme, { fresh: true }));
      await nextTurn();
    }
  });

  test("is not what a slow read brings after a write", async () => {
    const { here, handle, elsewhere } = await twoCatalogs();
    await elsewhere.update(acme, { sizeBytes: 1 });
    await nextTurn();
    const run = handle.run.bind(handle);
    const slow = Promise.withResolvers<void>();
    vi.spyOn(handle, "run").mockImplementationOnce(async (...call) => {
      const found = await run(...call);
      await slow.promise;
      return found;
    });
    const reading = here.get(acme);
    await here.setState(acme, suspend);
    const after = here.get(acme);
    slow.resolve();
    await reading;
    expect(await after).toMatchObject({ state: "suspended" });
    expect(await here.get(acme)).toMatchObject({ state: "suspended" });
  });

  test("is not what a slow read brings after another process's write", async () => {
    const { here, handle, elsewhere } = await twoCatalogs();
    await elsewhere.update(acme, { sizeBytes: 1 });
    await nextTurn();
    const run = handle.run.bind(handle);
    const slow = Promise.withResolvers<void>();
    vi.spyOn(handle, "run").mockImplementationOnce(async (...call) => {
      const found = await run(...call);
      await slow.promise;
      return found;
    });
    const reading = here.get(acme);
    await elsewhere.setState(acme, suspend);
    await nextTurn();
    here.peek(parseTenantId("other"));
    slow.resolve();
    expect(await reading).toMatchObject({ state: "active" });
    await nextTurn();
    expect(await here.get(acme)).toMatchObject({ state: "suspended" });
  });

  test("makes room for others beyond the limit", async () => {
    const { here, elsewhere } = await twoCatalogs({ cacheEntries: 2 });
    for (const id of ["b", "c", "d"]) await elsewhere.create(tenant(id));
    await nextTurn();
    for (const id of ["b", "c", "d"]) await here.get(parseTenantId(id));
    expect(here.stats().cachedRows).toBe(2);
    expect(here.peek(parseTenantId("b"))).toBeUndefined();
    expect(here.peek(parseTenantId("d"))).toBeDefined();
  });

  test("holds for a time where nothing tells of changes", async () => {
    let now = 1_700_000_000_000;
    const { here, elsewhere } = await twoCatalogs({ dataVersion: undefined, cacheMs: 500, clock: () => now });
    await elsewhere.setState(acme, suspend);
    now += 400;
    expect(here.peek(acme)).toMatchObject({ state: "active" });
    now += 200;
    expect(here.peek(acme)).toBeUndefined();
    expect(await here.get(acme)).toMatchObject({ state: "suspended" });
  });
});

describe("hosts and keys in memory", () => {
  test("go when another process removes them", async () => {
    const { here, elsewhere } = await twoCatalogs();
    await elsewhere.addAlias("acme.test", acme);
    const key = await elsewhere.addKey({ hash: "k", tenant: acme, scope: "read" });
    await nextTurn();
    expect(await here.tenantOfHost("acme.test")).toBe(acme);
    expect(await here.findKey("k")).toMatchObject({ id: key.id });
    expect([here.peekHost("acme.test"), here.peekKey("k")?.id]).toEqual([acme, key.id]);
    await elsewhere.removeAlias("acme.test");
    await elsewhere.revokeKey(key.id);
    await nextTurn();
    expect([here.peekHost("acme.test"), here.peekKey("k")]).toEqual([undefined, undefined]);
    expect([await here.tenantOfHost("acme.test"), await here.findKey("k")]).toEqual([undefined, undefined]);
  });
});

describe("who keeps handles open", () => {
  test("is told once that another process has written", async () => {
    const { here, elsewhere } = await twoCatalogs();
    here.changedElsewhere();
    await nextTurn();
    expect(here.changedElsewhere()).toBe(false);
    await elsewhere.setState(acme, suspend);
    await nextTurn();
    here.peek(acme);
    expect(here.changedElsewhere()).toBe(true);
    expect(here.changedElsewhere()).toBe(false);
    expect((await here.getMany([acme])).get(acme)).toMatchObject({ state: "suspended" });
  });
});

describe("opening a catalog", () => {
  test.each([{ cacheEntries: 0 }, { cacheMs: 1.5 }, { touchFlushMs: -1 }])("refuses %j", async (options) => {
    const { handle } = await (await catalogFile()).open();
    await expect(openCatalog({ handle, ...options })).rejects.toMatchObject({ code: "INVALID_OPTION" });
  });
});
