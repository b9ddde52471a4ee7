// A tenant that keeps running past its time limit: kept out for longer each time, apart, and taken back.
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { readProgress } from "../src/executors/progress-file.ts";
import { busyFor, ENDLESS } from "./support/endless.ts";
import { executor, untilServed } from "./support/executor-requests.ts";
import { expectError, type RunningTestServer, runningServer, valueOf } from "./support/running-server.ts";

test("repeated offending is throttled for longer each time, leaves the others alone, and is forgiven", async () => {
  const throttled: unknown[] = [];
  const server = await runningServer({
    tenants: ["acme", "globex"],
    executors: {
      executors: 1,
      statementTimeoutMs: 500,
      offenders: { firstBackoffMs: 1_200, forgivenAfterMs: 4_000 },
      onEvent: (event) => void (event.what === "throttled" && throttled.push(event)),
    },
  });
  const offend = async (): Promise<void> => {
    await vi.waitFor(async () => expectError(await server.query("acme", ENDLESS), "STATEMENT_TIMEOUT"), {
      timeout: 15_000,
      interval: 20,
    });
  };
  await offend();
  await untilServed(server, "globex");
  const home = executor(server).pid;

  await offend();
  const first = await server.query("acme", "SELECT 1");
  expectError(first, "TENANT_THROTTLED");
  expect(first.headers.get("retry-after")).toBe("2");
  await expect(server.tenantry.database("acme").prepare("SELECT 1").all()).rejects.toMatchObject({
    code: "TENANT_THROTTLED",
  });
  await expect(server.tenantry.database("acme").transaction("read", async () => 1)).rejects.toMatchObject({
    code: "TENANT_THROTTLED",
  });

  await offend();
  const second = await server.query("acme", "SELECT 1");
  expectError(second, "TENANT_THROTTLED");
  expect(second.headers.get("retry-after")).toBe("3");
  expect(server.pool!.stats().throttled).toBeGreaterThanOrEqual(4);
  expect(throttled).toEqual([
    { what: "throttled", tenant: "acme", forMs: 1_200 },
    { what: "throttled", tenant: "acme", forMs: 2_400 },
  ]);

  // All of that was apart.
  expect(executor(server).pid).toBe(home);
  await untilServed(server, "globex");
  await untilServed(server, "acme");

  // Forgiven, it belongs to its executor again.
  expect(await whereRuns(server, "acme")).toBe("apart");
  await vi.waitFor(async () => expect(await whereRuns(server, "acme")).toBe("0"), {
    timeout: 20_000,
    interval: 100,
  });
});

/** The executor that runs a tenant's statements. */
async function whereRuns(server: RunningTestServer, tenant: string): Promise<string> {
  const running = server.query(tenant, busyFor(100_000));
  const { name } = await vi.waitUntil(() => server.pool!.stats().executors.find((one) => one.running > 0), {
    interval: 1,
  });
  expect((await running).status).toBe(200);
  return name;
}

test("a tenant whose statements executors crash under runs apart, and is not kept out", async () => {
  const server = await runningServer({ tenants: ["acme", "globex"], executors: { executors: 1 } });
  for (let crash = 0; crash < 2; crash++) {
    const asked = performance.now();
    const slow = server.query("acme", busyFor(1_500_000));
    await vi.waitUntil(async () => {
      const notes = (await server.scratchFiles()).map((file) =>
        readProgress(join(server.data, "scratch", file)),
      );
      return notes.some(({ name, ms }) => name === "acme" && ms < performance.now() - asked);
    });
    process.kill(executor(server).pid!, "SIGKILL");
    // It is run again, apart, so that it takes nobody along if it was the reason.
    expect(valueOf(await slow)).toBe(1_500_000);
  }
  expect(await whereRuns(server, "acme")).toBe("apart");
  expect(await whereRuns(server, "globex")).toBe("0");
  expect(server.pool!.stats()).toMatchObject({ kills: 0, throttled: 0, restarts: 2 });
});

test("a server with as much to do as it takes turns more away", async () => {
  const server = await runningServer({
    tenants: ["acme", "globex"],
    executors: { executors: 1, maxJobs: 2 },
  });
  const endless = server.query("acme", ENDLESS, [], { "x-timeout-ms": "1000" });
  const waiting = server.query("globex", "SELECT 1");
  await vi.waitFor(() => expect(executor(server).running).toBe(2));
  const turnedAway = await server.query("globex", "SELECT 1");
  expectError(turnedAway, "OVERLOADED");
  expect(turnedAway.headers.get("retry-after")).toBe("1");
  expect((await server.send("GET", "/healthz")).status).toBe(200);
  expect(server.pool!.stats().overloaded).toBe(1);
  expectError(await endless, "STATEMENT_TIMEOUT");
  expect((await waiting).status).toBe(200);
});
