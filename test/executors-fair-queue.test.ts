// The line of an executor: never more under way than its window and a tenant's share, and turns between tenants.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { FairQueue } from "../src/executors/fair-queue.ts";

interface Job {
  readonly tenant: string;
  readonly number: number;
}

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("enter" as const), tenant: fc.constantFrom("a", "b", "c", "d") }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("leave" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("remove" as const), which: fc.nat() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("takeAll" as const),
      tenant: fc.constantFrom("a", "b", "c", "d"),
    }),
  },
);

test("every job begins once or is taken out, within the window, each tenant's in order", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 80 }), (share, steps) => {
      const window = share + 1;
      const begun: Job[] = [];
      const waiting: Job[] = [];
      const running: Job[] = [];
      const runningOf = (tenant: string): number => running.filter((job) => job.tenant === tenant).length;
      let count = 0;
      const queue = new FairQueue<Job>({ window, share }, (job) => {
        begun.push(job);
        running.push(job);
        const at = waiting.indexOf(job);
        if (at >= 0) waiting.splice(at, 1);
      });
      for (const each of steps) {
        if (each.do === "enter") {
          const job = { tenant: each.tenant, number: count++ };
          if (!queue.enter(each.tenant, job)) waiting.push(job);
        } else if (each.do === "leave" && running.length > 0) {
          queue.leave(running.shift()!.tenant);
        } else if (each.do === "remove" && waiting.length > 0) {
          const [job] = waiting.splice(each.which % waiting.length, 1);
          queue.remove(job!.tenant, job!);
          // What is gone already is no mistake.
          queue.remove(job!.tenant, job!);
        } else if (each.do === "takeAll") {
          const taken = queue.takeAll(each.tenant);
          expect(taken).toEqual(waiting.filter(({ tenant }) => tenant === each.tenant));
          for (const job of taken) waiting.splice(waiting.indexOf(job), 1);
        }
        expect(queue.waiting).toBe(waiting.length);
        expect(queue.running).toBe(running.length);
        expect(running.length).toBeLessThanOrEqual(window);
        for (const { tenant } of running) expect(runningOf(tenant)).toBeLessThanOrEqual(share);
        // Nobody waits while there is room for him.
        if (running.length < window) {
          for (const { tenant } of waiting) expect(runningOf(tenant)).toBe(share);
        }
      }
      while (running.length > 0) queue.leave(running.shift()!.tenant);
      expect(queue.waiting).toBe(0);
      expect(waiting).toEqual([]);
      for (const tenant of ["a", "b", "c", "d"]) {
        const numbers = begun.filter((job) => job.tenant === tenant).map(({ number }) => number);
        expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
      }
    }),
  );
});

test("a tenant with one job waits for one turn of each other tenant, however many jobs they have", () => {
  const begun: string[] = [];
  const queue = new FairQueue<string>({ window: 1, share: 1 }, (job) => begun.push(job));
  queue.enter("first", "first");
  for (let n = 0; n < 100; n++) queue.enter("big", `big ${n}`);
  queue.enter("small", "small");
  queue.enter("other", "other");
  for (const tenant of ["first", "big", "small", "other", "big"]) queue.leave(tenant);
  expect(begun).toEqual(["first", "big 0", "small", "other", "big 1", "big 2"]);
});
