// Owns how sockets end, and what is left behind then: nothing. Sockets that are abandoned, that do not read, that say
// too much, whose executor is killed, whose server stops.
import { createServer } from "node:http";
import { describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { MAX_SOCKET_UNANSWERED } from "../src/hrana/socket-session.ts";
import { upgradesOf } from "../src/http/upgrades.ts";
import { HranaSocket } from "./support/hrana-socket.ts";
import {
  BOTH_PLACES,
  runningServer,
  type RunningServerOptions,
  type RunningTestServer,
} from "./support/running-server.ts";
import { tempTenantry } from "./support/temp-folder.ts";

const LARGE = "SELECT hex(zeroblob(200000)) AS x";
const INSERT = "INSERT INTO customers (name) VALUES ('a')";

describe.each(BOTH_PLACES)("%s", (_, options) => {
  const serve = (more: RunningServerOptions = {}): Promise<RunningTestServer> =>
    runningServer({ ...options, ...more });

  /** That nobody holds the tenant's write lock, wherever its database is open. */
  const expectUnlocked = async (server: RunningTestServer): Promise<void> => {
    await server.expectHealthy();
    const answer = await server.query("acme", "UPDATE customers SET name = 'b' WHERE id = -1");
    expect(answer.status, answer.text).toBe(200);
  };

  test("a socket that is abandoned in the middle of a transaction gives everything back at once", async () => {
    const server = await serve();
    const socket = await HranaSocket.greeted(server);
    const run = await socket.stream(1);
    await run("BEGIN IMMEDIATE");
    await run(INSERT);
    // somebody else on the same socket waits for the first, and is never heard of again
    const waits = await socket.stream(2);
    void waits(INSERT);
    const other = await HranaSocket.greeted(server);
    const write = (await other.stream(1))(INSERT);
    socket.ws.terminate();
    expect(await write).toMatchObject({ affected_row_count: 1 });
    await expectUnlocked(server);
  });

  test("a thousand streams that are opened and abandoned hold nothing", async () => {
    const server = await serve();
    for (const sql of ["SELECT 1", "BEGIN", "BEGIN IMMEDIATE"]) {
      const socket = await HranaSocket.greeted(server);
      const sent: Promise<unknown>[] = [];
      for (let id = 0; id < 1_000; id++) {
        sent.push(socket.request({ type: "open_stream", stream_id: id }));
        sent.push(socket.request({ type: "execute", stream_id: id, stmt: { sql } }));
      }
      await Promise.race(sent.slice(-1_000));
      if (sql === "SELECT 1") await Promise.all(sent);
      socket.ws.terminate();
      await expectUnlocked(server);
    }
  });

  test("a client that reads nothing does not fill the memory, and gets all of it once it reads", async () => {
    const server = await serve();
    const socket = await HranaSocket.greeted(server);
    await socket.stream(1);
    socket.ws.pause();
    const COUNT = 200;
    const answers = Array.from({ length: COUNT }, () =>
      socket.request({ type: "execute", stream_id: 1, stmt: { sql: LARGE } }),
    );
    // others are served meanwhile
    const other = await HranaSocket.greeted(server);
    const run = await other.stream(1);
    for (let n = 0; n < 20; n++) await run("SELECT 1");
    const done: number[] = [];
    for (const [index, answer] of answers.entries()) void answer.then(() => done.push(index));
    socket.ws.resume();
    await Promise.all(answers);
    expect(done).toEqual(Array.from({ length: COUNT }, (_, index) => index));
    await server.expectHealthy();
  });

  test("more requests than are looked at together are all answered", async () => {
    const server = await serve();
    const socket = await HranaSocket.greeted(server);
    for (const id of [1, 2]) await socket.stream(id);
    const answers = Array.from({ length: MAX_SOCKET_UNANSWERED * 2 }, (_, n) =>
      socket.request({ type: "execute", stream_id: 1 + (n % 2), stmt: { sql: INSERT } }),
    );
    const ids = (await Promise.all(answers)).map(({ response }) => Number(response.result.last_insert_rowid));
    expect(ids.toSorted((a, b) => a - b)).toEqual(Array.from(answers, (_, index) => index + 1));
  });
});

test("an executor that is killed loses what it held, says so, and the socket goes on", async () => {
  const server = await runningServer({ executors: { executors: 1 } });
  const socket = await HranaSocket.greeted(server);
  const inTransaction = await socket.stream(1);
  const idle = await socket.stream(2);
  await inTransaction("BEGIN IMMEDIATE");
  await inTransaction(INSERT);
  expect(await idle("SELECT 1")).toMatchObject({ rows: [[{ value: "1" }]] });
  const pid = server.pool?.stats().executors[0]?.pid;
  if (pid === undefined) throw new Error("no executor runs");
  process.kill(pid, "SIGKILL");
  const lost = await inTransaction("COMMIT");
  expect(["STREAM_EXPIRED", "OUTCOME_UNKNOWN"]).toContain(lost.code);
  expect(await inTransaction(INSERT)).toMatchObject({ code: "STREAM_EXPIRED" });
  // a stream without a transaction has lost nothing
  expect(await idle("SELECT count(*) FROM customers")).toMatchObject({ rows: [[{ value: "0" }]] });
  await socket.ok({ type: "close_stream", stream_id: 1 });
  const again = await socket.stream(1);
  await again("BEGIN");
  await again(INSERT);
  expect(await again("COMMIT")).toMatchObject({ rows: [] });
  expect(await idle("SELECT count(*) FROM customers")).toMatchObject({ rows: [[{ value: "1" }]] });
  await server.expectHealthy();
});

test("a transaction survives that its tenant's executor is replaced", async () => {
  const server = await runningServer({ executors: { executors: 1, maxRssBytes: 1 } });
  const socket = await HranaSocket.greeted(server);
  const run = await socket.stream(1);
  await run("BEGIN IMMEDIATE");
  await run(INSERT);
  const before = server.pool?.stats().recycles ?? 0;
  await vi.waitFor(() => expect(server.pool?.stats().recycles).toBeGreaterThan(before), { timeout: 5_000 });
  expect(await run("COMMIT")).toMatchObject({ rows: [] });
  expect(await run("SELECT count(*) FROM customers")).toMatchObject({ rows: [[{ value: "1" }]] });
});

test("a server that stops lets a transaction end, and closes its sockets with 1001", async () => {
  const server = await runningServer();
  const idle = await HranaSocket.greeted(server);
  const busy = await HranaSocket.greeted(server);
  const run = await busy.stream(1);
  await run("BEGIN");
  await run(INSERT);
  const stopped = server.stop(30_000);
  expect(await idle.ended).toEqual({ code: 1001, reason: "The server is shutting down." });
  expect(await run("COMMIT")).toMatchObject({ rows: [] });
  expect((await busy.ended).code).toBe(1001);
  await stopped;
});

test("a server that stops does not wait for ever", async () => {
  const server = await runningServer();
  const socket = await HranaSocket.greeted(server);
  await (
    await socket.stream(1)
  )("BEGIN");
  await server.stop(50);
  expect((await socket.ended).code).toBe(1001);
  await vi.waitFor(() => expect(server.tenantry.tenants.stats().leased).toBe(0));
});

test("a message that is too large ends its socket, and a stranger may not say much", async () => {
  const server = await runningServer({ app: { maxBodyBytes: 100_000 } });
  const socket = await HranaSocket.greeted(server);
  socket.send({ type: "request", request_id: 1, request: { type: "x".repeat(100_000) } });
  expect((await socket.ended).code).toBe(1009);
  const stranger = await HranaSocket.open(server);
  stranger.ws.on("error", () => {});
  // the beginning of a message whose end never comes
  stranger.ws.send("x".repeat(80_000), { fin: false });
  expect((await stranger.ended).code).toBe(1006);
  await server.expectHealthy();
});

test("sockets on a server of one's own: a client that says nothing, or is not there, is let go", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  const server = createServer();
  const upgrades = upgradesOf(tenantry.app().sockets, { helloTimeoutMs: 50, keepAliveMs: 100, idleMs: 300 });
  server.on("upgrade", upgrades.upgrade);
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as { port: number };
  const open = async (options: object = {}): Promise<{ ws: WebSocket; ended: Promise<number> }> => {
    const ws = new WebSocket(`ws://127.0.0.1:${port}/t/acme`, ["hrana3"], options);
    const ended = new Promise<number>((resolve) => {
      ws.on("close", resolve);
    });
    await new Promise((resolve) => {
      ws.on("open", resolve);
    });
    return { ws, ended };
  };
  const silent = await open();
  expect(await silent.ended).toBe(1008);
  const deaf = await open({ autoPong: false });
  deaf.ws.send('{"type":"hello","jwt":null}');
  expect(await deaf.ended).toBe(1006);
  const idle = await open();
  idle.ws.send('{"type":"hello","jwt":null}');
  expect(await idle.ended).toBe(1000);
  await vi.waitFor(() => expect(upgrades.size).toBe(0));
  await upgrades.close(0);
  server.close();
});
