// Owns Hrana over a WebSocket as the protocol has it: who is let in, what each message is answered with, and in
// which order. Unmodified clients are hrana-socket-clients.test.ts's, ends and limits hrana-socket-ends.test.ts's.
import { describe, expect, test } from "vitest";
import { SignJWT } from "jose";
import { createApiKey } from "../src/auth/api-key.ts";
import { exportSigningKey, generateSigningKey } from "../src/auth/signing-key.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { step } from "./support/hrana-requests.ts";
import { HranaSocket } from "./support/hrana-socket.ts";
import {
  BOTH_PLACES,
  runningServer,
  type RunningServerOptions,
  type RunningTestServer,
} from "./support/running-server.ts";

describe.each(BOTH_PLACES)("%s", (_, options) => {
  const serve = (more: RunningServerOptions = {}): Promise<RunningTestServer> =>
    runningServer({ ...options, ...more });

  test("a socket has streams, each with its transaction", async () => {
    const server = await serve();
    const socket = await HranaSocket.greeted(server);
    const one = await socket.stream(1);
    const other = await socket.stream(-2);
    expect(await one("BEGIN IMMEDIATE")).toMatchObject({ affected_row_count: 0, rows: [] });
    expect(await one("INSERT INTO customers (name) VALUES ('a')")).toMatchObject({
      affected_row_count: 1,
      last_insert_rowid: "1",
    });
    const autocommit = async (streamId: number) =>
      (await socket.ok({ type: "get_autocommit", stream_id: streamId })).is_autocommit;
    expect(await autocommit(1)).toBe(false);
    expect(await autocommit(-2)).toBe(true);
    const COUNT = "SELECT count(*) AS n FROM customers";
    expect((await other(COUNT)).rows).toEqual([[{ type: "integer", value: "0" }]]);
    const waits = other("INSERT INTO customers (name) VALUES ('b')");
    expect(await one("COMMIT")).toMatchObject({ rows: [] });
    expect(await waits).toMatchObject({ last_insert_rowid: "2" });
    expect((await one(COUNT)).rows).toEqual([[{ type: "integer", value: "2" }]]);
    expect(await socket.ok({ type: "close_stream", stream_id: 1 })).toEqual({ type: "close_stream" });
    expect(await one("SELECT 1")).toMatchObject({ code: "STREAM_NOT_FOUND" });
    await server.expectHealthy();
  });

  test("requests of a stream are answered in their order, and sent before anything is answered", async () => {
    const server = await serve();
    const socket = await HranaSocket.open(server);
    void socket.hello();
    const sent = [
      socket.request({ type: "open_stream", stream_id: 1 }),
      socket.request({ type: "store_sql", sql_id: 7, sql: "INSERT INTO customers (name) VALUES (?)" }),
      socket.request({
        type: "batch",
        stream_id: 1,
        batch: {
          steps: [
            step("BEGIN"),
            { stmt: { sql_id: 7, args: [{ type: "text", value: "a" }] }, condition: { type: "ok", step: 0 } },
          ],
        },
      }),
      socket.request({
        type: "execute",
        stream_id: 1,
        stmt: { sql_id: 7, args: [{ type: "text", value: "b" }] },
      }),
      // is needed no more by what was sent before
      socket.request({ type: "close_sql", sql_id: 7 }),
      socket.request({ type: "sequence", stream_id: 1, sql: "SELECT 1; COMMIT;" }),
      socket.request({ type: "describe", stream_id: 1, sql: "SELECT name FROM customers WHERE id = :id" }),
      socket.request({
        type: "execute",
        stream_id: 1,
        stmt: { sql: "SELECT group_concat(name) FROM customers" },
      }),
      socket.request({ type: "execute", stream_id: 1, stmt: { sql_id: 7 } }),
      socket.request({ type: "close_stream", stream_id: 1 }),
    ];
    const answers = await Promise.all(sent);
    expect(answers.map(({ type, error }) => error?.code ?? type)).toEqual([
      ...Array.from({ length: 8 }, () => "response_ok"),
      "SQL_NOT_FOUND",
      "response_ok",
    ]);
    expect(answers[2].response.result.step_errors).toEqual([null, null]);
    expect(answers[6].response.result).toMatchObject({
      params: [{ name: ":id" }],
      cols: [{ name: "name", decltype: "TEXT" }],
      is_explain: false,
      is_readonly: true,
    });
    expect(answers[7].response.result.rows).toEqual([[{ type: "text", value: "a,b" }]]);
  });

  test("a cursor is fetched in pieces, of one's own size", async () => {
    const server = await serve();
    const socket = await HranaSocket.greeted(server);
    const run = await socket.stream(1);
    const ROWS =
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT i FROM n";
    await socket.ok({ type: "store_sql", sql_id: 1, sql: ROWS });
    const steps = [
      step("BEGIN"),
      { stmt: { sql_id: 1 } },
      step("SELEC"),
      step("INSERT INTO customers (name) VALUES ('a')", { type: "error", step: 2 }),
    ];
    await socket.ok({ type: "open_cursor", stream_id: 1, cursor_id: 9, batch: { steps } });
    expect(await run("SELECT 1")).toMatchObject({ code: "CURSOR_EXISTS" });
    const entries: { type: string; row?: { value: string }[] }[] = [];
    for (let done = false; !done;) {
      const answer = await socket.ok({ type: "fetch_cursor", cursor_id: 9, max_count: 700 });
      expect(answer.entries.length).toBeLessThanOrEqual(700);
      entries.push(...answer.entries);
      done = answer.done;
    }
    const rows = entries.filter(({ type }) => type === "row");
    expect(rows.map(({ row }) => Number(row?.[0]?.value))).toEqual(
      Array.from({ length: 5000 }, (_, i) => i + 1),
    );
    expect(entries.filter(({ type }) => type !== "row").map(({ type }) => type)).toEqual([
      "step_begin",
      "step_end",
      "step_begin",
      "step_end",
      "step_error",
      "step_begin",
      "step_end",
    ]);
    expect(await socket.ok({ type: "fetch_cursor", cursor_id: 9, max_count: 1 })).toMatchObject({
      entries: [],
      done: true,
    });
    await socket.ok({ type: "close_cursor", cursor_id: 9 });
    expect(await socket.error({ type: "fetch_cursor", cursor_id: 9, max_count: 1 })).toMatchObject({
      code: "CURSOR_NOT_FOUND",
    });
    // the cursor's transaction is its stream's
    expect((await socket.ok({ type: "get_autocommit", stream_id: 1 })).is_autocommit).toBe(false);

    // one that is closed in the middle leaves it as it is
    await socket.ok({
      type: "open_cursor",
      stream_id: 1,
      cursor_id: 9,
      batch: { steps: [{ stmt: { sql_id: 1 } }] },
    });
    await socket.ok({ type: "fetch_cursor", cursor_id: 9, max_count: 1 });
    await socket.ok({ type: "close_cursor", cursor_id: 9 });
    expect((await socket.ok({ type: "get_autocommit", stream_id: 1 })).is_autocommit).toBe(false);
    expect(await run("ROLLBACK")).toMatchObject({ rows: [] });
    await socket.ok({
      type: "open_cursor",
      stream_id: 1,
      cursor_id: 9,
      batch: { steps: [{ stmt: { sql_id: 1 } }] },
    });
    await socket.ok({ type: "close_stream", stream_id: 1 });
    await server.expectHealthy();
  });

  test("what fails as a whole ends its stream: nothing of its transaction is done outside of it", async () => {
    const server = await serve({ tenants: ["acme", "globex"] });
    const socket = await HranaSocket.greeted(server);
    const run = await socket.stream(1);
    await run("BEGIN IMMEDIATE");
    const malformed = await socket.error({
      type: "execute",
      stream_id: 1,
      stmt: { sql: "SELECT 1", args: 7 },
    });
    expect(malformed).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await run("INSERT INTO customers (name) VALUES ('a')")).toMatchObject({ code: "STREAM_EXPIRED" });
    await server.expectHealthy();
    await socket.ok({ type: "close_stream", stream_id: 1 });
    const again = await socket.stream(1);
    expect((await again("SELECT count(*) FROM customers")).rows[0][0].value).toBe("0");
  });

  test("a tenant's own key, and a block in the midst of a transaction, hold on a socket", async () => {
    const server = await serve();
    const acme = parseTenantId("acme");
    const { lifecycle } = server.tenantry;
    const key = await generateSigningKey();
    const { raw } = await exportSigningKey(key);
    await lifecycle.configure(acme, { jwtKey: raw });
    const token = await new SignJWT({ exp: Math.floor(Date.now() / 1000) + 3600, a: "rw" })
      .setProtectedHeader({ alg: "EdDSA" })
      .sign(key.privateKey);
    const stranger = await HranaSocket.open(server);
    expect((await stranger.hello()).type).toBe("hello_error");
    const socket = await HranaSocket.greeted(server, { jwt: token });
    const run = await socket.stream(1);
    await run("BEGIN IMMEDIATE");
    await run("INSERT INTO customers (name) VALUES ('a')");
    await lifecycle.configure(acme, { blocked: "writes", blockReason: "unpaid" });
    expect(await run("INSERT INTO customers (name) VALUES ('b')")).toMatchObject({
      code: "BLOCKED",
      message: /unpaid/,
    });
    expect(await run("ROLLBACK")).toMatchObject({ rows: [] });
    const another = await exportSigningKey(await generateSigningKey());
    await lifecycle.configure(acme, { jwtKey: another.raw, blocked: null });
    expect((await run("SELECT 1")).code).toBe("AUTH_JWT_INVALID");
  });

  test("a suspended tenant is told so, and goes on when it is resumed; a deleted one is not there", async () => {
    const server = await serve();
    const { lifecycle } = server.tenantry;
    const acme = parseTenantId("acme");
    const socket = await HranaSocket.greeted(server);
    const run = await socket.stream(1);
    await lifecycle.suspend(acme);
    expect(await run("SELECT 1")).toMatchObject({ code: "TENANT_SUSPENDED" });
    await lifecycle.resume(acme);
    expect(await (await socket.stream(2))("SELECT 1")).toMatchObject({ rows: [[{ value: "1" }]] });
    await lifecycle.delete(acme);
    expect(await (await socket.stream(3))("SELECT 1")).toMatchObject({ code: "TENANT_NOT_FOUND" });
    await lifecycle.create(acme);
    // a stream is of the tenant that was there when it was first used
    const second = await socket.request({ type: "execute", stream_id: 2, stmt: { sql: "SELECT 1" } });
    expect(second.error).toMatchObject({ code: "STREAM_EXPIRED" });
    expect(await (await socket.stream(4))("SELECT 1")).toMatchObject({ rows: [[{ value: "1" }]] });
  });
});

test("a socket is a tenant's by path, with and without a slash, by header, or by the token's claim", async () => {
  const server = await runningServer({ tenants: ["acme", "globex"], app: { baseDomains: ["localhost"] } });
  const tenantOf = async (socket: HranaSocket) => {
    const run = await socket.stream(1);
    return (await run("SELECT name FROM customers")).rows[0][0].value;
  };
  for (const tenant of ["acme", "globex"]) {
    await server.query(tenant, "INSERT INTO customers (name) VALUES (?)", [tenant]);
  }
  for (const options of [
    { path: "/t/globex" },
    { path: "/t/globex/?x=1" },
    { path: "/", headers: { "x-namespace": "globex" } },
    { path: "/", headers: { "x-tenant-id": "globex" } },
    { path: "/", headers: { host: "globex.localhost" } },
  ]) {
    expect(await tenantOf(await HranaSocket.greeted(server, options)), JSON.stringify(options)).toBe(
      "globex",
    );
  }
  await expect(HranaSocket.open(server, { headers: { "x-namespace": "globex" } })).rejects.toMatchObject({
    status: 400,
    body: { code: "TENANT_MISMATCH" },
  });
  const nobody = await HranaSocket.open(server, { path: "/" });
  expect(await nobody.hello()).toMatchObject({ type: "hello_error", error: { code: "TENANT_REQUIRED" } });
  expect((await nobody.ended).code).toBe(1008);

  const { secret, hash } = await createApiKey();
  await server.tenantry.catalog.addKey({
    hash,
    tenant: "globex",
    scope: "write",
    label: "",
    expiresAt: null,
  } as never);
  expect(await tenantOf(await HranaSocket.greeted(server, { path: "/", jwt: secret }))).toBe("globex");
  const byHeader = { path: "/", headers: { authorization: `Bearer ${secret}` } };
  expect(await tenantOf(await HranaSocket.greeted(server, byHeader))).toBe("globex");
  const foreign = await HranaSocket.open(server, { path: "/t/acme/" });
  expect(await foreign.hello(secret)).toMatchObject({ error: { code: "TENANT_NOT_FOUND" } });
});

test("hello says who asks, and a later one says it anew; a revoked key is good for nothing", async () => {
  const server = await runningServer();
  const { catalog } = server.tenantry;
  const key = async (scope: string) => {
    const { secret, hash } = await createApiKey();
    const { id } = await catalog.addKey({ hash, tenant: "acme", scope, label: "", expiresAt: null } as never);
    return { secret, id };
  };
  const reader = await key("read");
  const writer = await key("write");
  const stranger = await HranaSocket.open(server);
  expect(await stranger.hello()).toMatchObject({ type: "hello_error", error: { code: "AUTH_JWT_MISSING" } });
  expect(await stranger.ended).toEqual({ code: 1008, reason: "AUTH_JWT_MISSING" });
  const liar = await HranaSocket.open(server);
  expect(await liar.hello("e.e.e")).toMatchObject({ error: { code: "AUTH_JWT_INVALID" } });
  await expect(
    HranaSocket.open(server, { headers: { authorization: "Bearer nothing" } }),
  ).rejects.toMatchObject({ status: 401 });

  const socket = await HranaSocket.greeted(server, { jwt: reader.secret });
  const run = await socket.stream(1);
  const INSERT = "INSERT INTO customers (name) VALUES ('a') RETURNING id";
  expect(await run(INSERT)).toMatchObject({ code: "BLOCKED" });
  expect(await socket.hello(writer.secret)).toEqual({ type: "hello_ok" });
  expect(await run(INSERT)).toMatchObject({ affected_row_count: 1 });
  await catalog.revokeKey(writer.id);
  expect(await run(INSERT)).toMatchObject({ code: "AUTH_JWT_INVALID" });
  expect(await socket.hello("nothing")).toMatchObject({ type: "hello_error" });
  expect((await socket.ended).code).toBe(1008);
});

test("the newest version that both speak is spoken; none at all is the first", async () => {
  const server = await runningServer();
  const spoken = async (...protocols: string[]) =>
    (await HranaSocket.open(server, { protocols })).ws.protocol;
  expect(await spoken("hrana2", "hrana1")).toBe("hrana2");
  expect(await spoken("hrana3-protobuf", "hrana1", "hrana3", "hrana2")).toBe("hrana3");
  expect(await spoken()).toBe("");
  await expect(spoken("graphql-ws", "hrana3-protobuf")).rejects.toMatchObject({
    status: 400,
    body: { code: "INVALID_ARGUMENT", hint: /hrana3/ },
  });
  const first = await HranaSocket.greeted(server, { protocols: [] });
  const run = await first.stream(1);
  expect(await run("SELECT 1")).toMatchObject({ rows: [[{ value: "1" }]] });
  expect(await first.error({ type: "store_sql", sql_id: 1, sql: "SELECT 1" })).toMatchObject({
    code: "INVALID_ARGUMENT",
    message: /it came with 2/,
  });
});

test("an open server lets in no other site's page, and nothing but a tenant's root is a socket", async () => {
  const server = await runningServer();
  const evil: Record<string, string>[] = [
    { origin: "https://evil.example" },
    { "sec-fetch-site": "cross-site" },
    { host: "evil.example" },
  ];
  for (const headers of evil) {
    await expect(HranaSocket.open(server, { headers }), JSON.stringify(headers)).rejects.toMatchObject({
      status: 403,
      body: { code: "CROSS_SITE_REFUSED" },
    });
  }
  await HranaSocket.greeted(server, { headers: { origin: "http://localhost:3000" } });
  for (const path of ["/t/acme/query", "/admin/tenants", "/t/acme/v2/pipeline"]) {
    await expect(HranaSocket.open(server, { path }), path).rejects.toMatchObject({
      status: 404,
      body: { code: "NOT_FOUND" },
    });
  }
  for (const path of ["/t/v2/", "/t/a%62me/"]) {
    await expect(HranaSocket.open(server, { path }), path).rejects.toMatchObject({ status: 400 });
  }
});

test("what is no message ends the socket with a word about it", async () => {
  const server = await runningServer();
  for (const [messages, code] of [
    [["{"], 1002],
    [['"hello"'], 1002],
    [[{ type: "hello", jwt: 7 }], 1002],
    [[{ type: "request", request_id: 1, request: { type: "open_stream", stream_id: 1 } }], 1002],
    [[{ type: "hello", jwt: null }, { type: "goodbye" }], 1002],
    [
      [
        { type: "hello", jwt: null },
        { type: "request", request_id: 0.5, request: {} },
      ],
      1002,
    ],
    [[Buffer.from("{}")], 1003],
  ] as const) {
    const socket = await HranaSocket.open(server);
    for (const message of messages) {
      if (message instanceof Buffer) socket.ws.send(message);
      else socket.send(message);
    }
    const end = await socket.ended;
    expect(end.code, String(messages)).toBe(code);
    expect(end.reason).not.toBe("");
  }
  await server.expectHealthy();
});

test("a request that is none of the protocol's is answered with an error, and the socket goes on", async () => {
  const server = await runningServer();
  const socket = await HranaSocket.greeted(server);
  await socket.stream(1);
  const refused: [object, string][] = [
    [{ type: "reboot" }, "INVALID_ARGUMENT"],
    [{ type: "toString" }, "INVALID_ARGUMENT"],
    [{ type: "open_stream", stream_id: "1" }, "INVALID_ARGUMENT"],
    [{ type: "open_stream", stream_id: 1 }, "STREAM_EXISTS"],
    [{ type: "execute", stream_id: 2, stmt: { sql: "SELECT 1" } }, "STREAM_NOT_FOUND"],
    [{ type: "close", stream_id: 1 }, "INVALID_ARGUMENT"],
    [{ type: "execute", stream_id: 1 }, "INVALID_ARGUMENT"],
    [{ type: "execute", stream_id: 1, stmt: { sql: "SELECT 1", sql_id: 1 } }, "INVALID_ARGUMENT"],
    [{ type: "execute", stream_id: 1, stmt: { sql_id: 5 } }, "SQL_NOT_FOUND"],
    [{ type: "store_sql", sql_id: 1, sql: "x".repeat(5_001) }, "SQL_STORE_TOO_LARGE"],
    [{ type: "fetch_cursor", cursor_id: 1, max_count: 1 }, "CURSOR_NOT_FOUND"],
    [{ type: "open_cursor", stream_id: 1, cursor_id: 1, batch: {} }, "INVALID_ARGUMENT"],
  ];
  for (const [request, code] of refused) {
    expect(await socket.error(request), JSON.stringify(request).slice(0, 80)).toMatchObject({ code });
  }
  for (let id = 0; id < 150; id++) await socket.ok({ type: "store_sql", sql_id: id, sql: "SELECT 1" });
  expect(await socket.error({ type: "store_sql", sql_id: 150, sql: "" })).toMatchObject({
    code: "SQL_STORE_TOO_MANY",
  });
  await socket.ok({ type: "close_sql", sql_id: 0 });
  await socket.ok({ type: "close_sql", sql_id: 4_711 });
  await socket.ok({ type: "store_sql", sql_id: 150, sql: "" });
  await socket.ok({ type: "close_stream", stream_id: 4_711 });
  await socket.ok({ type: "open_stream", stream_id: 5 });
});
