// Owns clients that go away: while they send, while they read, while files come in or go out; and servers that end.
// Afterwards nothing is leased, no half file lies about, and the operator's log is quiet.
import { once } from "node:events";
import { connect } from "node:net";
import { Agent, type IncomingMessage, request } from "node:http";
import { expect, test, vi } from "vitest";
import { runningServer, type RunningTestServer } from "./support/running-server.ts";

const ROWS = 40;
const BLOB_BYTES = 250_000;

/** A tenant of ten megabytes: more than the buffers of a socket hold. */
async function withLargeTenant(): Promise<RunningTestServer> {
  const server = await runningServer();
  await server.query("acme", "CREATE TABLE big (id INTEGER PRIMARY KEY, body TEXT)");
  await server.query(
    "acme",
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ${ROWS})
     INSERT INTO big SELECT i, hex(zeroblob(${BLOB_BYTES / 2})) FROM n`,
  );
  return server;
}

const LINES = "Host: localhost\r\nContent-Type: application/json\r\n";
const BODY = JSON.stringify({ sql: "SELECT * FROM big" });

test.each([
  ["with its length declared", `${LINES}Content-Length: 5000\r\n\r\n{"sql":`],
  ["in chunks", `${LINES}Transfer-Encoding: chunked\r\n\r\n7\r\n{"sql":\r\n`],
])("a client that goes away while it sends a body, %s, is nobody's error", async (_, rest) => {
  const server = await runningServer();
  for (const path of ["/t/acme/query", "/t/acme/batch", "/t/acme/rest/customers", "/admin/tenants"]) {
    const finished = vi.fn<() => void>();
    await server.abort(`POST ${path} HTTP/1.1\r\nExpect: 100-continue\r\n${rest}`, async (socket) => {
      await once(socket, "data");
      socket.once("close", finished);
    });
    await vi.waitFor(() => expect(finished).toHaveBeenCalled());
  }
  expect(server.internalErrors).toEqual([]);
  await server.expectHealthy();
});

test("a client that goes away while it reads a large answer leaves nothing behind", async () => {
  const server = await withLargeTenant();
  const text = `POST /t/acme/query HTTP/1.1\r\n${LINES}Content-Length: ${BODY.length}\r\n\r\n${BODY}`;
  for (let i = 0; i < 3; i++) {
    await server.abort(text, async (socket) => {
      await once(socket, "data");
      socket.pause();
    });
  }
  await server.expectHealthy();
});

test("a client that goes away during an export, early or late, leaves no copy behind", async () => {
  const server = await withLargeTenant();
  const text = "GET /admin/tenants/acme/export HTTP/1.1\r\nHost: localhost\r\n\r\n";
  await server.abort(text, async (socket) => {
    await once(socket, "data");
    expect(await server.scratchFiles()).toHaveLength(1);
  });
  await vi.waitFor(async () => expect(await server.scratchFiles()).toEqual([]));
  await server.abort(text);
  await server.abort(text, () => vi.waitFor(async () => expect(await server.scratchFiles()).not.toEqual([])));
  await vi.waitFor(async () => {
    expect(server.tenantry.tenants.stats().leased).toBe(0);
    expect(await server.scratchFiles()).toEqual([]);
  });
  await server.expectHealthy();
});

test("HEAD of an export has the size, and leaves no copy behind", async () => {
  const server = await withLargeTenant();
  const head = await server.send("HEAD", "/admin/tenants/acme/export");
  expect(head.status).toBe(200);
  expect(Number(head.headers.get("content-length"))).toBeGreaterThan(ROWS * BLOB_BYTES);
  expect(await server.scratchFiles()).toEqual([]);
  await server.expectHealthy();
});

test("a client that goes away during an import leaves neither a file nor a tenant behind", async () => {
  const server = await runningServer();
  const head =
    "POST /admin/tenants/globex/import HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/vnd.sqlite3\r\n";
  for (const framing of ["Content-Length: 100000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n10\r\n"]) {
    await server.abort(`${head}${framing}SQLite format 3\0`, () =>
      vi.waitFor(async () => expect(await server.scratchFiles()).toHaveLength(1)),
    );
    await vi.waitFor(async () => expect(await server.scratchFiles()).toEqual([]));
  }
  expect(server.internalErrors).toEqual([]);
  expect((await server.send("GET", "/admin/tenants/globex")).status).toBe(404);
  expect((await server.send("POST", "/admin/tenants", { id: "globex" })).status).toBe(201);
  await server.expectHealthy("globex");
});

test("the end of a server waits for a request that runs, and for no connection that is only kept alive", async () => {
  const server = await runningServer();
  const agent = new Agent({ keepAlive: true });
  const idle = connect(server.port, "127.0.0.1");
  idle.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await once(idle, "data");

  const body = JSON.stringify({ sql: "SELECT 1 AS one" });
  const upload = request(`${server.url}/t/acme/query`, {
    method: "POST",
    agent,
    headers: { "content-type": "application/json", "content-length": body.length, expect: "100-continue" },
  });
  const answer = once(upload, "response");
  upload.flushHeaders();
  await once(upload, "continue");
  const closing = server.stop(60_000);
  await once(idle, "close");
  upload.end(body);
  const [response] = (await answer) as [IncomingMessage];
  expect(response.statusCode).toBe(200);
  response.resume();
  await closing;
  agent.destroy();
});

test("the end of a server cuts off no answer that a slow client is still reading", async () => {
  const server = await withLargeTenant();
  const socket = connect(server.port, "127.0.0.1");
  socket.write(`POST /t/acme/query HTTP/1.1\r\n${LINES}Content-Length: ${BODY.length}\r\n\r\n${BODY}`);
  await once(socket, "readable");
  const closing = server.stop(60_000);
  let bytes = 0;
  for await (const chunk of socket as AsyncIterable<Buffer>) bytes += chunk.byteLength;
  await closing;
  expect(bytes).toBeGreaterThan(ROWS * BLOB_BYTES);
});

test("the end of a server ends what is left after the grace period", async () => {
  const server = await runningServer();
  await server.abort(
    `POST /t/acme/query HTTP/1.1\r\n${LINES}Expect: 100-continue\r\nContent-Length: 50\r\n\r\n`,
    async (socket) => {
      await once(socket, "data");
      const ended = once(socket, "close");
      await server.stop(1);
      await ended;
    },
  );
  expect(server.internalErrors).toEqual([]);
});
