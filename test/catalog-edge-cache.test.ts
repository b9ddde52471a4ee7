// Owns rows in memory where no promise is shared between requests: kept by whoever reads, unless a write overlapped.
import { expect, test } from "vitest";
import { Freshness, RowCache } from "../src/catalog/row-cache.ts";

function rows(): RowCache<{ n: number }> {
  return new RowCache(new Freshness({ cacheMs: 1000, clock: () => 0, ioPerRequest: true }), 10);
}

test("many who read a row at once each read it, and it is kept", async () => {
  const cache = rows();
  let reads = 0;
  const read = async (): Promise<{ n: number }> => ({ n: ++reads });
  const found = await Promise.all(Array.from({ length: 5 }, () => cache.get("a", read)));
  expect(found.map((row) => row?.n)).toEqual([1, 2, 3, 4, 5]);
  expect(cache.peek("a")).toEqual({ n: 5 });
});

test("a row that is written while it is read is not kept as it was read", async () => {
  const cache = rows();
  const { promise, resolve } = Promise.withResolvers<{ n: number }>();
  const reading = cache.get("a", () => promise);
  await cache.keep(
    "a",
    async () => ({ n: 2 }),
    (row) => row,
  );
  resolve({ n: 1 });
  expect(await reading).toEqual({ n: 1 });
  expect(cache.peek("a")).toEqual({ n: 2 });
});

test("a read that is never answered keeps nobody else from the row", async () => {
  const cache = rows();
  void cache.get("a", () => new Promise(() => {}));
  expect(await cache.get("a", async () => ({ n: 1 }))).toEqual({ n: 1 });
  expect(cache.peek("a")).toEqual({ n: 1 });
});
