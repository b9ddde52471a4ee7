// Which executor a tenant belongs to: as the algorithm was published, evenly, and with few moves when one is added.
import { expect, test } from "vitest";
import { fnv1a, jump, jumpHash } from "../src/executors/jump-hash.ts";

const TENANTS = Array.from({ length: 20_000 }, (_, index) => `tenant-${index}`);

test.for([
  [1n, 1, 0],
  [42n, 57, 43],
  [0xdead10ccn, 1, 0],
  [0xdead10ccn, 666, 361],
  [256n, 1024, 520],
  [0n, 64, 0],
] as const)("key %i among %i places belongs to %i, as in other implementations", ([key, places, place]) => {
  expect(jump(key, places)).toBe(place);
});

test("keys are hashed by FNV-1a", () => {
  expect(fnv1a("")).toBe(0xcbf29ce484222325n);
  expect(fnv1a("a")).toBe(0xaf63dc4c8601ec8cn);
  expect(fnv1a("foobar")).toBe(0x85944171f73967e8n);
});

test.for([2, 3, 8, 16])("tenants are spread evenly over %i executors", (places) => {
  const counts = Array.from({ length: places }, () => 0);
  for (const tenant of TENANTS) counts[jumpHash(tenant, places)]!++;
  const even = TENANTS.length / places;
  for (const count of counts) {
    expect(count).toBeGreaterThan(even * 0.85);
    expect(count).toBeLessThan(even * 1.15);
  }
});

test.for([1, 2, 5, 11])(
  "of %i executors' tenants, one more takes its share and moves nobody else",
  (places) => {
    const moved = TENANTS.filter((tenant) => jumpHash(tenant, places) !== jumpHash(tenant, places + 1));
    for (const tenant of moved) expect(jumpHash(tenant, places + 1)).toBe(places);
    const share = TENANTS.length / (places + 1);
    expect(moved.length).toBeGreaterThan(share * 0.85);
    expect(moved.length).toBeLessThan(share * 1.15);
  },
);
