// Holds the cache to its first promise: a handle in use is never closed, and never more than maxOpen are open.
import { describe, expect, onTestFinished, test } from "vitest";
import { HandleCache, type HandleCacheOptions } from "../src/handle-cache/handle-cache.ts";
import { type CountingHandle, CountingHandles, until } from "./support/counting-handles.ts";

function cacheOf(maxOpen: number, options: HandleCacheOptions = {}) {
  const handles = new CountingHandles(maxOpen);
  const cache = new HandleCache<CountingHandle>({ maxOpen, idleMs: 0, ...options });
  onTestFinished(() => cache.close());
  const acquire = (key: string) => cache.acquire(key, handles.opener(key));
  return { handles, cache, acquire };
}

describe("eviction", () => {
  test("closes the handle that has been idle for longest", async () => {
    const { handles, cache, acquire } = cacheOf(2);
    for (const key of ["a", "b", "a", "c"]) (await acquire(key)).release();
    expect(handles.openKeys).toEqual(["a", "c"]);
    expect(cache.stats()).toMatchObject({ open: 2, leased: 0, evictions: 1, hits: 1, opens: 3 });
  });

  test("passes over a leased handle, however long it has been unused", async () => {
    const { handles, acquire } = cacheOf(2);
    const old = await acquire("old");
    for (const key of ["a", "b", "c"]) (await acquire(key)).release();
    expect(old.handle.open).toBe(true);
    expect(handles.openKeys).toEqual(["old", "c"]);
    old.release();
  });

  test("a handle stays leased until its last lease is back", async () => {
    const { cache, acquire } = cacheOf(1, { acquireTimeoutMs: 60_000 });
    const first = await acquire("a");
    const second = await acquire("a");
    const other = acquire("b");
    first.release();
    first.release();
    expect(second.handle.open).toBe(true);
    expect(cache.stats().leased).toBe(1);
    second.release();
    expect((await other).handle.key).toBe("b");
    (await other).release();
  });

  test("several openers evict several idle handles at once", async () => {
    const { handles, acquire } = cacheOf(3);
    for (const key of ["a", "b", "c"]) (await acquire(key)).release();
    const leases = await Promise.all(["d", "e", "f"].map(acquire));
    expect(handles.openKeys.toSorted()).toEqual(["d", "e", "f"]);
    for (const lease of leases) lease.release();
  });

  test("keeps places free while handles are idle, the one used last open, and closes none in use", async () => {
    const { handles, cache, acquire } = cacheOf(64);
    const keys = Array.from({ length: 64 }, (_, index) => `k${index}`);
    const leases = await Promise.all(keys.map(acquire));
    for (const lease of leases.slice(2)) lease.release();
    await until(() => cache.stats().open <= 60);
    expect(cache.stats()).toMatchObject({ open: 60, leased: 2, evictions: 4 });
    expect(handles.openKeys).toContain("k63");
    for (const lease of leases.slice(0, 2)) {
      expect(lease.handle.open).toBe(true);
      lease.release();
    }
  });

  test("a handle that is asked for while it is being closed is opened after that", async () => {
    const { handles, cache, acquire } = cacheOf(2);
    for (const key of ["a", "b"]) (await acquire(key)).release();
    const evictor = acquire("c");
    await until(() => cache.stats().evictions === 1);
    const again = acquire("a");
    for (const lease of [await evictor, await again]) lease.release();
    expect(handles.opened).toBe(4);
    expect(cache.stats().leased).toBe(0);
  });
});

describe("a handle that does not close well", () => {
  test("gives its place back, and its evictor gets a handle", async () => {
    const { handles, cache, acquire } = cacheOf(1);
    handles.failing.add("bad");
    (await acquire("bad")).release();
    const lease = await acquire("good");
    expect(lease.handle.key).toBe("good");
    lease.release();
    expect(cache.stats()).toMatchObject({ failedCloses: 1, open: 1, leased: 0 });
  });

  test("is reported to who drains it, idle or leased", async () => {
    const { handles, cache, acquire } = cacheOf(2);
    handles.failing.add("bad");
    (await acquire("bad")).release();
    await expect(cache.drain("bad", 1000)).rejects.toThrow("does not close well");
    const lease = await acquire("bad");
    const drained = cache.drain("bad", 60_000);
    lease.release();
    await expect(drained).rejects.toThrow("does not close well");
    (await acquire("good")).release();
    await cache.drain("good", 1000);
    expect(cache.stats()).toMatchObject({ failedCloses: 2, open: 0 });
  });

  test("lets the others close at a shutdown, which then says so, however often it is asked", async () => {
    const handles = new CountingHandles();
    const cache = new HandleCache<CountingHandle>({ idleMs: 0 });
    handles.failing.add("bad");
    for (const key of ["a", "bad", "b"]) (await cache.acquire(key, handles.opener(key))).release();
    const closed = [cache.close(), cache.close()];
    for (const one of closed) await expect(one).rejects.toThrow("does not close well");
    expect(handles.openKeys).toEqual([]);
  });
});

describe("idle closing", () => {
  test("closes what nobody has leased for idleMs, and nothing that is leased", async () => {
    const { handles, cache, acquire } = cacheOf(5, { idleMs: 20 });
    const kept = await acquire("kept");
    for (const key of ["a", "b", "c"]) (await acquire(key)).release();
    await until(() => handles.openKeys.length === 1);
    expect(kept.handle.open).toBe(true);
    expect(cache.stats()).toMatchObject({ idleCloses: 3, evictions: 0, open: 1 });
    kept.release();
    await until(() => handles.openKeys.length === 0);
  });

  test("takes an idleMs that no timer can wait for as never", async () => {
    const { handles, cache, acquire } = cacheOf(5, { idleMs: Number.MAX_SAFE_INTEGER });
    (await acquire("a")).release();
    const { promise, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, 5);
    await promise;
    expect(handles.openKeys).toEqual(["a"]);
    expect(cache.stats().idleCloses).toBe(0);
  });
});
