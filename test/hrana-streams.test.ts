// Owns streams that outlive a request: batons, transactions across requests, their time limits, and that nothing
// stays open behind those whom their clients forget.
import { expect, test, vi } from "vitest";
import { DEFAULT_SHARE } from "../src/executors/lane.ts";
import { newBatonKey } from "../src/hrana/baton.ts";
import { Streams } from "../src/hrana/streams.ts";
import { isHranaPath } from "../src/http/hrana-routes.ts";
import { Stream } from "../src/hrana/stream.ts";
import type { Batch } from "../src/hrana/stream-request.ts";
import type { StreamAccess } from "../src/hrana/stream-statements.ts";
import { createGuard } from "../src/sql/guard.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { cursorText } from "./support/cursor-text.ts";
import { AUTOCOMMIT, batch, CLOSE, execute, HranaRequests, integer, step } from "./support/hrana-requests.ts";
import { HranaSocket } from "./support/hrana-socket.ts";
import { BOTH_PLACES, expectError, runningServer } from "./support/running-server.ts";

const insert = (name: string): object =>
  execute("INSERT INTO customers (name) VALUES (?)", [{ type: "text", value: name }]);
const COUNT = "SELECT count(*) FROM customers";
const SLOWLY = { timeout: 30_000 };
const PATIENTLY = { timeout: 10_000 };

test("a baton is good for one request, of its tenant, and gone once the stream is closed", async () => {
  const server = await runningServer({ tenants: ["acme", "globex"] });
  const hrana = new HranaRequests(server);
  const first = await hrana.pipeline(null, execute("BEGIN"), AUTOCOMMIT);
  expect(first.results[1].response.is_autocommit).toBe(false);
  const second = await hrana.pipeline(first.baton, insert("a"));
  expect(second.baton).not.toBe(first.baton);

  const post = (baton: unknown, tenant = "acme") =>
    new HranaRequests(server, tenant).post("/v2/pipeline", { baton, requests: [insert("x")] });
  for (const refused of [
    await post(first.baton),
    await post(second.baton, "globex"),
    await post(second.baton?.replace(/.{10}$/, (end) => (end[0] === "A" ? "B" : "A") + end.slice(1))),
    await post(""),
    await post("not base64!"),
  ]) {
    expect(refused.status).toBe(400);
    expect(refused.body).toMatchObject({ code: "INVALID_ARGUMENT", message: /baton/ });
  }
  const third = await hrana.pipeline(second.baton, execute("COMMIT"), AUTOCOMMIT, CLOSE);
  expect(third.results[1].response.is_autocommit).toBe(true);
  expect(third.baton).toBeNull();
  expect((await post(second.baton)).body).toMatchObject({ code: "STREAM_EXPIRED" });
  expect(await hrana.value(COUNT)).toEqual(integer(1));
  await server.expectHealthy();
});

test("two requests with one baton: one of them is refused", async () => {
  const server = await runningServer();
  const hrana = new HranaRequests(server);
  const { baton } = await hrana.pipeline(null, execute("BEGIN IMMEDIATE"));
  const body = { baton, requests: [insert("once")] };
  const answers = await Promise.all([hrana.post("/v3/pipeline", body), hrana.post("/v3/pipeline", body)]);
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 400]);
  const taken = answers.find(({ status }) => status === 200);
  await hrana.pipeline(taken?.body.baton, execute("COMMIT"), CLOSE);
  expect(await hrana.value(COUNT)).toEqual(integer(1));
});

test("a cursor goes on with its stream's transaction", async () => {
  const hrana = new HranaRequests(await runningServer());
  const [head] = await hrana.cursor(null, step("BEGIN"), step("INSERT INTO customers (name) VALUES ('a')"));
  const [next, ...entries] = await hrana.cursor(head.baton, step(COUNT), step("ROLLBACK"));
  expect(entries).toContainEqual({ type: "row", row: [integer(1)] });
  expect((await hrana.pipeline(next.baton, AUTOCOMMIT, CLOSE)).results[0].response.is_autocommit).toBe(true);
  expect(await hrana.value(COUNT)).toEqual(integer(0));
});

test.each([
  ["in the server's process", undefined],
  ["in an executor", { executors: 1 }],
])(
  "a cursor is sent as it is read, %s; who goes on with its stream before that loses no row",
  async (_, executors) => {
    const server = await runningServer({ ...(executors && { executors }) });
    const hrana = new HranaRequests(server);
    const MANY =
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i, hex(randomblob(20)) FROM n";
    const steps = [step("BEGIN"), step(MANY), step("INSERT INTO customers (name) VALUES ('a')")];
    const open = async (): Promise<{
      baton: string;
      rest: () => Promise<string[]>;
      cancel: () => Promise<void>;
    }> => {
      const cursor = await cursorText(server, steps);
      const text = await cursor.until(/\n/);
      return {
        baton: JSON.parse(text.slice(0, text.indexOf("\n"))).baton,
        rest: async () => (await cursor.rest()).trimEnd().split("\n"),
        cancel: cursor.cancel,
      };
    };
    const { baton, rest } = await open();
    // the insert comes after the rows, and is done before what is asked now
    const { results } = await hrana.pipeline(baton, execute(COUNT), execute("COMMIT"), CLOSE);
    expect(results[0].response.result.rows).toEqual([[integer(1)]]);
    const lines = await rest();
    expect(lines.filter((line) => line.startsWith('{"type":"row"'))).toHaveLength(20_000);
    expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ type: "step_end", affected_row_count: 1 });

    // one that is broken off in the middle ends there, and its transaction can be ended
    const broken = await open();
    await broken.cancel();
    await hrana.pipeline(broken.baton, execute("ROLLBACK"), CLOSE);
    expect(await hrana.value(COUNT)).toEqual(integer(1));
    await server.expectHealthy();
  },
);

test("savepoints nest, and a transaction is told truly, however it begins and ends", async () => {
  const hrana = new HranaRequests(await runningServer());
  const { results } = await hrana.pipeline(
    null,
    { type: "sequence", sql: "SAVEPOINT one; INSERT INTO customers (name) VALUES ('a')" },
    AUTOCOMMIT,
    execute("SAVEPOINT two"),
    insert("b"),
    execute("ROLLBACK TO two"),
    execute("RELEASE one"),
    AUTOCOMMIT,
    batch(step("BEGIN"), step("INSERT OR ROLLBACK INTO customers (id, name) VALUES (1, 'again')")),
    AUTOCOMMIT,
    CLOSE,
  );
  expect([1, 6, 8].map((index) => results[index].response.is_autocommit)).toEqual([false, true, true]);
  expect(await hrana.value(COUNT)).toEqual(integer(1));
});

test("a thousand streams that nobody closes hold nothing; beyond their bound the oldest without a transaction ends", async () => {
  const server = await runningServer({ tenantry: { transactionTimeoutMs: 60_000 } });
  const hrana = new HranaRequests(server);
  const transaction = await hrana.pipeline(null, execute("BEGIN"), insert("a"));
  const oldest = await hrana.pipeline(null, execute("SELECT 1"));
  const all = async (count: number): Promise<string | null> => {
    const some = await Promise.all(
      Array.from({ length: count }, () => hrana.pipeline(null, execute("SELECT 1"))),
    );
    return some.at(-1)!.baton;
  };
  let newest: string | null = null;
  for (let n = 0; n < 11; n++) newest = await all(100);
  const ended = await hrana.post("/v3/pipeline", { baton: oldest.baton, requests: [CLOSE] });
  expect(ended.body).toMatchObject({ code: "STREAM_EXPIRED" });
  await hrana.pipeline(newest, execute("SELECT 1"), CLOSE);
  await hrana.pipeline(transaction.baton, execute("COMMIT"), CLOSE);
  await server.expectHealthy();
  expect(await hrana.value(COUNT)).toEqual(integer(1));
});

test("streams that are all in use, or in a transaction, leave no room for another", async () => {
  const streams = new Streams({ key: newBatonKey(), maxStreams: 2 });
  const { promise, resolve } = Promise.withResolvers<void>();
  const used = [1, 2].map(() => streams.use("acme", null, false, () => promise));
  await expect(streams.use("acme", null, false, async () => {})).rejects.toMatchObject({
    code: "TOO_MANY_REQUESTS",
  });
  await streams.use("globex", null, false, async () => {});
  resolve();
  await Promise.all(used);
  await streams.use("acme", null, false, async () => {});
  expect(streams.size).toBe(3);
});

test("transactions that nobody ends are rolled back, and their leases come back", async () => {
  const server = await runningServer({ tenantry: { transactionTimeoutMs: 300 } });
  const hrana = new HranaRequests(server);
  const abandoned = await Promise.all(
    Array.from({ length: 8 }, () => hrana.pipeline(null, execute("BEGIN"), execute(COUNT))),
  );
  const writer = await hrana.pipeline(abandoned[0]!.baton, insert("a"));
  expect(writer.results[0].type).toBe("ok");
  // the others read, and may do so for longer
  for (const { baton } of abandoned.slice(1)) await hrana.pipeline(baton, execute("COMMIT"));
  await server.expectHealthy();
  expect(await hrana.value(COUNT)).toEqual(integer(0));
});

test("who lost a transaction to its time limit is told until it ends it, and writes nothing meanwhile", async () => {
  const server = await runningServer({ tenantry: { transactionTimeoutMs: 100 } });
  const hrana = new HranaRequests(server);
  const { baton } = await hrana.pipeline(null, execute("BEGIN IMMEDIATE"), insert("lost"));
  await server.expectHealthy();
  const { results } = await hrana.pipeline(
    baton,
    insert("not in a transaction"),
    execute("SAVEPOINT a"),
    execute("ROLLBACK TO a"),
    execute("ROLLBACK"),
    insert("kept"),
    CLOSE,
  );
  expect(results.map(({ type, error }) => error?.code ?? type)).toEqual([
    ...Array.from({ length: 4 }, () => "TRANSACTION_TIMEOUT"),
    "ok",
    "ok",
  ]);
  expect(await hrana.value("SELECT group_concat(name) FROM customers")).toEqual({
    type: "text",
    value: "kept",
  });
});

test("writers wait in line behind a transaction, in the order in which they came", async () => {
  const server = await runningServer();
  const hrana = new HranaRequests(server);
  const begun = await hrana.pipeline(null, execute("BEGIN"), execute(COUNT), insert("first"));
  const order: string[] = [];
  const others = ["second", "third"].map(async (name) => {
    const { results } = await hrana.pipeline(
      null,
      execute("BEGIN IMMEDIATE"),
      insert(name),
      execute("COMMIT"),
      CLOSE,
    );
    order.push(name);
    return results.map(({ type }) => type);
  });
  const plain = server
    .query("acme", "INSERT INTO customers (name) VALUES ('fourth')")
    .then(() => order.push("fourth"));
  // readers do not wait, and see what is committed
  expect(await hrana.value(COUNT)).toEqual(integer(0));
  expect(order).toEqual([]);
  await hrana.pipeline(begun.baton, insert("first again"), execute("COMMIT"), CLOSE);
  expect(await Promise.all(others)).toEqual([
    ["ok", "ok", "ok", "ok"],
    ["ok", "ok", "ok", "ok"],
  ]);
  await plain;
  expect(await hrana.value("SELECT group_concat(name, ' ') FROM customers")).toMatchObject({
    value: /^first first again (?:second|third|fourth) (?:second|third|fourth) (?:second|third|fourth)$/,
  });
  await server.expectHealthy();
});

test("a transaction that has read an old state cannot write, and keeps nobody waiting", async () => {
  const server = await runningServer();
  const hrana = new HranaRequests(server);
  const { baton } = await hrana.pipeline(null, execute("BEGIN"), execute(COUNT));
  await hrana.run("INSERT INTO customers (name) VALUES ('meanwhile')");
  const late = await hrana.pipeline(baton, insert("too late"), AUTOCOMMIT);
  expect(late.results[0].error).toMatchObject({ code: "SQLITE_BUSY" });
  expect(late.results[1].response.is_autocommit).toBe(false);
  await hrana.run("INSERT INTO customers (name) VALUES ('others go on')");
  await hrana.pipeline(late.baton, execute("ROLLBACK"), CLOSE);
  expect(await hrana.value(COUNT)).toEqual(integer(2));
});

test("only a transaction's own baton goes past those who wait for its end", async () => {
  const server = await runningServer({
    executors: { executors: 1, statementTimeoutMs: 50_000 },
    // a slow machine must not end what is looked at
    tenantry: { transactionTimeoutMs: 50_000, busyTimeoutMs: 50_000 },
  });
  const pool = server.pool!;
  const hrana = new HranaRequests(server);
  const begun = await hrana.pipeline(null, execute("BEGIN IMMEDIATE"));
  const idle = await hrana.pipeline(null, execute("SELECT 1"));
  // more of one tenant than an executor takes at once
  const writers = Array.from({ length: DEFAULT_SHARE + 16 }, () => hrana.one(insert("behind")));
  await vi.waitFor(() => expect(pool.stats().executors[0]?.waiting).toBe(16), SLOWLY);
  const post = (baton: unknown) =>
    hrana.post("/v3/pipeline", { baton, requests: [execute("SELECT 1"), CLOSE] });
  const madeUp = post("A".repeat(66));
  const withoutNeed = post(idle.baton);
  await vi.waitFor(() => expect(pool.stats().executors[0]?.waiting).toBe(18), SLOWLY);
  await hrana.pipeline(begun.baton, execute("COMMIT"), CLOSE);
  expect((await madeUp).status).toBe(400);
  expect((await withoutNeed).status).toBe(200);
  await Promise.all(writers);
  expect(await hrana.value(COUNT)).toEqual(integer(writers.length));
});

test.each(BOTH_PLACES)(
  "those who wait for a transaction never keep it from its end, %s",
  SLOWLY,
  async (_, options) => {
    const server = await runningServer({
      ...options,
      tenantry: { transactionTimeoutMs: 60_000 },
      app: { maxInFlight: 2 },
    });
    const hrana = new HranaRequests(server);
    // Where something else fails first, nobody is left to hear of them.
    const inserts = (...names: readonly string[]): Promise<unknown> => {
      const all = Promise.all(names.map((name) => hrana.pipeline(null, insert(name), CLOSE)));
      all.catch(() => {});
      return all;
    };
    const begun = await hrana.pipeline(null, execute("BEGIN IMMEDIATE"), insert("a"));
    const socket = await HranaSocket.greeted(server);
    const waiting = inserts("b", "c");
    await vi.waitFor(async () => {
      const refused = await server.query("acme", "SELECT 1");
      expectError(refused, "TOO_MANY_REQUESTS");
    }, PATIENTLY);
    // Nor does anybody else come in so: not without a baton, nor with that of no transaction, nor with a made up one.
    for (const baton of [null, `${begun.baton?.slice(0, -2)}AA`]) {
      const { status, body } = await hrana.post("/v2/pipeline", { baton, requests: [insert("x")] });
      expect([status, body.code]).toEqual([429, "TOO_MANY_REQUESTS"]);
    }
    const went = await hrana.pipeline(begun.baton, insert("d"));
    await hrana.pipeline(went.baton, execute("COMMIT"), CLOSE);
    await waiting;
    expect(await hrana.value(COUNT)).toEqual(integer(4));

    const stream = await socket.stream(1);
    await stream("BEGIN IMMEDIATE");
    const more = inserts("e", "f");
    await vi.waitFor(
      async () => expectError(await server.query("acme", "SELECT 1"), "TOO_MANY_REQUESTS"),
      PATIENTLY,
    );
    expect(await stream("COMMIT")).toMatchObject({ rows: [] });
    await more;
    expect(await hrana.value(COUNT)).toEqual(integer(6));
  },
);

test("a batch of statements that fail lets others have their turn as any other does", async () => {
  const { tenants } = (await runningServer()).tenantry;
  const acme = parseTenantId("acme");
  const access: StreamAccess = {
    runner: tenants.runner(acme),
    openSession: () => tenants.session(acme),
    sessions: true,
    guard: createGuard(),
    authorize: () => {},
    maxRows: 10,
    maxResponseBytes: 1_000,
    maxParameters: 10,
  };
  const stmt = {
    sql: "INSERT INTO customers (id, name) VALUES (1, 'a')",
    args: [],
    namedArgs: [],
    wantRows: true,
  };
  const steps = Array.from({ length: 20_000 }, () => ({ stmt, condition: undefined })) satisfies Batch;
  let turns = 0;
  const turn = (): void => {
    turns++;
    others = setImmediate(turn);
  };
  let others = setImmediate(turn);
  const stream = new Stream();
  await stream.pipeline([{ type: "batch", batch: steps }, { type: "close" }], access);
  clearImmediate(others);
  expect(turns).toBeGreaterThan(3);
});

test("a path that only ends like one of the protocol's is none", () => {
  for (const path of ["/v2/pipeline", "/v3/cursor?x", "/t/acme/v3/pipeline", "/t/v2/pipeline"]) {
    expect(isHranaPath(path), path).toBe(true);
  }
  for (const path of [
    "/query?x=/v2/pipeline",
    "/rest/v2/pipeline",
    "/t/acme/rest/x?y=/v3/cursor",
    "/v3/pipelines",
  ]) {
    expect(isHranaPath(path), path).toBe(false);
  }
});

test("a suspended tenant ends its streams", async () => {
  const server = await runningServer({ tenantry: { transactionTimeoutMs: 200 } });
  const hrana = new HranaRequests(server);
  const { baton } = await hrana.pipeline(null, execute("BEGIN IMMEDIATE"), insert("a"));
  await server.tenantry.lifecycle.suspend(parseTenantId("acme"));
  const answer = await hrana.post("/v3/pipeline", { baton: null, requests: [execute("SELECT 1")] });
  expect(answer.status).toBe(403);
  expect(answer.body).toMatchObject({ code: "TENANT_SUSPENDED" });
  await server.tenantry.lifecycle.resume(parseTenantId("acme"));
  expect((await hrana.pipeline(baton, insert("b"))).results[0].error.code).toBe("TRANSACTION_TIMEOUT");
  expect(await hrana.value(COUNT)).toEqual(integer(0));
});

test("a stream that is not used for ten seconds is expired", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  try {
    const { Streams } = await import("../src/hrana/streams.ts");
    const streams = new Streams({ key: newBatonKey() });
    const nothing = async () => undefined;
    const one = await streams.use("acme", null, false, nothing);
    vi.advanceTimersByTime(9_000);
    const two = await streams.use("acme", null, false, nothing);
    const again = await streams.use("acme", one.baton, false, nothing);
    vi.advanceTimersByTime(9_999);
    expect(streams.size).toBe(2);
    vi.advanceTimersByTime(2);
    expect(streams.size).toBe(0);
    for (const { baton } of [two, again]) {
      await expect(streams.use("acme", baton, false, nothing)).rejects.toMatchObject({
        code: "STREAM_EXPIRED",
      });
    }
  } finally {
    vi.useRealTimers();
  }
});
