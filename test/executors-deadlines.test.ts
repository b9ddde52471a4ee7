// Time limits: who runs past one is ended and told so, and nobody else notices.
import { expect, test } from "vitest";
import { DEFAULT_SHARE } from "../src/executors/lane.ts";
import { busyFor, ENDLESS, ENDLESS_WRITE } from "./support/endless.ts";
import { executor, sharedServer, tenants, untilRunning, untilServed } from "./support/executor-requests.ts";
import { OtherProcess } from "./support/other-process.ts";
import { type Answer, expectError, type RunningTestServer, valueOf } from "./support/running-server.ts";

const shared = sharedServer({ executors: { executors: 1, statementTimeoutMs: 10_000 } });

function within(ms: number): { "x-timeout-ms": string } {
  return { "x-timeout-ms": String(ms) };
}

test("a statement without end is ended at its time limit, and the tenant is served again", async () => {
  const { server } = shared;
  await tenants(server, "endless");
  const { kills, restarts } = server.pool!.stats();
  expectError(await server.query("endless", ENDLESS, [], within(500)), "STATEMENT_TIMEOUT", /500 ms/);
  await untilServed(server, "endless");
  expect(server.pool!.stats()).toMatchObject({ kills: kills + 1, restarts: restarts + 1 });
});

test("a write without end is ended, and nothing of it is there", async () => {
  const { server } = shared;
  await tenants(server, "writer");
  expectError(await server.query("writer", ENDLESS_WRITE, [], within(500)), "STATEMENT_TIMEOUT");
  await untilServed(server, "writer");
  expect(valueOf(await server.query("writer", "SELECT count(*) FROM customers"))).toBe(0);
  expect((await server.query("writer", "INSERT INTO customers (name) VALUES ('a')")).status).toBe(200);
});

test("others in flight are run by the next executor, unseen: reads, and writes that had not left for the first", async () => {
  const { server } = shared;
  await tenants(server, "loud", "quiet");
  const { kills } = server.pool!.stats();
  await untilServed(server, "loud");
  const endless = server.query("loud", ENDLESS, [], within(1_000));
  await untilRunning(server, 1);
  const numbers = Array.from({ length: 10 }, (_, n) => n);
  const reads = Promise.all(numbers.map((n) => server.query("quiet", "SELECT ? AS n", [n])));
  const rest = server.send("GET", "/t/quiet/rest/customers?select=name&name=eq.nobody");
  const write = insert(server, "quiet", "without key");
  const keyed = insert(server, "quiet", "with key", { "idempotency-key": "1" });

  expectError(await endless, "STATEMENT_TIMEOUT");
  expect((await reads).map(valueOf)).toEqual(numbers);
  expect((await rest).body).toEqual([]);
  expect((await write).body).toMatchObject({ success: true, meta: { changes: 1 } });
  expect((await keyed).body).toMatchObject({ success: true, meta: { changes: 1 } });
  expect(await count(server, "quiet", "without key")).toBe(1);
  expect(await count(server, "quiet", "with key")).toBe(1);
  expect(server.pool!.stats().kills).toBe(kills + 1);
});

test("writes that the executor may have begun have an unknown outcome, unless they have a key", async () => {
  const { server } = shared;
  await tenants(server, "first", "behind");
  await untilServed(server, "first");
  // While this one runs, what comes gathers; then it leaves together.
  const busy = server.query("first", busyFor(1_000_000));
  await untilRunning(server, 1);
  const endless = server.query("first", ENDLESS, [], within(3_000));
  await untilRunning(server, 2);
  const write = insert(server, "behind", "without key");
  const keyed = insert(server, "behind", "with key", { "idempotency-key": "1" });

  expect((await busy).status).toBe(200);
  expectError(await endless, "STATEMENT_TIMEOUT");
  const unknown = await write;
  expectError(unknown, "OUTCOME_UNKNOWN");
  expect(unknown.headers.get("retry-after")).toBeNull();
  expect((await keyed).body).toMatchObject({ success: true, meta: { changes: 1 } });
  expect(await count(server, "behind", "with key")).toBe(1);
  expect([0, 1]).toContain(await count(server, "behind", "without key"));
});

function insert(server: RunningTestServer, tenant: string, name: string, headers = {}): Promise<Answer> {
  return server.query(tenant, "INSERT INTO customers (name) VALUES (?)", [name], headers);
}

async function count(server: RunningTestServer, tenant: string, name: string): Promise<unknown> {
  return valueOf(await server.query(tenant, "SELECT count(*) FROM customers WHERE name = ?", [name]));
}

test("many statements without end cost the others one executor: the rest of them runs apart", async () => {
  const { server } = shared;
  await tenants(server, "many", "one");
  const before = executor(server).pid;
  const endless = Promise.all(
    Array.from({ length: 80 }, () => server.query("many", ENDLESS, [], within(700))),
  );
  await untilRunning(server, 64);
  await untilServed(server, "one");
  const after = executor(server).pid;
  expect(after).not.toBe(before);
  const codes = new Set((await endless).map(({ body }) => (body as { code: string }).code));
  expect(codes).toContain("STATEMENT_TIMEOUT");
  // What was in line is its own tenant's to wait for: kept out, or turned away.
  for (const code of codes) {
    expect(["STATEMENT_TIMEOUT", "TENANT_THROTTLED", "EXECUTOR_FAILED", "OVERLOADED"]).toContain(code);
  }
  expect(valueOf(await server.query("one", "SELECT 2"))).toBe(2);
  expect(executor(server).pid).toBe(after);
});

test("a caller without patience is answered, and ends nobody else's statement", async () => {
  const { server } = shared;
  await tenants(server, "slow", "hasty");
  await server.send("PATCH", "/admin/tenants/slow", { statementTimeoutMs: 30_000 });
  const { kills, restarts } = server.pool!.stats();
  const slow = server.query("slow", busyFor(3_000_000));
  await untilRunning(server, 1);
  const [read, write] = await Promise.all([
    server.query("hasty", "SELECT 1", [], within(1)),
    server.query("hasty", "INSERT INTO customers (name) VALUES ('a')", [], within(1)),
  ]);
  expectError(read, "OVERLOADED");
  expectError(write, "OUTCOME_UNKNOWN");
  expect(valueOf(await slow)).toBe(3_000_000);
  expect(server.pool!.stats()).toMatchObject({ kills, restarts });
  await untilServed(server, "hasty");
});

test("a tenant has its own time limit, and X-Timeout-Ms asks for less, never for more", async () => {
  const { server } = shared;
  await tenants(server, "less", "more");
  await server.send("PATCH", "/admin/tenants/more", { statementTimeoutMs: 600 });
  expectError(await server.query("less", ENDLESS, [], within(50)), "STATEMENT_TIMEOUT", / 50 ms/);
  await untilServed(server, "more");
  expectError(await server.query("more", ENDLESS, [], within(60_000)), "STATEMENT_TIMEOUT", / 600 ms/);
  for (const wrong of ["0", "-1", "1.5", "soon", "1e999"]) {
    const answer = await server.query("more", "SELECT 1", [], { "x-timeout-ms": wrong });
    expectError(answer, "INVALID_ARGUMENT");
  }
});

test("who waits for another writer past the time limit is told so, and no executor dies for it", async () => {
  const { server } = shared;
  await tenants(server, "locked", "free");
  await untilServed(server, "locked");
  const { kills, restarts } = server.pool!.stats();
  const other = new OtherProcess(server.data);
  await other.do("lock", server.tenantry.driver.files!.pathOf("locked"));
  const insert = (headers = {}): Promise<Answer> =>
    server.query("locked", "INSERT INTO customers (name) VALUES ('a')", [], headers);
  const [plain, keyed] = await Promise.all([
    insert(within(400)),
    insert({ ...within(400), "idempotency-key": "1" }),
  ]);
  expectError(plain, "OUTCOME_UNKNOWN");
  expectError(keyed, "STATEMENT_TIMEOUT");
  expect(valueOf(await server.query("locked", "SELECT 1"))).toBe(1);
  expect(valueOf(await server.query("free", "SELECT 1"))).toBe(1);
  expect(server.pool!.stats()).toMatchObject({ kills, restarts });
  await other.do("unlock");
  expect((await insert()).status).toBe(200);
});

test("health, metrics and administration never wait for a tenant", async () => {
  const { server } = shared;
  await tenants(server, "hanging");
  const endless = server.query("hanging", ENDLESS, [], within(1_500));
  await untilRunning(server, 1);
  for (const path of ["/healthz", "/readyz", "/metrics", "/admin/tenants", "/admin/tenants/hanging"]) {
    expect((await server.send("GET", path)).status, path).toBe(200);
  }
  await tenants(server, "new");
  expect(executor(server).running).toBe(1);
  expectError(await endless, "STATEMENT_TIMEOUT", /1500 ms/);
});

test("whoever waits in line until the time is up is turned away, and nothing of it is done", async () => {
  const { server } = shared;
  await tenants(server, "holder", "waiter");
  await untilServed(server, "waiter");
  const endless = server.query("holder", ENDLESS, [], within(3_000));
  await untilRunning(server, 1);
  const full = Promise.all(
    Array.from({ length: DEFAULT_SHARE }, () => server.query("waiter", "SELECT 1", [], within(1_000))),
  );
  await untilRunning(server, DEFAULT_SHARE + 1);
  const inLine = await Promise.all(
    Array.from({ length: 5 }, () =>
      server.query("waiter", "INSERT INTO customers (name) VALUES ('a')", [], within(100)),
    ),
  );
  for (const answer of inLine) {
    expectError(answer, "OVERLOADED", /Nothing of it was done/);
    expect(answer.headers.get("retry-after")).toBe("1");
  }
  for (const answer of await full) expectError(answer, "OVERLOADED");
  expectError(await endless, "STATEMENT_TIMEOUT");
  await untilServed(server, "waiter");
  expect(valueOf(await server.query("waiter", "SELECT count(*) FROM customers"))).toBe(0);
});
