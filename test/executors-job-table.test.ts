// Jobs by number: like a Map, whatever is entered and taken out in what order.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { JobTable } from "../src/executors/job-table.ts";

test("it holds what a Map would, the newest first, and gives no number twice", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant("add"), fc.nat())), (steps) => {
      const table = new JobTable<{ step: number }>();
      const model = new Map<number, { step: number }>();
      const given: number[] = [];
      for (const [step, what] of steps.entries()) {
        if (what === "add") {
          const number = table.add({ step });
          expect(given).not.toContain(number);
          given.push(number);
          model.set(number, { step });
        } else {
          const number = given[(what as number) % given.length] ?? 1;
          expect(table.delete(number)).toBe(model.delete(number));
        }
        expect(table.size).toBe(model.size);
        for (const number of given) expect(table.get(number)).toEqual(model.get(number));
        expect(table.newestFirst()).toEqual([...model].toReversed());
      }
    }),
  );
});
