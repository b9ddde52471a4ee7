// Executors that cannot start, that crash, and that have grown.
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import type { PoolEvent } from "../src/executors/executor-pool-options.ts";
import { busyFor, ENDLESS } from "./support/endless.ts";
import { executor, untilServed } from "./support/executor-requests.ts";
import { expectError, runningServer, valueOf } from "./support/running-server.ts";

const PATIENT = { timeout: 20_000, interval: 50 };

test("while no executor can be started, requests are told why at once; when it can, they are served again", async () => {
  const events: PoolEvent[] = [];
  const server = await runningServer({ executors: { executors: 1, onEvent: (event) => events.push(event) } });
  await untilServed(server);
  const migrations = join(server.data, "migrations");
  await rename(migrations, `${migrations}-away`);
  // The one that serves, the one in reserve that takes its place, and whichever had begun to start.
  await vi.waitFor(() => {
    const { pid } = executor(server);
    if (pid !== undefined) process.kill(pid, "SIGKILL");
    expect(server.pool!.failure).toBeDefined();
  }, PATIENT);
  await vi.waitFor(async () => {
    expectError(await server.query("acme", "SELECT 1"), "EXECUTOR_FAILED", /MIGRATIONS_INVALID/);
  }, PATIENT);
  const failed = await server.query("acme", "SELECT 1");
  expectError(failed, "EXECUTOR_FAILED");
  expect(failed.headers.get("retry-after")).toBe("5");
  await expect(server.tenantry.database("acme").prepare("SELECT 1").all()).rejects.toMatchObject({
    code: "EXECUTOR_FAILED",
  });
  expect(server.pool!.failure).toMatchObject({ code: "EXECUTOR_FAILED" });
  expectError(await server.send("GET", "/readyz"), "EXECUTOR_FAILED");
  expect(events).toContainEqual(expect.objectContaining({ what: "failed", executor: "0" }));
  for (const path of ["/healthz", "/metrics", "/admin/tenants"]) {
    expect((await server.send("GET", path)).status).toBe(200);
  }

  await rename(`${migrations}-away`, migrations);
  // By itself: nobody has to ask for it.
  await vi.waitFor(() => expect(executor(server).pid).toBeDefined(), PATIENT);
  expect(server.pool!.failure).toBeUndefined();
  expect(valueOf(await server.query("acme", "SELECT 1"))).toBe(1);
  expect(events.some(({ what }) => what === "ended")).toBe(true);
});

test("a server whose executors cannot start at all says so when it starts", async () => {
  const server = await runningServer({ executors: { executors: 1 } });
  const broken = server.tenantry.executors({ executors: 2, app: { maxRows: -1 } });
  await expect(broken.start()).rejects.toMatchObject({
    code: "EXECUTOR_FAILED",
    message: expect.stringMatching(/maxRows/),
  });
  await broken.close(0);
  await expect(broken.start()).rejects.toMatchObject({ code: "CLOSED" });
});

test("an executor that has grown is replaced under load, and no request notices", async () => {
  const server = await runningServer({ executors: { executors: 2, maxRssBytes: 1 } });
  const done = new AbortController();
  let requests = 0;
  const failures: unknown[] = [];
  const client = async (n: number): Promise<void> => {
    while (!done.signal.aborted) {
      requests++;
      const answer =
        n % 2 === 0
          ? await server.query("acme", "INSERT INTO customers (name) VALUES (?)", ["a"])
          : await server.query("acme", "SELECT count(*), hex(zeroblob(100000)) FROM customers");
      if (answer.status !== 200) failures.push(answer.text);
    }
  };
  const clients = Array.from({ length: 6 }, (_, n) => client(n));
  await vi.waitFor(() => expect(server.pool!.stats().recycles).toBeGreaterThanOrEqual(2), PATIENT);
  // The old ones have something to do until they have ended.
  const replaced = server.pool!.stats().restarts;
  done.abort();
  await Promise.all(clients);
  expect(failures).toEqual([]);
  expect(requests).toBeGreaterThan(100);
  expect(replaced).toBe(0);
});

test("closing waits for what runs, and leaves no process behind", async () => {
  const ended: string[] = [];
  const server = await runningServer({
    executors: {
      executors: 2,
      onEvent: (event) => {
        if (event.what === "ended") ended.push(event.reason);
      },
    },
  });
  const pids = server.pool!.stats().executors.flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  expect(pids).toHaveLength(2);
  const answer = server.query("acme", busyFor(1_000_000));
  await vi.waitFor(() => {
    expect(server.pool!.stats().executors.some(({ running }) => running > 0)).toBe(true);
  });
  await Promise.all([server.pool!.close(20_000), server.pool!.close(0), answer]);
  expect((await answer).status).toBe(200);
  expect(ended).toEqual(["retired", "retired"]);
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
  expectError(await server.query("acme", "SELECT 1"), "CLOSED");
});

test("an executor that is closed in the middle of a statement is ended when its time is up", async () => {
  const server = await runningServer({ executors: { executors: 1 } });
  const hanging = server.query("acme", ENDLESS);
  await vi.waitFor(() => expect(executor(server).running).toBe(1));
  await server.pool!.close(100);
  expectError(await hanging, "CLOSED");
});
