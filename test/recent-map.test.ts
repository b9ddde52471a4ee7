// Holds the bounded map to its bounds, to what it was told, and to forgetting what was used longest ago, whatever is
// done with it.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { RecentMap } from "../src/recent-map.ts";

const KEYS = fc.integer({ min: 0, max: 12 });
const ACTS = fc.array(
  fc.oneof(
    fc.record({ act: fc.constantFrom("get", "delete"), key: KEYS }),
    fc.record({ act: fc.constant("set"), key: KEYS, size: fc.integer({ min: 0, max: 6 }) }),
    fc.record({ act: fc.constant("clear") }),
  ) as fc.Arbitrary<{ act: "get" | "set" | "delete" | "clear"; key: number; size: number }>,
  { maxLength: 200 },
);

test("it never holds more than it may, nothing that it was not told, and drops every value once", () => {
  fc.assert(
    fc.property(
      ACTS,
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 1, max: 20 }),
      (acts, maxEntries, maxSize) => {
        const dropped: object[] = [];
        const map = new RecentMap<number, { size: number }>({
          maxEntries,
          maxSize,
          sizeOf: ({ size }) => size,
          onDrop: (value) => dropped.push(value),
        });
        const told = new Map<number, { size: number }>();
        let all = 0;
        for (const { act, key, size } of acts) {
          if (act === "clear") {
            map.clear();
            told.clear();
          } else if (act === "delete") {
            map.delete(key);
            told.delete(key);
          } else if (act === "set") {
            const value = { size };
            map.set(key, value);
            told.set(key, value);
            all++;
            // The newest is there, unless it is too large by itself.
            expect(map.peek(key)).toBe(size > maxSize ? undefined : value);
          } else if (map.get(key) !== undefined) expect(map.get(key)).toBe(told.get(key));
          const held = [...told.keys()].flatMap((one) => map.peek(one) ?? []);
          expect(held.length).toBe(map.size);
          expect(map.size).toBeLessThanOrEqual(maxEntries);
          expect(held.reduce((sum, one) => sum + one.size, 0)).toBeLessThanOrEqual(maxSize);
          expect(dropped.length + map.size).toBe(all);
        }
        expect(new Set(dropped).size).toBe(dropped.length);
      },
    ),
  );
});

test("what is in use outlives any number of others that are used once", () => {
  const map = new RecentMap<number, string>({ maxEntries: 10 });
  map.set(-1, "in use");
  for (let n = 0; n < 1000; n++) {
    map.set(n, "once");
    expect(map.get(-1)).toBe("in use");
  }
  expect(map.size).toBeGreaterThanOrEqual(5);
});
