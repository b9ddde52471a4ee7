// Owns what tests of executors do over and over: many answers at once, and waiting for what executors do.
import { afterAll, beforeAll, expect, vi } from "vitest";
import type { PoolStats } from "../../src/executors/executor-pool.ts";
import {
  type RunningServerOptions,
  type RunningTestServer,
  runningServer,
  valueOf,
} from "./running-server.ts";

/** Milliseconds after which what is waited for will not come: on a busy machine a process is late by many seconds. */
const PATIENCE_MS = 40_000;

/** A server for all tests of a file; each takes tenants of its own. Starting executors takes a while. */
export function sharedServer(options: RunningServerOptions): { readonly server: RunningTestServer } {
  const ends: (() => Promise<void>)[] = [];
  const shared = {} as { server: RunningTestServer };
  beforeAll(async () => {
    shared.server = await runningServer({ ...options, tenants: [], atEnd: (end) => ends.push(end) });
  });
  afterAll(async () => {
    for (const end of ends.toReversed()) await end();
  });
  return shared;
}

/** Makes tenants. */
export async function tenants(server: RunningTestServer, ...ids: readonly string[]): Promise<void> {
  for (const id of ids) expect((await server.send("POST", "/admin/tenants", { id })).status).toBe(201);
}

/** Returns once the tenant's requests are answered: while an executor is replaced, some are turned away. */
export async function untilServed(server: RunningTestServer, tenant = "acme"): Promise<void> {
  await vi.waitFor(async () => expect(valueOf(await server.query(tenant, "SELECT 1"))).toBe(1), {
    timeout: PATIENCE_MS,
    interval: 20,
  });
}

/** The executor of that name, "0", "1" … or "apart", as it is now. */
export function executor(server: RunningTestServer, name = "0"): PoolStats["executors"][number] {
  return server.pool!.stats().executors.find((one) => one.name === name)!;
}

/** Returns once the executor has that many jobs. */
export async function untilRunning(server: RunningTestServer, count: number, name = "0"): Promise<void> {
  await vi.waitFor(() => expect(executor(server, name).running).toBe(count), {
    timeout: PATIENCE_MS,
    interval: 5,
  });
}
