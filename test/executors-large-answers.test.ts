// Large answers: as fast as their reader takes them, dropped when he goes or sleeps, and in nobody else's way.
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import type { PooledAnswer } from "../src/executors/executor-pool.ts";
import { executor, sharedServer, tenants, untilRunning, untilServed } from "./support/executor-requests.ts";
import { expectError, runningServer, type RunningTestServer } from "./support/running-server.ts";

/** Longer than anything here takes, however busy the machine is. */
const LONG_MS = 60_000;

const shared = sharedServer({ executors: { executors: 1, statementTimeoutMs: LONG_MS } });

/** A query for an answer of some megabytes. */
function large(megabytes: number): string {
  return `SELECT hex(zeroblob(${megabytes * 500_000})) AS h`;
}

/** A request to the pool, whose answer nobody reads unless he wants to. */
function ask(
  tenant: string,
  sql: string,
  {
    server,
    timeoutMs = LONG_MS,
  }: { readonly server: RunningTestServer; readonly timeoutMs?: number } = shared,
): Promise<PooledAnswer> {
  return server.pool!.http(
    {
      tenant,
      incarnation: tenant,
      scope: "write",
      method: "POST",
      path: "/query",
      base: "",
      headers: { "content-type": "application/json" },
    },
    JSON.stringify({ sql, params: [] }),
    { timeoutMs, repeatable: () => true },
  );
}

function reading(answer: PooledAnswer): ReadableStream<Uint8Array> {
  if (!(answer.body instanceof ReadableStream)) throw new Error("The answer is too small for the test.");
  return answer.body;
}

test("a large answer arrives whole, with its length", async () => {
  const { server } = shared;
  await tenants(server, "whole");
  const answers = await Promise.all(
    Array.from({ length: 4 }, () => server.query("whole", "SELECT hex(zeroblob(3000000)) AS h, 'ü€😀' AS t")),
  );
  const [first] = answers;
  expect(first!.headers.get("content-length")).toBe(String(Buffer.byteLength(first!.text)));
  expect(first!.body.results[0]).toEqual({ h: "0".repeat(6_000_000), t: "ü€😀" });
  const digests = answers.map(({ body }) =>
    createHash("sha256").update(JSON.stringify(body.results)).digest("hex"),
  );
  expect(new Set(digests).size).toBe(1);
  expect(executor(server)).toMatchObject({ running: 0, waiting: 0 });
});

test("a client that goes in the middle of an answer leaves nothing behind, however often", async () => {
  const { server } = shared;
  await tenants(server, "gone");
  const body = JSON.stringify({ sql: large(6), params: [] });
  const request = `POST /t/gone/query HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  for (let n = 0; n < 20; n++) {
    await server.abort(request, (socket) => new Promise((resolve) => socket.once("data", resolve)));
  }
  await untilRunning(server, 0);
  // More than may be unread at once: they are not counted any more.
  await untilServed(server, "gone");
  // Also one that goes before there is anything to read.
  for (let n = 0; n < 20; n++) await server.abort(request);
  await untilRunning(server, 0);
  await untilServed(server, "gone");
});

test("answers that nobody reads hold nobody up, and are limited in number", async () => {
  const { server } = shared;
  const sleepers = ["sleeper-1", "sleeper-2", "sleeper-3", "sleeper-4", "sleeper-5"];
  await tenants(server, ...sleepers, "awake");
  const unread: PooledAnswer[] = [];
  for (const tenant of sleepers) {
    unread.push(...(await Promise.all(Array.from({ length: 16 }, () => ask(tenant, large(1))))));
  }
  // More than an executor has jobs at once.
  expect(unread).toHaveLength(80);
  await untilServed(server, "awake");
  expectError(await server.query("sleeper-1", "SELECT 1"), "TOO_MANY_REQUESTS", /have not been read/);
  for (const answer of unread) await reading(answer).cancel();
  await untilRunning(server, 0);
  await untilServed(server, "sleeper-1");
  expect(executor(server)).toMatchObject({ running: 0, waiting: 0 });
});

test("an answer that nobody reads is dropped after a while, and is not counted any more", async () => {
  const server = await runningServer({
    executors: { executors: 1, statementTimeoutMs: 500 },
    tenants: ["sleeper"],
  });
  const unread: ReadableStream<Uint8Array>[] = [];
  // On a busy machine one may be ended before it has an answer.
  while (unread.length < 3) {
    const answer = await ask("sleeper", large(3), { server, timeoutMs: 500 }).catch(() => undefined);
    if (answer?.body instanceof ReadableStream) unread.push(answer.body);
  }
  await untilRunning(server, 0);
  for (const body of unread) {
    await expect(body.pipeTo(new WritableStream())).rejects.toMatchObject({ code: "CLOSED" });
  }
  await untilServed(server, "sleeper");
  expect(executor(server)).toMatchObject({ running: 0, waiting: 0 });
});

test("so is one of which nothing is left in the executor", async () => {
  const server = await runningServer({
    executors: { executors: 1, statementTimeoutMs: 2_000 },
    tenants: ["sleeper"],
  });
  const unread: ReadableStream<Uint8Array>[] = [];
  for (let n = 0; n < 16; n++)
    unread.push(reading(await ask("sleeper", large(0.5), { server, timeoutMs: 2_000 })));
  await untilRunning(server, 0);
  expectError(await server.query("sleeper", "SELECT 1"), "TOO_MANY_REQUESTS", /have not been read/);
  // Reading it in time, or going, makes room.
  const [read, left, ...others] = unread;
  const whole = (await new Response(read).json()) as { readonly results: readonly { readonly h: string }[] };
  expect(whole.results[0]!.h).toHaveLength(500_000);
  await left!.cancel();
  await untilServed(server, "sleeper");
  await new Promise((resolve) => void setTimeout(resolve, 2_200));
  for (const body of others) {
    await expect(body.pipeTo(new WritableStream())).rejects.toMatchObject({ code: "CLOSED" });
  }
});

test("a slow reader gets everything, for as long as he takes something now and then", async () => {
  const { server } = shared;
  await tenants(server, "slow");
  const reader = reading(await ask("slow", large(3))).getReader();
  let bytes = 0;
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    bytes += chunk.value.byteLength;
    await untilServed(server, "slow");
  }
  expect(bytes).toBeGreaterThan(3_000_000);
  expect(executor(server)).toMatchObject({ running: 0, waiting: 0 });
});

test("an answer is broken off where its executor dies in the middle of it", async () => {
  const { server } = shared;
  await tenants(server, "broken");
  const answer = await ask("broken", large(4));
  const reader = reading(answer).getReader();
  await reader.read();
  process.kill(executor(server).pid!, "SIGKILL");
  const rest = async (): Promise<void> => {
    while (!(await reader.read()).done);
  };
  await expect(rest()).rejects.toMatchObject({ code: "OUTCOME_UNKNOWN" });
  await untilServed(server, "broken");
  expect(executor(server)).toMatchObject({ running: 0, waiting: 0 });
});
