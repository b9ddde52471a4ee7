// Holds the cache to its line: who comes first is served first, and nobody waits longer than the limit.
import { expect, onTestFinished, test } from "vitest";
import { HandleCache } from "../src/handle-cache/handle-cache.ts";
import { type CountingHandle, CountingHandles, turn } from "./support/counting-handles.ts";

function full(acquireTimeoutMs: number) {
  const handles = new CountingHandles(2);
  const cache = new HandleCache<CountingHandle>({ maxOpen: 2, idleMs: 0, acquireTimeoutMs });
  onTestFinished(() => cache.close());
  return { cache, acquire: (key: string) => cache.acquire(key, handles.opener(key)) };
}

test("those who wait get their handles in the order in which they came", async () => {
  const { cache, acquire } = full(60_000);
  const held = [await acquire("a"), await acquire("b")];
  const served: string[] = [];
  const waiting = ["c", "d", "e", "f"].map(async (key) => {
    const lease = await acquire(key);
    served.push(key);
    await turn();
    lease.release();
  });
  await turn();
  expect(cache.stats()).toMatchObject({ waiting: 4, leased: 2 });
  for (const lease of held) lease.release();
  await Promise.all(waiting);
  expect(served).toEqual(["c", "d", "e", "f"]);
  expect(cache.stats()).toMatchObject({ waiting: 0, leased: 0, exhausted: 0 });
});

test("an open handle is had at once, past those who wait for a place", async () => {
  const { acquire } = full(60_000);
  const held = [await acquire("a"), await acquire("b")];
  const waiting = acquire("c");
  const again = await acquire("a");
  again.release();
  for (const lease of held) lease.release();
  (await waiting).release();
});

test("who has waited too long is told so, and its place goes to the next", async () => {
  const { cache, acquire } = full(5);
  const held = [await acquire("a"), await acquire("b")];
  await expect(acquire("c")).rejects.toMatchObject({ code: "CACHE_EXHAUSTED", retryAfterSeconds: 1 });
  expect(cache.stats()).toMatchObject({ exhausted: 1, waiting: 0, leased: 2, failedOpens: 0 });
  for (const lease of held) lease.release();
  const after = await Promise.all([acquire("c"), acquire("d")]);
  for (const lease of after) lease.release();
  expect(cache.stats()).toMatchObject({ open: 2, leased: 0 });
});

test("a limit that no timer can wait for is a long one", async () => {
  const { acquire } = full(Number.MAX_SAFE_INTEGER);
  const held = [await acquire("a"), await acquire("b")];
  const waiting = acquire("c");
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, 5);
  await promise;
  for (const lease of held) lease.release();
  (await waiting).release();
});

test("a shutdown refuses those who wait, and new ones", async () => {
  const { cache, acquire } = full(60_000);
  const held = [await acquire("a"), await acquire("b")];
  const waiting = acquire("c");
  await turn();
  const closed = cache.close(60_000);
  await expect(waiting).rejects.toMatchObject({ code: "CLOSED" });
  await expect(acquire("a")).rejects.toMatchObject({ code: "CLOSED" });
  for (const lease of held) lease.release();
  await closed;
  expect(cache.stats()).toMatchObject({ open: 0, leased: 0, waiting: 0 });
});
