// The server's own process: how it ends its executors, and how they end without it.
import { type ChildProcess, execFileSync } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test, vi } from "vitest";
import { cliFolder } from "./cli-process.ts";
import { ENDLESS } from "./support/endless.ts";

const PATIENT = { timeout: 20_000, interval: 50 };

interface Serving {
  readonly process: ChildProcess;
  readonly ended: Promise<number | null>;
  query(tenant: string, sql: string): Promise<{ status: number; code: string | undefined }>;
  metrics(): Promise<string>;
}

async function serving(): Promise<Serving> {
  const cli = await cliFolder({ TENANTRY_PORT: "0" });
  onTestFinished(() => cli[Symbol.asyncDispose]());
  const child = cli.start(["serve", "--sample", "--executors", "2", "--grace-ms", "700"]);
  onTestFinished(() => void child.kill("SIGKILL"));
  const ended = once(child, "exit").then(([code]) => code as number | null);
  const [line] = (await once(createInterface({ input: child.stdout! }), "line")) as [string];
  const url = /http:\S+/.exec(line)?.[0];
  return {
    process: child,
    ended,
    query: async (tenant, sql) => {
      const answer = await fetch(`${url}/t/${tenant}/query`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ sql, params: [] }),
      });
      const { code } = (await answer.json()) as { code?: string };
      return { status: answer.status, code };
    },
    metrics: async () => (await fetch(`${url}/metrics`)).text(),
  };
}

/** The processes that a process started. */
function childrenOf(pid: number): number[] {
  return execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" })
    .trim()
    .split("\n")
    .map((row) => row.trim().split(/\s+/))
    .filter(([, parent]) => Number(parent) === pid)
    .map(([child]) => Number(child));
}

/** Whether the process runs; one that only waits for somebody to look at how it ended does not. */
function runs(pid: number): boolean {
  try {
    return !execFileSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).startsWith("Z");
  } catch {
    return false;
  }
}

async function untilRunning(server: Serving): Promise<void> {
  await vi.waitFor(async () => {
    expect(await server.metrics()).toMatch(/^tenantry_executor_running\{executor="\d"\} 1$/m);
  }, PATIENT);
}

test("executors end with a server that is killed, also in the middle of a statement", async () => {
  const server = await serving();
  const hanging = server.query("acme", ENDLESS).catch(() => "broken off");
  await untilRunning(server);
  const executors = childrenOf(server.process.pid!);
  expect(executors.length).toBeGreaterThanOrEqual(2);
  server.process.kill("SIGKILL");
  await server.ended;
  expect(await hanging).toBe("broken off");
  await vi.waitFor(() => expect(executors.filter(runs)).toEqual([]), PATIENT);
});

test("SIGTERM in the middle of a statement that does not end ends all of it", async () => {
  const server = await serving();
  const hanging = server.query("acme", ENDLESS).catch(() => "broken off");
  await untilRunning(server);
  const executors = childrenOf(server.process.pid!);
  server.process.kill("SIGTERM");
  expect(await server.ended).toBe(0);
  const answer = await hanging;
  if (typeof answer !== "string") expect(answer.code).toBe("CLOSED");
  expect(executors.filter(runs)).toEqual([]);
});

test("a terminal's Ctrl-C, which all processes get, ends the server in order", async () => {
  const server = await serving();
  const executors = childrenOf(server.process.pid!);
  // What runs is finished, although the executors are told to end as well.
  const slow = server.query(
    "acme",
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT count(*) FROM n",
  );
  expect(executors.length).toBeGreaterThanOrEqual(2);
  for (const pid of executors) process.kill(pid, "SIGINT");
  for (const pid of executors) process.kill(pid, "SIGTERM");
  expect((await slow).status).toBe(200);
  server.process.kill("SIGINT");
  expect(await server.ended).toBe(0);
  expect(executors.filter(runs)).toEqual([]);
});
