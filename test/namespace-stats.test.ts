// Holds: what a tenant's statements came to is counted where they run, within bounds, and told as libSQL's server does.
import { describe, expect, test } from "vitest";
import {
  addedFigures,
  MAX_COUNTED_DATABASES,
  MAX_COUNTED_SQL_LENGTH,
  MAX_COUNTED_STATEMENTS,
  percentileMs,
  StatementCounter,
} from "../src/drivers/statement-figures.ts";
import { execute, HranaRequests } from "./support/hrana-requests.ts";
import { expectError, runningServer } from "./support/running-server.ts";

describe.each([
  ["in the server's process", undefined],
  ["in executors", { executors: 2 }],
])("%s", (_, executors) => {
  test("rows, time and statements are told, of the tenant's own alone, and forgotten one by one", async () => {
    const server = await runningServer({ ...(executors && { executors }), tenants: ["acme", "globex"] });
    const stats = async (tenant = "acme") =>
      (await server.send("GET", `/v1/namespaces/${tenant}/stats`)).body;
    expect(await stats("globex")).toMatchObject({ rows_written_count: 0, top_queries: [], queries: null });
    const insert = "INSERT INTO customers (name) VALUES ('a'), ('b'), ('c')";
    await server.query("acme", insert);
    await new HranaRequests(server).run("SELECT name FROM customers");
    await server.send("GET", "/t/acme/rest/customers?select=id");
    await new HranaRequests(server).pipeline(null, execute("BEGIN"), execute(insert), execute("ROLLBACK"));
    const told = await stats();
    expect(told).toMatchObject({
      rows_written_count: expect.any(Number),
      storage_bytes_used: expect.any(Number),
      write_requests_delegated: 0,
      replication_index: 0,
      id: expect.stringMatching(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
    });
    expect(told.rows_read_count).toBeGreaterThanOrEqual(6);
    expect(told.storage_bytes_used).toBeGreaterThan(8_000);
    expect(told.query_count).toBe(told.queries.count);
    const own = told.queries.stats.find(({ query }: { query: string }) => query === insert);
    expect(own).toMatchObject({ count: 2, rows_written: 6, rows_read: 0 });
    expect(told.top_queries).toContainEqual({ query: insert, rows_written: 6, rows_read: 0 });
    expect(told.slowest_queries.length).toBeLessThanOrEqual(10);
    const { sum, p50, p999 } = told.queries.elapsed;
    expect(p50).toBeGreaterThan(0);
    expect(p50).toBeLessThanOrEqual(p999);
    expect(sum).toBeGreaterThan(0);
    expect(JSON.stringify(await stats("globex"))).not.toContain("VALUES");

    expect((await server.send("DELETE", "/v1/namespaces/acme/stats/top")).status).toBe(200);
    const after = await stats();
    expect(after.top_queries).toEqual([]);
    expect(after.rows_written_count).toBe(told.rows_written_count);
    expect((await server.send("GET", "/v1/namespaces/nobody/stats")).status).toBe(404);
    expect((await server.send("DELETE", "/v1/namespaces/acme/stats/all")).status).toBe(400);
    await server.expectHealthy();
  });
});

test("the statements' text is the administrator's alone", async () => {
  const server = await runningServer();
  expectError(await server.send("GET", "/t/acme/stats"), "NOT_FOUND");
});

test("what is kept has bounds, whatever is sent", () => {
  const counter = new StatementCounter();
  for (let n = 0; n < 1_000; n++) counter.add("acme", `SELECT ${n}`, n === 500 ? 100 : 0.01, 1, 0);
  counter.add("acme", `SELECT '${"x".repeat(10_000)}'`, 50, 1, 0);
  counter.add("acme", `SELECT '${"x".repeat(20_000)}'`, 70, 1, 0);
  const figures = counter.of("acme");
  expect(figures).toMatchObject({ count: 1_002, rowsRead: 1_002 });
  expect(figures?.statements).toHaveLength(MAX_COUNTED_STATEMENTS);
  expect(figures?.statements.some(({ sql }) => sql === "SELECT 500")).toBe(true);
  const long = figures?.statements.find(({ sql }) => sql.endsWith("…"));
  expect(long).toMatchObject({ count: 2, elapsedMs: 120, longestMs: 70 });
  expect(long?.sql).toHaveLength(MAX_COUNTED_SQL_LENGTH + 1);
  for (let n = 0; n < MAX_COUNTED_DATABASES + 5; n++) counter.add(`t${n}`, "SELECT 1", 1, 1, 0);
  expect(counter.of("acme")).toBeUndefined();
  expect(counter.of(`t${MAX_COUNTED_DATABASES}`)?.count).toBe(1);
});

test("figures of several processes add up, and percentiles are those of all", () => {
  const [one, other] = [new StatementCounter(), new StatementCounter()];
  for (let n = 1; n <= 90; n++) one.add("acme", "SELECT 1", 1, 2, 0);
  for (let n = 1; n <= 10; n++) other.add("acme", "SELECT 1", 100, 0, 3);
  const sum = addedFigures([one.of("acme"), undefined, other.of("acme")])!;
  expect(sum).toMatchObject({ count: 100, rowsRead: 180, rowsWritten: 30 });
  expect(sum.statements).toEqual([
    { sql: "SELECT 1", count: 100, elapsedMs: 1_090, longestMs: 100, rowsRead: 180, rowsWritten: 30 },
  ]);
  for (const [part, ms] of [
    [0.5, 1],
    [0.9, 1],
    [0.91, 100],
    [0.999, 100],
  ] as const) {
    expect(percentileMs(sum, part) / ms).toBeGreaterThanOrEqual(0.99);
    expect(percentileMs(sum, part) / ms).toBeLessThan(1.21);
  }
  expect(addedFigures([undefined])).toBeUndefined();
});
