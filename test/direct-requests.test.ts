// Owns that requests which pass by the framework are answered as it answers them, and that they do pass by.
import { connect } from "node:net";
import { once } from "node:events";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { listen } from "../src/http/listen.ts";
import { executor, sharedServer, tenants, untilRunning, untilServed } from "./support/executor-requests.ts";
import { answerOf, bothWays, type BothWays, get, pipeline, post, sql } from "./support/raw-requests.ts";

const shared = sharedServer({ executors: { executors: 1 } });
let ways: BothWays;

beforeAll(async () => {
  const { tenantry, pool } = shared.server;
  ways = await bothWays(tenantry.app({ pool: pool! }));
  await tenants(shared.server, "acme", "globex");
  await shared.server.query("acme", "INSERT INTO customers VALUES (1, 'Ann', 'a@x'), (2, 'Bö', NULL)");
});
afterAll(() => ways.close());

const LARGE =
  "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 30000) SELECT hex(i) AS h FROM n";

test.each([
  ["a table", get("/t/acme/rest/customers?order=id")],
  ["a row", get("/t/acme/rest/customers?id=eq.1")],
  ["a filter with what a URL may hold", get("/t/acme/rest/customers?name=in.(Ann,B%C3%B6)&select=id,n:name")],
  ["no such table", get("/t/acme/rest/nothing")],
  ["no such tenant", get("/t/nobody/rest/customers")],
  ["no tenant's name", get("/t/-/rest/customers")],
  ["two tenants", get("/t/acme/rest/customers", "X-Tenant-Id: globex\r\n")],
  ["another time limit", get("/t/acme/rest/customers", "X-Timeout-Ms: 0\r\n")],
  ["another site's page", get("/t/acme/rest/customers", "Origin: https://evil.example\r\n")],
  ["a name that points here", get("/t/acme/rest/customers").replace("localhost", "evil.example")],
  ["credentials that are none", get("/t/acme/rest/customers", "Authorization: Bearer x\r\n")],
  ["CSV", get("/t/acme/rest/customers", "Accept: text/csv\r\n")],
  ["a statement", post("/t/acme/query", sql("SELECT * FROM customers"))],
  ["a statement that fails", post("/t/acme/query", sql("SELEC"))],
  [
    "a write that leaves no answer",
    post(
      "/t/acme/rest/customers?on_conflict=id",
      '{"id":1,"name":"Ann"}',
      "Content-Type: application/json\r\nPrefer: resolution=merge-duplicates,return=minimal\r\n",
    ),
  ],
  ["a deletion of nothing", get("/t/acme/rest/customers?id=eq.9").replace("GET", "DELETE")],
  ["a method that it does not take", get("/t/acme/query")],
  ["a batch", post("/t/acme/batch", `[${sql("SELECT 1 AS one")},${sql("SELECT 2 AS two")}]`)],
  ["a pipeline", post("/t/acme/v2/pipeline", pipeline("SELECT 1"))],
  ["a pipeline that fails", post("/t/acme/v3/pipeline", pipeline("SELEC"))],
  ["a pipeline that is none", post("/t/acme/v3/pipeline", "{}")],
  ["a body without a type", post("/t/acme/query", sql("SELECT 1"), "")],
  ["a body of another type", post("/t/acme/query", sql("SELECT 1"), "Content-Type: text/plain\r\n")],
  ["a body that is no JSON", post("/t/acme/query", "{")],
  ["no body", post("/t/acme/query", "")],
  [
    "libSQL's native client",
    post("/t/acme/v2/pipeline", pipeline("SELECT 1"), "X-Libsql-Client-Version: libsql-remote\r\n"),
  ],
  ["a body with a byte order mark", post("/t/acme/query", `\u00ef\u00bb\u00bf${sql("SELECT 1 AS one")}`)],
  ["a body that is no UTF-8", post("/t/acme/query", '{"sql":"SELECT \'\u00ff\u00c3\' AS t"}')],
  ["a large answer", post("/t/acme/query", sql(LARGE))],
  [
    "two requests on a connection",
    get("/t/acme/rest/customers?id=eq.2").replace("Connection: close\r\n", "") +
      get("/t/acme/rest/customers?id=eq.1"),
  ],
])("%s passes by the framework, and is answered the same", async (_, text) => {
  const answer = await ways.answers(text);
  expect(answer.direct).toBe(answer.framed);
  expect(answer.direct).toMatch(/http\/1\.1 [2345]\d\d /);
  expect(answer.taken.length).toBeGreaterThan(0);
});

const twice = (header: string): string => get("/t/acme/rest/customers", header + header);

test.each([
  ["HEAD", get("/t/acme/rest/customers").replace("GET", "HEAD")],
  ["OPTIONS", get("/t/acme/rest/customers").replace("GET", "OPTIONS")],
  ["the schema", get("/t/acme/schema")],
  ["a tenant in a header", get("/rest/customers", "X-Tenant-Id: acme\r\n")],
  ["a path with dots", get("/t/acme/rest/../rest/customers")],
  ["a path that ends in dots", get("/t/acme/rest/..")],
  ["encoded dots", get("/t/acme/rest/%2e%2e/rest/customers")],
  ["encoded dots at the end", get("/t/acme/rest/%2e%2e")],
  ["an encoded table", get("/t/acme/rest/cust%6Fmers")],
  ["an encoded tenant", get("/t/%61cme/rest/customers")],
  ["an encoded route", get("/t/acme/%72est/customers")],
  ["capital letters", get("/t/ACME/rest/customers")],
  ["two slashes", get("/t//acme/rest/customers")],
  ["a backslash", get("/t/acme\\..\\globex/rest/customers")],
  ["a quote in the query", get("/t/acme/rest/customers?name=eq.'Ann'")],
  ["a fragment", get("/t/acme/rest/customers#?id=eq.1")],
  ["a whole URL", get("http://localhost/t/acme/rest/customers")],
  ["a host that is none", get("/t/acme/rest/customers").replace("localhost", "local host")],
  [
    "a host with a port that there is not",
    get("/t/acme/rest/customers").replace("localhost", "localhost:99999"),
  ],
  ["a host with a user", get("/t/acme/rest/customers").replace("localhost", "a@localhost")],
  ["no host", "GET /t/acme/rest/customers HTTP/1.0\r\n\r\n"],
  ["a host twice", twice("Host: evil.example\r\n")],
  ["a tenant twice", twice("X-Tenant-Id: acme\r\n")],
  ["credentials twice", twice("Authorization: Bearer x\r\n")],
  [
    "a body in chunks",
    post("/t/acme/query", "", "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n").replace(
      "Content-Length: 0\r\n",
      "",
    ) + `1\r\n{\r\n0\r\n\r\n`,
  ],
  ["a large body", post("/t/acme/query", JSON.stringify({ sql: `SELECT 1 -- ${"x".repeat(70_000)}` }))],
  ["a body of GET", post("/t/acme/rest/customers", "{}").replace("POST", "GET")],
])("%s is left to the framework", async (_, text) => {
  const answer = await ways.answers(text);
  expect(answer.taken).toEqual([]);
  expect(answer.direct).toBe(answer.framed);
  expect(answer.direct).toMatch(/http\/1\.1 [2345]\d\d /);
});

test("an application that takes shorter bodies than its executors is not passed by with a longer one", async () => {
  const { tenantry, pool } = shared.server;
  const app = tenantry.app({ pool: pool!, maxBodyBytes: 100 });
  const server = await listen(app.hono.fetch, { port: 0, direct: app.direct! });
  const [short, long] = [100, 101].map((bytes) => post("/t/acme/query", sql("SELECT 1").padEnd(bytes)));
  expect(await answerOf(server, short!)).toMatch(/^HTTP\/1\.1 200 /);
  expect(await answerOf(server, long!)).toMatch(/^HTTP\/1\.1 413 /);
  await server.close(0);
});

test("who goes away while it sends, or while it reads, leaves nothing behind", async () => {
  ways.taken = [];
  const port = Number(new URL(ways.direct.url).port);
  const cut = post("/t/acme/query", sql("SELECT 1")).slice(0, -3);
  for (const [text, answered] of [
    [cut, false],
    [post("/t/acme/query", sql(LARGE)), true],
  ] as const) {
    for (let i = 0; i < 5; i++) {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {});
      await new Promise<void>((sent) => void socket.write(text, () => sent()));
      if (answered) await once(socket, "data");
      socket.destroy();
    }
  }
  await untilServed(shared.server);
  await untilRunning(shared.server, 0);
  expect(ways.taken.filter((one) => one === "POST /t/acme/query")).toHaveLength(10);
});

test("an answer whose executor ends in the midst of it breaks off, and others are answered", async () => {
  const { server } = shared;
  const huge = post("/t/acme/query", sql("SELECT hex(zeroblob(8000000)) AS h"));
  ways.connections = [];
  const socket = connect(Number(new URL(ways.direct.url).port), "127.0.0.1");
  socket.on("error", () => {});
  socket.write(huge);
  const [begun] = (await once(socket, "data")) as [Buffer];
  socket.pause();
  const [connection] = ways.connections;
  const given = once(connection!, "close");
  // What is on its way has filled all that there is between the two.
  let looks = 0;
  await vi.waitFor(
    () => {
      looks = connection!.writableNeedDrain ? looks + 1 : 0;
      expect(looks).toBeGreaterThan(20);
    },
    { timeout: 20_000, interval: 5 },
  );
  process.kill(executor(server).pid!, "SIGKILL");
  // Though its reader takes nothing.
  await given;
  await untilServed(server);
  let bytes = begun.byteLength;
  socket.on("data", (chunk: Buffer) => (bytes += chunk.byteLength));
  socket.resume();
  await once(socket, "close");
  expect(begun.toString()).toMatch(/^HTTP\/1\.1 200 /);
  expect(bytes).toBeLessThan(16_000_000);
  await untilRunning(server, 0);
});
