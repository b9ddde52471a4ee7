// Holds the cache to closing one key's handle when it is out of use, and only then.
import { expect, onTestFinished, test } from "vitest";
import { HandleCache } from "../src/handle-cache/handle-cache.ts";
import { type CountingHandle, CountingHandles, turn } from "./support/counting-handles.ts";

function drainable(maxOpen = 4) {
  const handles = new CountingHandles(maxOpen);
  const cache = new HandleCache<CountingHandle>({ maxOpen, idleMs: 0 });
  onTestFinished(() => cache.close());
  return { handles, cache, acquire: (key: string) => cache.acquire(key, handles.opener(key)) };
}

test("returns when the last lease is back and the handle is closed", async () => {
  const { handles, cache, acquire } = drainable();
  const leases = [await acquire("a"), await acquire("a")];
  let drained = false;
  const drain = cache.drain("a", 60_000).then(() => (drained = true));
  leases[0]?.release();
  await turn();
  expect(drained).toBe(false);
  expect(leases[1]?.handle.open).toBe(true);
  leases[1]?.release();
  await drain;
  expect(handles.openKeys).toEqual([]);
});

test("closes an idle handle at once, and has nothing to do where none is open", async () => {
  const { handles, cache, acquire } = drainable();
  (await acquire("a")).release();
  await cache.drain("a", 60_000);
  expect(handles.openKeys).toEqual([]);
  await cache.drain("a", 0);
});

test("waits for a handle that somebody else is closing", async () => {
  const { handles, cache, acquire } = drainable();
  (await acquire("a")).release();
  await Promise.all([cache.drain("a", 60_000), cache.drain("a", 60_000)]);
  expect(handles.openKeys).toEqual([]);
  expect(handles.closed).toBe(1);
});

test("who asks meanwhile waits, and gets a new handle", async () => {
  const { handles, cache, acquire } = drainable();
  const old = await acquire("a");
  const drain = cache.drain("a", 60_000);
  const asked = [acquire("a"), acquire("a")];
  await turn();
  expect(handles.opened).toBe(1);
  old.release();
  await drain;
  const [first, second] = await Promise.all(asked);
  expect(first?.handle).not.toBe(old.handle);
  expect(second?.handle).toBe(first?.handle);
  first?.release();
  second?.release();
  expect(cache.stats()).toMatchObject({ leased: 0, open: 1 });
});

test("waits for an open under way, and for who gets that handle", async () => {
  const { handles, cache, acquire } = drainable();
  const asked = acquire("a");
  const drain = cache.drain("a", 60_000);
  const lease = await asked;
  expect(lease.handle.open).toBe(true);
  lease.release();
  await drain;
  expect(handles.openKeys).toEqual([]);
});

test("gives up after its time and leaves the handle as it was", async () => {
  const { handles, cache, acquire } = drainable();
  const held = await acquire("a");
  const drain = cache.drain("a", 5);
  const asked = acquire("a");
  await expect(drain).rejects.toMatchObject({ code: "TENANT_BUSY", retryAfterSeconds: 1 });
  const lease = await asked;
  expect(lease.handle).toBe(held.handle);
  expect(held.handle.open).toBe(true);
  lease.release();
  held.release();
  expect(handles.openKeys).toEqual(["a"]);
  expect(cache.stats()).toMatchObject({ leased: 0, open: 1, opens: 1 });
});

test("gives up in time on an open that takes long", async () => {
  const cache = new HandleCache<CountingHandle>({ idleMs: 0 });
  const handles = new CountingHandles();
  const { promise: mayOpen, resolve: goOn } = Promise.withResolvers<void>();
  const asked = cache.acquire("a", () => mayOpen.then(handles.opener("a")));
  await expect(cache.drain("a", 5)).rejects.toMatchObject({ code: "TENANT_BUSY" });
  goOn();
  (await asked).release();
  expect(handles.openKeys).toEqual(["a"]);
  await cache.close();
});

test("one who gives up does not make another believe that the handle is closed", async () => {
  const { handles, cache, acquire } = drainable();
  const held = await acquire("a");
  let drained = false;
  const patient = cache.drain("a", 60_000).then(() => (drained = true));
  await expect(cache.drain("a", 5)).rejects.toMatchObject({ code: "TENANT_BUSY" });
  await turn();
  expect(drained).toBe(false);
  held.release();
  await patient;
  expect(handles.openKeys).toEqual([]);
});

test("a shutdown closes what is still leased after its grace, and a late release does no harm", async () => {
  const { handles, cache, acquire } = drainable();
  const held = await acquire("a");
  (await acquire("b")).release();
  await cache.close(5);
  expect(handles.openKeys).toEqual([]);
  held.release();
  await cache.close();
  expect(handles.closed).toBe(2);
  expect(cache.stats()).toMatchObject({ open: 0, leased: 0 });
});
