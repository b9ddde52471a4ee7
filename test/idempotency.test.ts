// Writes that are sent again: done once, and answered each time the same.
import { describe, expect, test } from "vitest";
import { IDEMPOTENCY_KEPT_MS } from "../src/http/idempotency.ts";
import { executor, sharedServer, tenants, untilRunning, untilServed } from "./support/executor-requests.ts";
import { OtherProcess } from "./support/other-process.ts";
import {
  type Answer,
  expectError,
  type RunningTestServer,
  runningServer,
  valueOf,
} from "./support/running-server.ts";

const INSERT = { sql: "INSERT INTO customers (name) VALUES (?) RETURNING id, name", params: ["a"] };

function key(name: string): { "idempotency-key": string } {
  return { "idempotency-key": name };
}

async function count(server: RunningTestServer, tenant: string): Promise<unknown> {
  return valueOf(await server.query(tenant, "SELECT count(*) FROM customers"));
}

function replayed(answer: Answer): boolean {
  return answer.headers.get("idempotency-replayed") === "true";
}

/** Ages the answers that were kept. */
async function age(server: RunningTestServer, tenant: string, ms: number): Promise<void> {
  await server.tenantry.withSqlite(tenant, (sqlite) => {
    sqlite.prepare("UPDATE _tenantry_idempotency SET at = at - ?").run(ms);
  });
}

describe.for([
  ["in this process", undefined],
  ["in an executor", { executors: 1 }],
] as const)("%s", ([, executors]) => {
  const shared = sharedServer({ ...(executors && { executors }), app: { maxBodyBytes: 100_000 } });

  test.for([
    ["a query", "/query", INSERT],
    ["a batch", "/batch", [INSERT, INSERT]],
    ["rows", "/rest/customers", [{ name: "a" }]],
  ] as const)(
    "%s with one key, many times at once, is done once, to the byte",
    async ([what, path, body]) => {
      const { server } = shared;
      const tenant = `once-${what.replace(" ", "-")}`;
      await tenants(server, tenant);
      const headers = { ...key("k"), prefer: "return=representation" };
      const send = (): Promise<Answer> => server.send("POST", `/t/${tenant}${path}`, body, headers);
      const answers = [...(await Promise.all(Array.from({ length: 12 }, send))), await send()];
      const [first] = answers;
      expect(first!.status).toBe(path === "/rest/customers" ? 201 : 200);
      expect(answers.filter((answer) => !replayed(answer))).toHaveLength(1);
      for (const answer of answers) {
        expect(answer.text).toBe(first!.text);
        expect(answer.status).toBe(first!.status);
        expect(answer.headers.get("content-type")).toBe(first!.headers.get("content-type"));
      }
      expect(await count(server, tenant)).toBe(path === "/batch" ? 2 : 1);
    },
  );

  test("answers without a body and changes of the schema are repeated, too", async () => {
    const { server } = shared;
    await tenants(server, "others");
    const twice = async (...request: Parameters<typeof server.send>): Promise<Answer[]> => [
      await server.send(...request),
      await server.send(...request),
    ];
    const created = await twice("POST", "/t/others/rest/customers", { name: "a" }, key("1"));
    expect(created.map(({ status, text }) => [status, text])).toEqual([
      [201, ""],
      [201, ""],
    ]);
    const patched = await twice("PATCH", "/t/others/rest/customers?name=eq.a", { name: "b" }, key("2"));
    expect(patched.map(({ status }) => status)).toEqual([204, 204]);
    expect(patched.map(replayed)).toEqual([false, true]);
    const removed = await twice("DELETE", "/t/others/rest/customers?name=eq.b", undefined, key("3"));
    expect(removed.map(({ status }) => status)).toEqual([204, 204]);
    const table = await twice("POST", "/t/others/query", { sql: "CREATE TABLE t (v)" }, key("4"));
    expect(table.map(({ status }) => status)).toEqual([200, 200]);
    expect(await count(server, "others")).toBe(0);
  });

  test("another request with the same key is a mistake; the same one over another route is not", async () => {
    const { server } = shared;
    await tenants(server, "mistake");
    const first = await server.send("POST", "/t/mistake/query", INSERT, key("k"));
    const other = { ...INSERT, params: ["b"] };
    expectError(await server.send("POST", "/t/mistake/query", other, key("k")), "IDEMPOTENCY_MISMATCH");
    expectError(await server.send("POST", "/t/mistake/batch", [INSERT], key("k")), "IDEMPOTENCY_MISMATCH");
    const again = await server.send("POST", "/query", INSERT, { ...key("k"), "x-tenant-id": "mistake" });
    expect(again.text).toBe(first.text);
    expect(replayed(again)).toBe(true);
    expect(await count(server, "mistake")).toBe(1);
  });

  test("keys belong to a tenant", async () => {
    const { server } = shared;
    await tenants(server, "mine", "yours");
    for (const tenant of ["mine", "yours"]) {
      expect(replayed(await server.send("POST", `/t/${tenant}/query`, INSERT, key("k")))).toBe(false);
      expect(await count(server, tenant)).toBe(1);
    }
  });

  test("an error is not kept, and nothing of its request is", async () => {
    const { server } = shared;
    await tenants(server, "errors");
    const insert = { sql: "INSERT INTO customers (id, name) VALUES (1, 'a')", params: [] };
    await server.send("POST", "/t/errors/query", insert);
    expect((await server.send("POST", "/t/errors/query", insert, key("k"))).status).toBe(409);
    const batch = [{ sql: "INSERT INTO customers (name) VALUES ('b')" }, insert];
    expect((await server.send("POST", "/t/errors/batch", batch, key("l"))).status).toBe(409);
    expect(await count(server, "errors")).toBe(1);
    await server.query("errors", "DELETE FROM customers");
    const second = await server.send("POST", "/t/errors/query", insert, key("k"));
    expect(second.status).toBe(200);
    expect(replayed(second)).toBe(false);
  });

  test("a key is free again after a day, and old answers are removed", async () => {
    const { server } = shared;
    await tenants(server, "expiry");
    const send = (name: string): Promise<Answer> => server.send("POST", "/t/expiry/query", INSERT, key(name));
    for (let n = 0; n < 5; n++) await send(`old ${n}`);
    await send("k");
    await age(server, "expiry", IDEMPOTENCY_KEPT_MS - 60_000);
    expect(replayed(await send("k"))).toBe(true);
    await age(server, "expiry", 60_001);
    expect(replayed(await send("k"))).toBe(false);
    expect(await count(server, "expiry")).toBe(7);
    const kept = await server.query("expiry", "SELECT key FROM _tenantry_idempotency");
    expect(kept.body.results).toEqual([{ key: "k" }]);
  });

  test("bad keys and bodies over the limit are refused before anything is done", async () => {
    const { server } = shared;
    await tenants(server, "refused");
    for (const bad of ["", "x".repeat(256)]) {
      expectError(await server.send("POST", "/t/refused/query", INSERT, key(bad)), "INVALID_ARGUMENT");
    }
    expect((await server.send("POST", "/t/refused/query", INSERT, key("x".repeat(255)))).status).toBe(200);
    const chunk = new TextEncoder().encode("x".repeat(30_000));
    const endless = await fetch(`${server.url}/t/refused/query`, {
      method: "POST",
      headers: { "content-type": "application/json", ...key("big") },
      body: new ReadableStream({
        start: (c) => {
          for (let n = 0; n < 5; n++) c.enqueue(chunk);
          c.close();
        },
      }),
      duplex: "half",
    } as RequestInit);
    expect(endless.status).toBe(413);
    const chunked = await fetch(`${server.url}/t/refused/query`, {
      method: "POST",
      headers: { "content-type": "application/json", ...key("chunked") },
      body: new Blob([JSON.stringify(INSERT)]).stream(),
      duplex: "half",
    } as RequestInit);
    expect(chunked.status).toBe(200);
    expect(await count(server, "refused")).toBe(2);
  });

  test("what was kept is nobody's to change, and reads keep nothing", async () => {
    const { server } = shared;
    await tenants(server, "kept");
    expect((await server.send("GET", "/t/kept/rest/customers", undefined, key("k"))).status).toBe(200);
    const tables = "SELECT name FROM sqlite_schema WHERE name = '_tenantry_idempotency'";
    expect((await server.query("kept", tables)).body.results).toEqual([]);
    await server.send("POST", "/t/kept/query", INSERT, key("k"));
    expect((await server.query("kept", tables)).body.results).toHaveLength(1);
    expectError(await server.query("kept", "DELETE FROM _tenantry_idempotency"), "SQL_REFUSED");
  });

  test("a write that waits for another process is done once, although it is sent again meanwhile", async () => {
    const { server } = shared;
    await tenants(server, "waiting");
    await untilServed(server, "waiting");
    const other = new OtherProcess(server.data);
    await other.do("lock", server.tenantry.driver.files!.pathOf("waiting"));
    const send = (): Promise<Answer> => server.send("POST", "/t/waiting/query", INSERT, key("k"));
    const both = Promise.all([send(), send()]);
    await other.do("unlock");
    const [first, second] = await both;
    expect(second.text).toBe(first.text);
    expect(await count(server, "waiting")).toBe(1);
  });
});

describe("killed executors", () => {
  const shared = sharedServer({ executors: { executors: 1 } });

  test("a keyed write whose executor is killed is answered all the same, and done once", async () => {
    const { server } = shared;
    await tenants(server, "killed");
    await untilServed(server, "killed");
    const other = new OtherProcess(server.data);
    await other.do("lock", server.tenantry.driver.files!.pathOf("killed"));
    const writes = Array.from({ length: 5 }, (_, n) =>
      server.send("POST", "/t/killed/query", INSERT, key(String(n))),
    );
    await untilRunning(server, 5);
    process.kill(executor(server).pid!, "SIGKILL");
    await other.do("unlock");
    for (const answer of await Promise.all(writes)) expect(answer.status, answer.text).toBe(200);
    expect(await count(server, "killed")).toBe(5);
    for (let n = 0; n < 5; n++) {
      expect(replayed(await server.send("POST", "/t/killed/query", INSERT, key(String(n))))).toBe(true);
    }
    expect(await count(server, "killed")).toBe(5);
  });

  test("a pipeline is not run twice for a key that it does not know", async () => {
    const { server } = shared;
    await tenants(server, "pipeline");
    await untilServed(server, "pipeline");
    const other = new OtherProcess(server.data);
    await other.do("lock", server.tenantry.driver.files!.pathOf("pipeline"));
    const stmt = { sql: "INSERT INTO customers (name) VALUES ('a')" };
    const body = { baton: null, requests: [{ type: "execute", stmt }, { type: "close" }] };
    const write = server.send("POST", "/t/pipeline/v2/pipeline", body, key("k"));
    await untilRunning(server, 1);
    process.kill(executor(server).pid!, "SIGKILL");
    const lost = await write;
    expectError(lost, "OUTCOME_UNKNOWN");
    expect(lost.headers.get("retry-after")).toBeNull();
    await other.do("unlock");
    await untilServed(server, "pipeline");
    expect(await count(server, "pipeline")).toBe(0);
  });
});

test("who may only read keeps nothing, and gets what he may have", async () => {
  const server = await runningServer();
  const make = async (body: object, headers = {}): Promise<{ authorization: string }> => {
    const { body: made } = await server.send("POST", "/admin/keys", body, headers);
    return { authorization: `Bearer ${(made as { secret: string }).secret}` };
  };
  const admin = await make({ scope: "admin" });
  const reader = { ...(await make({ scope: "read", tenant: "acme" }, admin)), ...key("k") };
  const select = { sql: "SELECT 1 AS one", params: [] };
  for (let n = 0; n < 2; n++) {
    const answer = await server.send("POST", "/t/acme/query", select, reader);
    expect(answer.body.results).toEqual([{ one: 1 }]);
    expect(replayed(answer)).toBe(false);
  }
  expectError(await server.send("POST", "/t/acme/query", INSERT, reader), "FORBIDDEN");
  const tables = await server.query(
    "acme",
    "SELECT name FROM sqlite_schema WHERE name LIKE '_tenantry%'",
    [],
    admin,
  );
  expect(tables.body.results).toEqual([]);
});
