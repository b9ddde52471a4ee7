// Owns that Hrana's pipelines pass by the framework where they run in the server's own process, that they are answered
// as it answers them, and that both go on with the same streams.
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { sharedServer, tenants } from "./support/executor-requests.ts";
import { runningServer } from "./support/running-server.ts";
import { answerOf, bothWays, type BothWays, get, pipeline, post, sql } from "./support/raw-requests.ts";

const shared = sharedServer({});
let ways: BothWays;

beforeAll(async () => {
  await tenants(shared.server, "acme", "globex");
  ways = await bothWays(shared.server.tenantry.app({ maxInFlight: 2 }));
});
afterAll(() => ways.close());

const JSON_TYPE = "Content-Type: application/json\r\n";
const to = (target: string, text: string, more = JSON_TYPE): string => post(target, pipeline(text), more);

test.each([
  ["a pipeline", to("/t/acme/v2/pipeline", "SELECT 1")],
  ["version 3", to("/t/acme/v3/pipeline", "SELECT name FROM customers")],
  ["a query", to("/t/acme/v2/pipeline?x=1", "SELECT 1")],
  ["a statement that fails", to("/t/acme/v2/pipeline", "SELEC")],
  ["a pipeline that is none", post("/t/acme/v2/pipeline", "{}")],
  ["a body that is no JSON", post("/t/acme/v2/pipeline", "{")],
  ["no body", post("/t/acme/v2/pipeline", "")],
  ["a body without a type", to("/t/acme/v2/pipeline", "SELECT 1", "")],
  ["a body of another type", to("/t/acme/v2/pipeline", "SELECT 1", "Content-Type: text/plain\r\n")],
  [
    "libSQL's native client",
    to("/t/acme/v2/pipeline", "SELECT 1", "X-Libsql-Client-Version: libsql-remote\r\n"),
  ],
  ["a baton that is none", post("/t/acme/v2/pipeline", '{"baton":"x","requests":[]}')],
  ["a body that is no UTF-8", to("/t/acme/v2/pipeline", "SELECT '\u00ff\u00c3'")],
  ["a byte order mark", post("/t/acme/v2/pipeline", `\u00ef\u00bb\u00bf${pipeline("SELECT 1")}`)],
  ["no such tenant", to("/t/nobody/v2/pipeline", "SELECT 1")],
  ["no tenant's name", to("/t/-/v2/pipeline", "SELECT 1")],
  ["two tenants", to("/t/acme/v2/pipeline", "SELECT 1", `${JSON_TYPE}X-Tenant-Id: globex\r\n`)],
  [
    "another site's page",
    to("/t/acme/v2/pipeline", "SELECT 1", `${JSON_TYPE}Origin: https://evil.example\r\n`),
  ],
  ["a name that points here", to("/t/acme/v2/pipeline", "SELECT 1").replace("localhost", "evil.example")],
  [
    "credentials that are none",
    to("/t/acme/v2/pipeline", "SELECT 1", `${JSON_TYPE}Authorization: Bearer x\r\n`),
  ],
  ["a large answer", to("/t/acme/v2/pipeline", "SELECT hex(zeroblob(500000))")],
  [
    "two requests on a connection",
    to("/t/acme/v2/pipeline", "SELECT 1").replace("Connection: close\r\n", "") +
      to("/t/globex/v2/pipeline", "SELECT 2"),
  ],
])("%s passes by the framework, and is answered the same", async (_, text) => {
  const answer = await ways.answers(text);
  expect(answer.direct).toBe(answer.framed);
  expect(answer.direct).toMatch(/http\/1\.1 [2345]\d\d /);
  expect(answer.taken.length).toBeGreaterThan(0);
});

test.each([
  ["a query", post("/t/acme/query", sql("SELECT 1"))],
  ["rows", get("/t/acme/rest/customers")],
  ["another method", get("/t/acme/v2/pipeline")],
  ["a cursor", post("/t/acme/v3/cursor", '{"batch":{"steps":[]}}')],
  ["a tenant in a header", to("/v2/pipeline", "SELECT 1", `${JSON_TYPE}X-Tenant-Id: acme\r\n`)],
  ["an encoded path", to("/t/acme/v2/pipelin%65", "SELECT 1")],
  ["a type twice", to("/t/acme/v2/pipeline", "SELECT 1", JSON_TYPE + JSON_TYPE)],
  ["a large body", to("/t/acme/v2/pipeline", `SELECT 1 -- ${"x".repeat(70_000)}`)],
])("%s is left to the framework", async (_, text) => {
  const answer = await ways.answers(text);
  expect(answer.taken).toEqual([]);
  expect(answer.direct).toBe(answer.framed);
  expect(answer.direct).toMatch(/http\/1\.1 [2345]\d\d /);
});

/** Sends a pipeline of one statement. @returns what it goes on with, and its result */
async function goOn(
  way: "direct" | "framed",
  baton: string | null,
  statement: string,
): Promise<{ baton: string; status: number; result: { type: string; error?: { code: string } } }> {
  const body = JSON.stringify({ baton, requests: [{ type: "execute", stmt: { sql: statement } }] });
  const answer = await answerOf(ways[way], post("/t/acme/v2/pipeline", body));
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
  const { baton: next, results } = JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4)) as {
    baton: string;
    results?: { type: string }[];
  };
  return { baton: next, status, result: results?.[0] ?? { type: "none" } };
}

test("a transaction goes on past the framework and through it", async () => {
  ways.taken = [];
  const begun = await goOn("direct", null, "BEGIN IMMEDIATE");
  const written = await goOn("framed", begun.baton, "INSERT INTO customers VALUES (7, 'Ann', 'ann@x')");
  const committed = await goOn("direct", written.baton, "COMMIT");
  expect([begun, written, committed].map(({ result }) => result.type)).toEqual(["ok", "ok", "ok"]);
  expect(ways.taken).toHaveLength(2);
  const { body } = await shared.server.query("acme", "SELECT name FROM customers WHERE id = 7");
  expect(body.results).toEqual([{ name: "Ann" }]);
});

test("both have one limit, which an open transaction does not wait behind", async () => {
  const begun = await goOn("direct", null, "BEGIN IMMEDIATE");
  // They wait for its end, and there may be two at once.
  const waiting = [goOn("direct", null, "BEGIN IMMEDIATE"), goOn("framed", null, "BEGIN IMMEDIATE")];
  await expect.poll(async () => (await goOn("direct", null, "SELECT 1")).status).toBe(429);
  expect((await goOn("framed", null, "SELECT 1")).status).toBe(429);
  const ended = await goOn("direct", begun.baton, "COMMIT");
  expect(ended.result.type).toBe("ok");
  // The one that has got it ends it, for the other.
  const [first, second] = waiting as [(typeof waiting)[0], (typeof waiting)[1]];
  const got = await Promise.race([first, second]);
  await goOn("direct", got.baton, "COMMIT");
  const last = (await Promise.all(waiting)).find(({ baton }) => baton !== got.baton);
  await goOn("framed", last!.baton, "COMMIT");
  expect((await goOn("direct", null, "SELECT 1")).status).toBe(200);
});

test("an application for other sites' pages is not passed by", () => {
  const { tenantry } = shared.server;
  expect(tenantry.app({ corsOrigins: ["https://app.example"] }).direct).toBeUndefined();
});

test("who may only read writes nothing, and another tenant's key opens nothing", async () => {
  const server = await runningServer({ tenants: ["acme", "globex"] });
  const made = await server.send("POST", "/admin/keys", { scope: "read", tenant: "acme" });
  const served = await bothWays(server.tenantry.app());
  onTestFinished(served.close);
  const authorization = `${JSON_TYPE}Authorization: Bearer ${made.body.secret}\r\n`;
  for (const [text, says] of [
    [to("/t/acme/v2/pipeline", "SELECT 1", authorization), "http/1.1 200"],
    [to("/t/acme/v2/pipeline", "DELETE FROM customers", authorization), '"code":"BLOCKED"'],
    [to("/t/globex/v2/pipeline", "SELECT 1", authorization), "http/1.1 404"],
    [to("/t/acme/v2/pipeline", "SELECT 1"), "http/1.1 401"],
  ] as const) {
    const answer = await served.answers(text);
    expect(answer.taken).toHaveLength(1);
    expect(answer.direct).toContain(says);
    expect(answer.direct).toBe(answer.framed);
  }
});

test("a request that passes by is counted", async () => {
  const count = async (): Promise<number> => {
    const { text } = await shared.server.send("GET", "/metrics");
    return Number(
      /duration_seconds_count\{method="POST",route="[^"]*pipeline",status="200"\} (\d+)/.exec(text)?.[1],
    );
  };
  const before = await count();
  await answerOf(ways.direct, to("/t/acme/v2/pipeline", "SELECT 1"));
  expect(await count()).toBe(before + 1);
});
