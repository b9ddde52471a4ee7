// Holds writers who wait for the replica at the same time to sharing what they wait for, and none to what began before
// his write.
import { expect, test } from "vitest";
import { SharedSync } from "../src/backups/shared-sync.ts";

/** Runs that end when they are told to. */
function runs() {
  const begun: PromiseWithResolvers<number>[] = [];
  const work = (): Promise<number> => {
    const run = Promise.withResolvers<number>();
    begun.push(run);
    return run.promise;
  };
  return { begun, work };
}

test("whoever comes while one runs shares the next, which begins when that has ended, well or not", async () => {
  const syncs = new SharedSync();
  const { begun, work } = runs();
  const first = syncs.run("acme", work);
  const others = Array.from({ length: 50 }, () => syncs.run("acme", work));
  const elsewhere = syncs.run("globex", work);
  expect(begun).toHaveLength(2);
  begun[1]?.resolve(7);
  expect(await elsewhere).toBe(7);
  begun[0]?.reject(new Error("away"));
  await expect(first).rejects.toThrow("away");
  await new Promise(setImmediate);
  expect(begun).toHaveLength(3);
  // Too late for that one, too.
  const last = syncs.run("acme", work);
  begun[2]?.resolve(2);
  expect(new Set(await Promise.all(others))).toEqual(new Set([2]));
  await new Promise(setImmediate);
  begun[3]?.resolve(3);
  expect(await last).toBe(3);
  void syncs.run("acme", work);
  expect(begun).toHaveLength(5);
  begun[4]?.resolve(4);
});
