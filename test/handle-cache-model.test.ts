// Drives the cache with arbitrary acquires, releases and drains, and compares it with what must always hold:
// a leased handle is open, a key has one handle, no more than maxOpen are open, and every place comes back.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { HandleCache } from "../src/handle-cache/handle-cache.ts";
import type { Lease } from "../src/handle-cache/handles.ts";
import { type CountingHandle, CountingHandles, turn } from "./support/counting-handles.ts";

type Step =
  | { readonly act: "acquire" | "failing" | "drain"; readonly key: string }
  | { readonly act: "release"; readonly which: number }
  | { readonly act: "turn" };

const key = fc.constantFrom("a", "b", "c", "d", "e");
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ act: fc.constant("acquire" as const), key }) },
  { weight: 5, arbitrary: fc.record({ act: fc.constant("release" as const), which: fc.nat(7) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("failing" as const), key }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant("drain" as const), key }) },
  { weight: 3, arbitrary: fc.record({ act: fc.constant("turn" as const) }) },
);

class Run {
  readonly maxOpen: number;
  readonly handles: CountingHandles;
  readonly cache: HandleCache<CountingHandle>;
  readonly leases: Lease<CountingHandle>[] = [];
  readonly asked: Promise<unknown>[] = [];
  drains = 0;
  failures: unknown[] = [];

  constructor(maxOpen: number, badCloses: boolean) {
    this.maxOpen = maxOpen;
    this.handles = new CountingHandles(maxOpen);
    if (badCloses) this.handles.failing.add("a");
    this.cache = new HandleCache({ maxOpen, idleMs: 0, acquireTimeoutMs: 60_000 });
  }

  async do(step: Step): Promise<void> {
    if (step.act === "turn") await turn();
    else if (step.act === "release")
      this.leases.splice(step.which % (this.leases.length || 1), 1)[0]?.release();
    else if (step.act === "drain") this.#drain(step.key);
    else this.#acquire(step.key, step.act === "failing");
    this.check();
  }

  #acquire(key: string, failing: boolean): void {
    const open = this.handles.opener(key);
    const asked = this.cache.acquire(key, failing ? () => turn().then(() => fail(key)) : open);
    this.asked.push(
      asked.then(
        (lease) => this.leases.push(lease),
        (error: unknown) => this.#unlessMeant(error),
      ),
    );
  }

  #drain(key: string): void {
    this.drains++;
    this.asked.push(
      this.cache
        .drain(key, 60_000)
        .catch((error: unknown) => this.#unlessMeant(error))
        .finally(() => this.drains--),
    );
  }

  #unlessMeant(error: unknown): void {
    if (!/cannot be opened|does not close well/.test(String(error))) this.failures.push(error);
  }

  check(): void {
    expect(this.failures).toEqual([]);
    for (const { handle } of this.leases) expect(handle.open).toBe(true);
    expect(this.handles.openKeys.length).toBeLessThanOrEqual(this.maxOpen);
    expect(this.cache.stats().open).toBeLessThanOrEqual(this.maxOpen);
  }

  /** Gives all leases back until nobody waits. */
  async settle(): Promise<void> {
    for (let settled = 0; settled < this.asked.length; settled++) {
      const pending = { yes: true };
      void this.asked[settled]?.then(() => (pending.yes = false));
      while (pending.yes) {
        for (const lease of this.leases.splice(0)) lease.release();
        await turn();
        this.check();
      }
    }
    for (const lease of this.leases.splice(0)) lease.release();
  }
}

function fail(key: string): never {
  throw new Error(`${key} cannot be opened`);
}

test("no order of acquires, releases, drains and failures breaks the cache's promises", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 3 }),
      fc.boolean(),
      fc.array(step, { maxLength: 60 }),
      async (maxOpen, badCloses, steps) => {
        const run = new Run(maxOpen, badCloses);
        for (const one of steps) await run.do(one);
        await run.settle();
        expect(run.cache.stats()).toMatchObject({ leased: 0, waiting: 0, exhausted: 0 });
        // Every place has come back: maxOpen other handles fit at once.
        const others = Array.from({ length: maxOpen }, (_, n) => `other${n}`);
        const leases = await Promise.all(
          others.map((other) => run.cache.acquire(other, run.handles.opener(other))),
        );
        run.check();
        for (const lease of leases) lease.release();
        await run.cache.close();
        expect(run.handles.openKeys).toEqual([]);
        expect(run.handles.closed).toBe(run.handles.opened);
      },
    ),
    { numRuns: 300 },
  );
});

test("a shutdown at any point ends with nothing open", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 3 }),
      fc.array(step, { maxLength: 30 }),
      async (maxOpen, steps) => {
        const handles = new CountingHandles(maxOpen);
        const cache = new HandleCache<CountingHandle>({ maxOpen, idleMs: 0, acquireTimeoutMs: 60_000 });
        const leases: Lease<CountingHandle>[] = [];
        const asked: Promise<unknown>[] = [];
        for (const one of steps) {
          if (one.act === "turn") await turn();
          else if (one.act === "release") leases.splice(one.which % (leases.length || 1), 1)[0]?.release();
          else if (one.act === "drain") asked.push(cache.drain(one.key, 0).catch(() => undefined));
          else {
            const lease = cache.acquire(one.key, handles.opener(one.key));
            asked.push(
              lease.then(
                (given) => leases.push(given),
                () => undefined,
              ),
            );
          }
        }
        await cache.close(0);
        await Promise.all(asked);
        for (const lease of leases) lease.release();
        expect(handles.openKeys).toEqual([]);
        expect(cache.stats()).toMatchObject({ open: 0, leased: 0, waiting: 0 });
      },
    ),
    { numRuns: 200 },
  );
});
