// SQL that a hostile tenant would send: it costs the tenant, and nobody else.
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { ENDLESS } from "./support/endless.ts";
import { executor, sharedServer, tenants, untilServed } from "./support/executor-requests.ts";
import { expectError, valueOf } from "./support/running-server.ts";

const shared = sharedServer({ executors: { executors: 1 } });
const ROWS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)";

test.for([
  [
    "a recursion without end",
    "endless-rows",
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT * FROM n LIMIT 1 OFFSET 1000000000000",
  ],
  ["a cross join of millions", "cross-join", `${ROWS} SELECT count(*) FROM n a, n b, n c`],
  [
    "a sort that fills temporary storage",
    "temporary",
    `${ROWS} SELECT a.i, b.i, count(*) FROM n a, n b GROUP BY hex(randomblob(64)) ORDER BY 1`,
  ],
] as const)("%s is ended at its time limit", async ([, tenant, sql]) => {
  const { server } = shared;
  await tenants(server, tenant);
  await tenants(server, `${tenant}-mate`);
  const { kills } = server.pool!.stats();
  expectError(await server.query(tenant, sql, [], { "x-timeout-ms": "700" }), "STATEMENT_TIMEOUT");
  await untilServed(server, `${tenant}-mate`);
  await untilServed(server, tenant);
  expect(server.pool!.stats().kills).toBe(kills + 1);
});

test("more bytes than SQLite or the server allows are refused, and nothing dies of them", async () => {
  const { server } = shared;
  await tenants(server, "bytes");
  const { restarts } = server.pool!.stats();
  const tooBig = { status: 400, body: { code: "SQL_ERROR", message: expect.stringMatching(/too big/) } };
  expect(await server.query("bytes", "SELECT zeroblob(2000000000)")).toMatchObject(tooBig);
  expect(await server.query("bytes", "SELECT zeroblob(2147483648)")).toMatchObject(tooBig);
  expectError(await server.query("bytes", "SELECT randomblob(100000000)"), "RESPONSE_TOO_LARGE");
  expectError(
    await server.query("bytes", `${ROWS} SELECT i, hex(zeroblob(500)) FROM n`),
    "RESPONSE_TOO_LARGE",
  );
  const insert = await server.query("bytes", "INSERT INTO customers (name) VALUES (zeroblob(2000000000))");
  expect(insert).toMatchObject(tooBig);
  expect(valueOf(await server.query("bytes", "SELECT count(*) FROM customers"))).toBe(0);
  expect(server.pool!.stats().restarts).toBe(restarts);
});

test("a transaction begun over HTTP is refused, and holds nobody up", async () => {
  const { server } = shared;
  await tenants(server, "begins");
  for (const sql of ["BEGIN", "BEGIN EXCLUSIVE", "SAVEPOINT a"]) {
    expectError(await server.query("begins", sql), "SQL_REFUSED");
  }
  expect((await server.query("begins", "INSERT INTO customers (name) VALUES ('a')")).status).toBe(200);
});

test("requests that the channel might trip over come back as they would without executors", async () => {
  const { server } = shared;
  await tenants(server, "odd");
  const query = (sql: string, params: unknown[]): ReturnType<typeof server.query> =>
    server.query("odd", sql, params);
  const text = "\u0000\u0001\ud83d\ude00 \u2028 \\ \" ' \uffff";
  expect(valueOf(await query("SELECT ?", [text]))).toBe(text);
  expect(valueOf(await query("SELECT length(?)", ["x".repeat(5_000_000)]))).toBe(5_000_000);
  const raw = await server.send("POST", "/t/odd/query", '{"sql":"SELECT \'\ud800\'"}');
  expect([200, 400]).toContain(raw.status);
  expect((await server.send("POST", "/t/odd/query", "not json")).body).toMatchObject({
    code: "INVALID_JSON",
  });
  expect((await server.send("POST", "/t/odd/query", "")).body).toMatchObject({ code: "INVALID_JSON" });
  expect((await server.send("POST", "/t/odd/query", "null")).body).toMatchObject({
    code: "INVALID_ARGUMENT",
  });
  expect((await server.send("GET", "/t/odd/rest/%00")).status).toBeGreaterThanOrEqual(400);
  expect((await server.send("GET", "/t/odd/%2e%2e/acme/schema")).status).toBeGreaterThanOrEqual(400);
  expect((await server.send("HEAD", "/t/odd/rest/customers")).status).toBe(200);
  expect((await server.send("OPTIONS", "/t/odd/rest/customers")).status).toBeGreaterThanOrEqual(200);
  await untilServed(server, "odd");
});

test("a migration that does not end is its tenant's to answer for", async () => {
  const { server } = shared;
  await tenants(server, "migrating", "settled");
  await untilServed(server, "settled");
  // The next executors to start find a file that takes forever, on tenants that have not been opened since.
  await writeFile(join(server.data, "migrations", "0002_endless.sql"), `CREATE TABLE endless AS ${ENDLESS};`);
  const { kills } = server.pool!.stats();
  onTestFinished(() => rm(join(server.data, "migrations", "0002_endless.sql"), { force: true }));
  for (let n = 0; n < 2; n++) {
    const { pid } = executor(server);
    process.kill(pid!, "SIGKILL");
    await vi.waitFor(() => expect([undefined, pid]).not.toContain(executor(server).pid), { timeout: 20_000 });
  }
  const answer = await server.query("migrating", "SELECT 1", [], { "x-timeout-ms": "500" });
  expectError(answer, "STATEMENT_TIMEOUT");
  expect(server.pool!.stats().kills).toBe(kills + 1);
});
