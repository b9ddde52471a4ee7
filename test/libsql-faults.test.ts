// Holds the libSQL driver to what it says of a remote that is away, slow, full, strange or refuses it, and to never
// sending a write twice whose outcome is unknown.
import { createServer } from "node:net";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { libsqlDriver } from "../src/drivers/libsql/libsql-driver.ts";
import type { LibsqlHandle } from "../src/drivers/libsql/libsql-handle.ts";
import type { LibsqlDriverOptions } from "../src/drivers/libsql/libsql-options.ts";
import type { Statement } from "../src/drivers/driver.ts";
import { libsqlServer, type LibsqlServer, type Mishap } from "./support/libsql-server.ts";

const INSERT: Statement = { sql: "INSERT INTO t VALUES (1)", params: [] };
const COUNT: Statement = { sql: "SELECT count(*) AS n FROM t", params: [] };

async function remote(
  options: Partial<LibsqlDriverOptions> = {},
): Promise<{ server: LibsqlServer; handle: LibsqlHandle }> {
  const server = await libsqlServer();
  await server.create("acme");
  const handle = await libsqlDriver({ url: server.url, ...options }).open("acme");
  onTestFinished(() => handle.close());
  await handle.exec("CREATE TABLE t (x)");
  server.requests.length = 0;
  return { server, handle };
}

const countOf = async ({ server }: { server: LibsqlServer }): Promise<unknown> =>
  (await (await server.handleOf("acme")).run(COUNT)).rows;

/** The first `times` requests meet it. */
function first(times: number, mishap: Mishap): Mishap {
  let left = times;
  return (request, answer) => (left-- > 0 ? mishap(request, answer) : undefined);
}

const says = (status: number, body = "", headers: Record<string, string> = {}): Mishap => {
  return () => Promise.resolve(new Response(body, { status, headers }));
};

/** The database does it, and its answer is lost. */
const answersWithPage: Mishap = async (_request, answer) => {
  await answer();
  return new Response("<html>Bad gateway</html>", { status: 502, headers: { "content-type": "text/html" } });
};

test("a read goes on after 502s and web pages; what stays so is told", async () => {
  const { server, handle } = await remote();
  server.mishap = first(2, says(502, "<html>", { "content-type": "text/html" }));
  expect((await handle.run(COUNT)).rows).toEqual([{ n: 0 }]);
  expect(server.requests).toHaveLength(3);
  server.mishap = says(200, "<html>Log in</html>", { "content-type": "text/html; charset=utf-8" });
  await expect(handle.run(COUNT)).rejects.toMatchObject({
    code: "DATABASE_UNREACHABLE",
    message: 'The remote database of "acme" answered 200 with a web page.',
    hint: expect.stringContaining("Nothing was changed"),
    retryAfterSeconds: 1,
  });
  server.mishap = says(200, "{", { "content-type": "application/json" });
  await expect(handle.run(COUNT)).rejects.toMatchObject({ code: "DATABASE_UNREACHABLE" });
});

test("SQL that speaks of credentials is SQL all the same", async () => {
  const { handle } = await remote();
  await expect(handle.run({ sql: "SELECT unauthorized FROM t", params: [] })).rejects.toMatchObject({
    code: "SQL_ERROR",
    message: "D1_ERROR: no such column: unauthorized: SQLITE_ERROR",
  });
});

test("a write whose answer is lost is not sent again, and is told as unknown", async () => {
  const made = await remote();
  const { server, handle } = made;
  server.mishap = answersWithPage;
  await expect(handle.run(INSERT)).rejects.toMatchObject({
    code: "OUTCOME_UNKNOWN",
    message: expect.stringContaining("as a whole, or not at all"),
    // Or it would be sent again.
    retryAfterSeconds: undefined,
  });
  await expect(handle.batch([INSERT, INSERT])).rejects.toMatchObject({ code: "OUTCOME_UNKNOWN" });
  await expect(handle.exec("INSERT INTO t VALUES (1)")).rejects.toMatchObject({ code: "OUTCOME_UNKNOWN" });
  expect(server.requests).toHaveLength(3);
  server.mishap = undefined;
  expect(await countOf(made)).toEqual([{ n: 4 }]);
});

test("a commit whose answer is lost is unknown; a statement before it leaves nothing", async () => {
  const made = await remote();
  const { server, handle } = made;
  const transact = (lost: RegExp): Promise<unknown> => {
    server.mishap = (request, answer) =>
      lost.test(server.requests.at(-1)?.body ?? "") ? answersWithPage(request, answer) : undefined;
    return handle.transaction("write", (tx) => tx.run(INSERT));
  };
  await expect(transact(/INSERT/)).rejects.toMatchObject({ code: "DATABASE_UNREACHABLE" });
  await expect(transact(/COMMIT/)).rejects.toMatchObject({ code: "OUTCOME_UNKNOWN" });
  server.mishap = undefined;
  await expect
    .poll(() =>
      handle.run(INSERT).then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
  expect(await countOf(made)).toEqual([{ n: 2 }]);
});

test("a write that was refused with 429 is sent again when Retry-After is over, and only where that is soon", async () => {
  const made = await remote();
  const { server, handle } = made;
  server.mishap = first(1, says(429, "", { "retry-after": "1" }));
  await handle.run(INSERT);
  expect(server.requests).toHaveLength(2);
  server.mishap = says(429, "", { "retry-after": "30" });
  await expect(handle.run(INSERT)).rejects.toMatchObject({
    code: "DATABASE_THROTTLED",
    message: 'The remote database of "acme" answered 429: too many requests.',
    retryAfterSeconds: 30,
  });
  expect(server.requests).toHaveLength(3);
  server.mishap = says(429, "", { "retry-after": new Date(Date.now() + 90_000).toUTCString() });
  const error = (await handle.run(INSERT).catch((thrown: unknown) => thrown)) as {
    retryAfterSeconds: number;
  };
  expect(error.retryAfterSeconds).toBeGreaterThan(80);
  server.mishap = undefined;
  expect(await countOf(made)).toEqual([{ n: 1 }]);
});

test("a remote that is away: nothing was sent, so a write is nothing to worry about", async () => {
  const { server, handle } = await remote({ maxRetries: 1 });
  await server.close();
  for (const call of [() => handle.run(COUNT), () => handle.run(INSERT), () => handle.batch([INSERT])]) {
    await expect(call()).rejects.toMatchObject({
      code: "DATABASE_UNREACHABLE",
      message: 'The remote database of "acme" cannot be reached (ECONNREFUSED).',
    });
  }
  await expect(handle.transaction("write", (tx) => tx.run(INSERT))).rejects.toMatchObject({
    code: "DATABASE_UNREACHABLE",
  });
});

test("a remote that is slow is given up in time, and its connection with it", async () => {
  const { server, handle } = await remote({ requestTimeoutMs: 50, maxRetries: 0 });
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  onTestFinished(() => end());
  server.mishap = async () => {
    await ended;
    return new Response(null, { status: 503 });
  };
  await expect(handle.run(COUNT)).rejects.toMatchObject({
    code: "DATABASE_UNREACHABLE",
    message: 'The remote database of "acme" did not answer within 50 ms.',
  });
  await expect(handle.run(INSERT)).rejects.toMatchObject({ code: "OUTCOME_UNKNOWN" });
});

test("a remote that stops in the midst of its answer is given up as well", async () => {
  const { server, handle } = await remote({ requestTimeoutMs: 100, maxRetries: 0 });
  server.mishap = async () => {
    const head = new TextEncoder().encode('{"baton":null,');
    const body = new ReadableStream({ start: (controller) => controller.enqueue(head) });
    return new Response(body, { headers: { "content-type": "application/json" } });
  };
  await expect(handle.run(COUNT)).rejects.toMatchObject({
    code: "DATABASE_UNREACHABLE",
    message: 'The remote database of "acme" did not answer within 100 ms.',
  });
});

test("a connection that is broken off in the midst: reads go on, writes are unknown", async () => {
  let accepted = 0;
  const rude = createServer((socket) => {
    accepted++;
    socket.once("data", () => socket.destroy());
    socket.on("error", () => {});
  }).listen(0, "127.0.0.1");
  await once(rude, "listening");
  onTestFinished(() => void rude.close());
  const { port } = rude.address() as { port: number };
  const handle = await libsqlDriver({ url: "http://127.0.0.1:1/{tenant}", maxRetries: 2 }).openUrl(
    `http://127.0.0.1:${port}/`,
  );
  await expect(handle.run(INSERT)).rejects.toMatchObject({ code: "OUTCOME_UNKNOWN" });
  expect(accepted).toBe(1);
  await expect(handle.run(COUNT)).rejects.toMatchObject({ code: "DATABASE_UNREACHABLE" });
  expect(accepted).toBe(4);
});

test("a token that ends half-way is asked for anew, once, also within a transaction", async () => {
  const asked: boolean[] = [];
  let current = "one";
  const made = await remote({
    authToken: (name, { renew }) => {
      expect(name).toBe("acme");
      asked.push(renew);
      return current;
    },
  });
  const { server, handle } = made;
  server.token = "one";
  await handle.run(INSERT);
  expect(asked).toEqual([false]);
  await handle.transaction("write", async (tx) => {
    await tx.run(INSERT);
    server.token = current = "two";
    await tx.run(INSERT);
  });
  expect(asked).toEqual([false, true]);
  server.token = "three";
  server.requests.length = 0;
  await expect(handle.run(INSERT)).rejects.toMatchObject({
    code: "DATABASE_REFUSED",
    message: 'The remote database of "acme" answered 401: it refuses our credentials.',
  });
  expect(server.requests).toHaveLength(2);
  expect(await countOf(made)).toEqual([{ n: 3 }]);
});

test("no error, whatever its cause, has a token in it", async () => {
  const secret = "eyJhbGciOiJFZERTQSJ9.secret.signature";
  const { server, handle } = await remote({ authToken: secret });
  server.token = "another";
  const error = await handle.run(COUNT).catch((thrown: unknown) => thrown);
  const { inspect } = await import("node:util");
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(secret);
  expect(() => libsqlDriver({ url: `libsql://{tenant}.example/?authToken=${secret}` })).toThrow(
    /has a token in it/,
  );
  try {
    libsqlDriver({ url: `libsql://{tenant}.example/?authToken=${secret}` });
  } catch (thrown) {
    expect(inspect(thrown)).not.toContain(secret);
  }
});

test("a database that is not there is missing, and never made by being opened", async () => {
  const server = await libsqlServer();
  const driver = libsqlDriver({ url: server.url });
  await expect(driver.open("nobody")).rejects.toMatchObject({ code: "DATABASE_MISSING" });
  expect(await driver.exists("nobody")).toBe(false);
  expect(server.exists("nobody")).toBe(false);
  const files = libsqlDriver({ url: "file:/tmp/tenantry-none/{tenant}.db" });
  await expect(files.open("nobody")).rejects.toMatchObject({ code: "DATABASE_MISSING" });
});

test("an answer over the limit is refused, and what its statement wrote is undone", async () => {
  const made = await remote({ maxAnswerBytes: 20_000 });
  const { handle } = made;
  await expect(handle.run({ sql: "SELECT hex(zeroblob(20000))", params: [] })).rejects.toMatchObject({
    code: "RESPONSE_TOO_LARGE",
  });
  const returning = { sql: "INSERT INTO t VALUES (1), (2), (3) RETURNING x", params: [] };
  await expect(handle.run(returning, { maxRows: 2 })).rejects.toMatchObject({ code: "TOO_MANY_ROWS" });
  await expect(handle.batch([INSERT, COUNT, COUNT], { maxRows: 1 })).rejects.toMatchObject({
    code: "TOO_MANY_ROWS",
  });
  expect(await countOf(made)).toEqual([{ n: 0 }]);
  expect((await handle.run(returning, { maxRows: 3 })).rows).toHaveLength(3);
  await handle.transaction("write", async (tx) => {
    await expect(tx.run(returning, { maxRows: 2 })).rejects.toMatchObject({ code: "TOO_MANY_ROWS" });
    await tx.run(INSERT);
  });
  expect(await countOf(made)).toEqual([{ n: 4 }]);
});
