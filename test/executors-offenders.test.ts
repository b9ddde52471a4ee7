// Tenants whose statements had to be killed: kept out for longer each time, apart, and forgiven.
import { expect, test } from "vitest";
import {
  FIRST_BACKOFF_MS,
  FORGIVEN_AFTER_MS,
  MAX_BACKOFF_MS,
  Offenders,
} from "../src/executors/offenders.ts";
import { isTenantryError } from "../src/tenantry-error.ts";

function offenders(): { list: Offenders; pass: (ms: number) => void; waitSeconds: () => number } {
  let now = 1_000;
  const list = new Offenders({}, () => now);
  return {
    list,
    pass: (ms) => (now += ms),
    waitSeconds: () => {
      try {
        list.check("acme");
        return 0;
      } catch (error) {
        if (!isTenantryError(error, "TENANT_THROTTLED")) throw error;
        return error.retryAfterSeconds!;
      }
    },
  };
}

test("the first kill costs the place among the others and nothing else", () => {
  const { list, waitSeconds } = offenders();
  expect(list.isApart("acme")).toBe(false);
  list.killed("acme");
  expect(waitSeconds()).toBe(0);
  expect(list.isApart("acme")).toBe(true);
  expect(list.isApart("globex")).toBe(false);
});

test("each further kill keeps the tenant out for twice as long, up to a minute", () => {
  const { list, pass, waitSeconds } = offenders();
  list.killed("acme");
  const waits: number[] = [];
  for (let n = 0; n < 9; n++) {
    list.killed("acme");
    waits.push(waitSeconds());
    pass(waits.at(-1)! * 1_000);
    expect(waitSeconds()).toBe(0);
  }
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
  expect(FIRST_BACKOFF_MS).toBe(1_000);
  expect(MAX_BACKOFF_MS).toBe(60_000);
});

test("who has behaved for long enough is like any other again", () => {
  const { list, pass, waitSeconds } = offenders();
  list.killed("acme");
  list.killed("acme");
  pass(FIRST_BACKOFF_MS + FORGIVEN_AFTER_MS - 1);
  expect(list.isApart("acme")).toBe(true);
  pass(1);
  expect(list.isApart("acme")).toBe(false);
  list.killed("acme");
  expect(waitSeconds()).toBe(0);
});

test("a crash is nobody's fault the first time, and is never a reason to be kept out", () => {
  const { list, waitSeconds } = offenders();
  list.suspected("acme");
  expect(list.isApart("acme")).toBe(false);
  list.suspected("acme");
  expect(list.isApart("acme")).toBe(true);
  for (let n = 0; n < 10; n++) list.suspected("acme");
  expect(waitSeconds()).toBe(0);
});

test("a crash does not shorten the time that a tenant is kept out", () => {
  const { list, waitSeconds } = offenders();
  for (let n = 0; n < 4; n++) list.killed("acme");
  expect(waitSeconds()).toBe(4);
  list.suspected("acme");
  expect(waitSeconds()).toBe(4);
});
