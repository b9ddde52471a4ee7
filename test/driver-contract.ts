// Owns the contract of D1's API as Vitest tests, to be run against any driver, and the matrix that it prints.
// D1 in workerd is the reference: a case says what D1 does, and a driver that differs says why.
import type { D1Database } from "@cloudflare/workers-types";
import { afterAll, describe, test } from "vitest";
import { batch } from "./driver-contract/batch.ts";
import { errors } from "./driver-contract/errors.ts";
import { exec } from "./driver-contract/exec.ts";
import { libraries } from "./driver-contract/libraries.ts";
import { meta } from "./driver-contract/meta.ts";
import { parameters } from "./driver-contract/parameters.ts";
import { quirks } from "./driver-contract/quirks.ts";
import { refusals } from "./driver-contract/refusals.ts";
import { results } from "./driver-contract/results.ts";
import { session } from "./driver-contract/session.ts";
import { values } from "./driver-contract/values.ts";

/** Every case, by group. */
export const CONTRACT_GROUPS = {
  values,
  parameters,
  results,
  meta,
  batch,
  exec,
  errors,
  refusals,
  session,
  libraries,
  quirks,
};

/** What a driver brings to the contract. */
export interface DriverContractOptions {
  /** A fresh, empty database for one test. It closes by `onTestFinished()`. */
  readonly open: () => Promise<D1Database>;
  /**
   * Names of cases that the driver does not fulfil, each with the reason. They are run all the same: one that it
   * does fulfil fails, and so does a name that is no case.
   */
  readonly skips?: Readonly<Record<string, string>>;
  /** Those of `skips` that must not be run, because they end the process or say something else on each run. */
  readonly untried?: readonly string[];
}

/** Runs every case of the contract against one driver, and prints how far it goes. */
export function driverContract(
  name: string,
  { open, skips = {}, untried = [] }: DriverContractOptions,
): void {
  const cases = Object.entries(CONTRACT_GROUPS).flatMap(([group, of]) =>
    Object.entries(of).map(([title, run]) => ({ group, title, run })),
  );
  assertSkips(
    skips,
    cases.map(({ title }) => title),
  );
  const passed = new Set<string>();

  describe(`the D1 contract: ${name}`, () => {
    for (const { group, title, run } of cases) {
      if (untried.includes(title)) {
        test.skip(`${group}: ${title}`, () => {});
        continue;
      }
      const known = title in skips ? test.fails : test;
      known(`${group}: ${title}`, async () => {
        await run(await open());
        passed.add(title);
      });
    }
    afterAll(() => {
      const lines = Object.entries(CONTRACT_GROUPS).map(([group, of]) => {
        const titles = Object.keys(of);
        const count = titles.filter((title) => passed.has(title)).length;
        return `  ${group.padEnd(11)} ${String(count).padStart(3)} of ${titles.length}`;
      });
      const reasons = Object.entries(skips).map(([title, reason]) => `  not: ${title}: ${reason}`);
      console.info([`D1 contract, ${name}`, ...lines, ...reasons].join("\n"));
    });
  });
}

function assertSkips(skips: Readonly<Record<string, string>>, titles: readonly string[]): void {
  const twice = titles.find((title, index) => titles.indexOf(title) !== index);
  if (twice) throw new Error(`Two cases of the contract are named "${twice}".`);
  const unknown = Object.keys(skips).find((title) => !titles.includes(title));
  if (unknown) throw new Error(`No case of the contract is named "${unknown}", so it cannot be skipped.`);
}
