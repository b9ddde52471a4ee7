// Holds: the administrative API of libSQL's server works on tenants as it does on namespaces there: created, also of a
// dump, forked, configured, measured, deleted; and what is not here is refused rather than left out.
import { mkfifoSync } from "./support/fifo.ts";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createClient } from "@libsql/client";
import Database from "better-sqlite3";
import * as fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { exportSigningKey, generateSigningKey } from "../src/auth/signing-key.ts";
import { issueToken } from "../src/auth/token.ts";
import { byteSizeText, parseByteSize } from "../src/http/byte-size.ts";
import { fetchDump } from "../src/http/dump-source.ts";
import { migrationSet } from "../src/migrations/migration-set.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { type Answer, runningServer, type RunningTestServer } from "./support/running-server.ts";
import { tempFolder } from "./support/temp-folder.ts";

const v1 = (server: RunningTestServer, method: string, path: string, body?: unknown): Promise<Answer> =>
  server.send(method, `/v1/namespaces${path}`, body);

async function created(server: RunningTestServer, namespace: string, body: object = {}): Promise<void> {
  const answer = await v1(server, "POST", `/${namespace}/create`, body);
  expect([answer.status, answer.text]).toEqual([200, ""]);
}

/** That the answer is an error in libSQL's words and ours. */
function expectRefused(answer: Answer, code: string, message: RegExp = /./): void {
  expect(answer.body, answer.text).toMatchObject({ code, message, error: answer.body.message });
}

async function listening(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const DUMP = `PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT);
INSERT INTO notes VALUES(1,'one; two');
COMMIT;
`;

describe("a namespace", () => {
  test("is created, configured as sqld has it, checkpointed and deleted", async () => {
    const server = await runningServer({ tenants: [] });
    const { raw } = await exportSigningKey(await generateSigningKey());
    await created(server, "acme", {
      max_db_size: "5 GB",
      jwt_key: raw,
      txn_timeout_s: 30,
      allow_attach: false,
    });
    expectRefused(await v1(server, "POST", "/acme/create", {}), "TENANT_EXISTS");
    const config = {
      block_reads: false,
      block_writes: false,
      block_reason: null,
      max_db_size: "5 GB",
      heartbeat_url: null,
      jwt_key: raw,
      allow_attach: false,
      txn_timeout_s: 30,
      durability_mode: null,
    };
    expect((await v1(server, "GET", "/acme/config")).body).toEqual(config);
    // what was got can be sent back, changed
    const blocked = { ...config, block_writes: true, block_reason: "unpaid", max_db_size: 1_500_000 };
    expect((await v1(server, "POST", "/acme/config", blocked)).status).toBe(200);
    expect((await v1(server, "GET", "/acme/config")).body).toEqual({ ...blocked, max_db_size: "1500 KB" });
    expect((await server.send("GET", "/admin/tenants/acme")).body).toMatchObject({
      blocked: "writes",
      blockReason: "unpaid",
      maxBytes: 1_500_000,
      transactionTimeoutMs: 30_000,
    });
    // what is left out is taken away, but for the size, as in libSQL's server
    await v1(server, "POST", "/acme/config", { block_reads: true, block_writes: false });
    expect((await v1(server, "GET", "/acme/config")).body).toEqual({
      ...config,
      block_reads: true,
      block_writes: true,
      jwt_key: null,
      txn_timeout_s: null,
      max_db_size: "1500 KB",
    });
    await v1(server, "POST", "/acme/config", { block_reads: false, block_writes: false });
    await server.query("acme", "INSERT INTO customers (name) VALUES ('a')");
    expect((await v1(server, "POST", "/acme/checkpoint")).status).toBe(200);
    expect((await v1(server, "DELETE", "/acme")).status).toBe(200);
    expectRefused(await v1(server, "GET", "/acme/config"), "TENANT_NOT_FOUND");
    expectRefused(await v1(server, "DELETE", "/acme"), "TENANT_NOT_FOUND");
    const { body } = await server.send("GET", "/admin/audit?tenant=acme");
    expect(body.entries.map(({ action }: { action: string }) => action)).toContain("tenant.update");
  });

  test("is forked with what it holds and how it is set, and goes its own way", async () => {
    const server = await runningServer();
    await server.query("acme", "INSERT INTO customers (name) VALUES ('a')", [], { "idempotency-key": "k" });
    await server.send("PATCH", "/admin/tenants/acme", { maxBytes: 1_000_000 });
    expect((await v1(server, "POST", "/acme/fork/other")).status).toBe(200);
    await server.query("other", "INSERT INTO customers (name) VALUES ('b')", [], { "idempotency-key": "k" });
    const names = async (tenant: string) =>
      (await server.send("GET", `/t/${tenant}/rest/customers?select=name`)).body.map(
        (row: { name: string }) => row.name,
      );
    expect(await names("other")).toEqual(["a", "b"]);
    expect(await names("acme")).toEqual(["a"]);
    const record = (id: string) => server.send("GET", `/admin/tenants/${id}`);
    expect((await record("other")).body).toMatchObject({
      maxBytes: 1_000_000,
      schemaVersion: "0001_init.sql",
    });
    expect((await record("other")).body.incarnation).not.toBe((await record("acme")).body.incarnation);
    expectRefused(await v1(server, "POST", "/acme/fork/other"), "TENANT_EXISTS");
    expectRefused(await v1(server, "POST", "/nobody/fork/else"), "TENANT_NOT_FOUND");
    expectRefused(await v1(server, "POST", "/acme/fork/v2"), "INVALID_TENANT_ID");
    expectRefused(
      await v1(server, "POST", "/acme/fork/then", { timestamp: "2026-01-01T00:00:00" }),
      "UNSUPPORTED",
    );
    expect(await server.scratchFiles()).toEqual([]);
  });

  test("is listed with those after it", async () => {
    const server = await runningServer({ tenants: ["acme", "acme-2", "globex"] });
    const first = await v1(server, "GET", "?prefix=acme&limit=1");
    expect(first.body).toMatchObject({
      namespaces: [{ name: "acme", state: "active", block_reads: false, block_writes: false }],
      cursor: expect.any(String),
    });
    const next = await v1(
      server,
      "GET",
      `?prefix=acme&limit=1&cursor=${encodeURIComponent(first.body.cursor)}`,
    );
    expect(next.body).toMatchObject({ namespaces: [{ name: "acme-2" }], cursor: null });
    expectRefused(await v1(server, "GET", "?limit=none"), "INVALID_ARGUMENT");
  });

  test("is not what is not here: that is refused by its name", async () => {
    const server = await runningServer();
    for (const [body, code] of [
      [{ heartbeat_url: "http://127.0.0.1" }, "UNSUPPORTED"],
      [{ bottomless_db_id: "x" }, "UNSUPPORTED"],
      [{ allow_attach: true }, "UNSUPPORTED"],
      [{ max_row_size: 1 }, "UNSUPPORTED"],
      [{ durability_mode: "extra" }, "UNSUPPORTED"],
      [{ shared_schema: true }, "UNSUPPORTED"],
      [{ shared_schema_name: "x" }, "UNSUPPORTED"],
      [{ max_db_size: "large" }, "INVALID_ARGUMENT"],
      [{ max_db_size: -1 }, "INVALID_ARGUMENT"],
      [{ txn_timeout_s: 0 }, "INVALID_ARGUMENT"],
      [{ jwt_key: "none" }, "INVALID_ARGUMENT"],
      [{ nothing: 1 }, "INVALID_ARGUMENT"],
      [[], "INVALID_ARGUMENT"],
    ] as const) {
      expectRefused(await v1(server, "POST", "/new/create", body), code);
      if (Array.isArray(body)) continue;
      const config = { block_reads: false, block_writes: false, ...body };
      expectRefused(await v1(server, "POST", "/acme/config", config), code);
    }
    expectRefused(await v1(server, "POST", "/acme/config", {}), "INVALID_ARGUMENT");
    expectRefused(await v1(server, "DELETE", "/acme", { keep_backup: true }), "UNSUPPORTED");
    expectRefused(await v1(server, "POST", "/V1/create", {}), "INVALID_TENANT_ID");
    expect((await server.send("GET", "/admin/tenants/new")).status).toBe(404);
    await server.expectHealthy();
  });

  test("is never a fault of the server's, whatever the body", async () => {
    const server = await runningServer();
    const keys = [
      "dump_url",
      "max_db_size",
      "jwt_key",
      "txn_timeout_s",
      "baseline",
      "block_reads",
      "block_writes",
      "block_reason",
      "heartbeat_url",
      "allow_attach",
      "timestamp",
      "keep_backup",
      "__proto__",
      "other",
    ];
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom(
        "file:",
        "http://",
        "http://[::1",
        "file:///%00",
        "http://a.invalid:99999/",
        "1e400",
        "PEM",
        "all",
      ),
    );
    const body = fc.oneof(fc.jsonValue(), fc.dictionary(fc.constantFrom(...keys), value));
    const path = fc.constantFrom(
      "/made/create",
      "/acme/config",
      "/acme/fork/copy",
      "/acme%2F/config",
      "/%00/create",
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom("POST", "DELETE"), path, body, async (method, at, sent) => {
        const answer = await v1(server, method, method === "DELETE" ? "/nobody" : at, JSON.stringify(sent));
        expect([answer.status < 500 || answer.status === 501, answer.text]).toEqual([true, answer.text]);
      }),
      { numRuns: 300 },
    );
    await v1(server, "POST", "/acme/config", { block_reads: false, block_writes: false });
    await server.expectHealthy();
  });

  test("is the administrator's alone", async () => {
    const key = await generateSigningKey();
    const server = await runningServer({ tenants: [], app: { publicKeys: [key] } });
    const id = parseTenantId("acme");
    await server.tenantry.lifecycle.create(id);
    const token = async (scope: "schema" | "admin", tenant?: string) => ({
      authorization: `Bearer ${await issueToken({ scope, key, expiresInSeconds: 60, ...(tenant && { tenant }) })}`,
    });
    for (const [method, path] of [
      ["GET", ""],
      ["POST", "/new/create"],
      ["POST", "/acme/fork/new"],
      ["DELETE", "/acme"],
      ["GET", "/acme/config"],
      ["POST", "/acme/config"],
      ["POST", "/acme/checkpoint"],
      ["GET", "/nothing"],
    ] as const) {
      const send = (headers: Record<string, string>) =>
        server.send(method, `/v1/namespaces${path}`, method === "GET" ? undefined : {}, headers);
      expect((await send({})).status).toBe(401);
      expect((await send(await token("schema"))).status).toBe(403);
      expect((await send(await token("schema", "acme"))).status).toBe(403);
      // however the request is routed
      expect((await send({ ...(await token("schema", "acme")), "x-namespace": "acme" })).status).toBe(403);
    }
    const { status } = await server.send("GET", "/v1/namespaces", undefined, await token("admin"));
    expect(status).toBe(200);
    expect((await server.send("GET", "/health")).status).toBe(200);
  });
});

describe("a dump", () => {
  test("moves a tenant from server to server, by HTTP and by file", async () => {
    const [from, to] = [
      await runningServer({ tenantry: { migrations: await migrationSet([]) }, tenants: [] }),
      await runningServer({ tenants: [] }),
    ];
    await created(from, "acme");
    const client = createClient({ url: `${from.url}/t/acme/` });
    await client.executeMultiple(DUMP.split("\n").slice(2, 4).join("\n"));
    client.close();
    await created(to, "acme", { dump_url: `${from.url}/t/acme/dump`, baseline: "all", max_db_size: "10 MB" });
    expect((await to.query("acme", "SELECT body FROM notes")).body.results).toEqual([{ body: "one; two" }]);
    expect((await v1(to, "GET", "/acme/config")).body.max_db_size).toBe("10 MB");

    const dir = await tempFolder();
    writeFileSync(join(dir, "acme.sql"), DUMP);
    await created(from, "by-file", { dump_url: pathToFileURL(join(dir, "acme.sql")).href });
    expect((await from.query("by-file", "SELECT body FROM notes")).body.results).toEqual([
      { body: "one; two" },
    ]);
    // a database itself as well
    const sqlite = new Database(join(dir, "acme.db"));
    sqlite.exec("CREATE TABLE t (a); INSERT INTO t VALUES (7)");
    sqlite.close();
    await created(from, "by-database", { dump_url: pathToFileURL(join(dir, "acme.db")).href });
    expect((await from.query("by-database", "SELECT a FROM t")).body.results).toEqual([{ a: 7 }]);
    const uploaded = await from.send("POST", "/admin/tenants/uploaded/import", DUMP, {
      "content-type": "application/sql",
    });
    expect(uploaded.status, uploaded.text).toBe(201);
    for (const server of [from, to]) expect(await server.scratchFiles()).toEqual([]);
  });

  test("and forks, checkpoints and configuration work the same with executors", async () => {
    const server = await runningServer({ executors: { executors: 1 }, tenants: [] });
    const dir = await tempFolder();
    writeFileSync(join(dir, "acme.sql"), DUMP);
    await created(server, "acme", {
      dump_url: pathToFileURL(join(dir, "acme.sql")).href,
      max_db_size: 200_000,
    });
    const notes = (tenant: string) => server.query(tenant, "SELECT body FROM notes");
    expect((await notes("acme")).body.results).toEqual([{ body: "one; two" }]);
    const fill = await server.query("acme", "INSERT INTO notes (body) VALUES (hex(randomblob(150000)))");
    expect(fill.body).toMatchObject({ code: "DATABASE_FULL" });
    expect((await v1(server, "POST", "/acme/fork/other")).status).toBe(200);
    expect((await notes("other")).body.results).toEqual([{ body: "one; two" }]);
    expect((await v1(server, "POST", "/acme/checkpoint")).status).toBe(200);
    const blocked = { block_reads: false, block_writes: true, block_reason: "unpaid" };
    expect((await v1(server, "POST", "/acme/config", blocked)).status).toBe(200);
    const refused = await server.query("acme", "DELETE FROM notes");
    expect(refused.body).toMatchObject({ code: "TENANT_BLOCKED", message: /unpaid/ });
    writeFileSync(join(dir, "cut.sql"), DUMP.slice(0, -8));
    const cut = await v1(server, "POST", "/cut/create", {
      dump_url: pathToFileURL(join(dir, "cut.sql")).href,
    });
    expectRefused(cut, "IMPORT_INVALID", /cut off/);
    expect((await v1(server, "DELETE", "/acme")).status).toBe(200);
    expect(await server.scratchFiles()).not.toContainEqual(expect.stringMatching(/\.db$/));
  });

  test("that cannot be had, or is none, makes no tenant", async () => {
    const server = await runningServer({ tenants: [], app: { maxImportBytes: 100_000 } });
    const dir = await tempFolder();
    const fileUrl = (name: string, text?: string): string => {
      if (text !== undefined) writeFileSync(join(dir, name), text);
      return pathToFileURL(join(dir, name)).href;
    };
    mkfifoSync(join(dir, "pipe"));
    symlinkSync(join(server.data, "catalog.db"), join(dir, "link"));
    const answers = new Map<string, [number, Record<string, string>, string]>([
      ["/moved", [302, { location: "/whole" }, ""]],
      ["/elsewhere", [307, { location: "http://169.254.169.254/" }, ""]],
      ["/missing", [404, {}, DUMP]],
      ["/large", [200, {}, `${DUMP}-- ${"x".repeat(100_000)}`]],
      ["/cut", [200, { "content-length": "10000" }, DUMP]],
      ["/whole", [200, {}, DUMP]],
    ]);
    const origin = await listening((request, response) => {
      const [status, headers, body] = answers.get(request.url ?? "") ?? [500, {}, ""];
      response.writeHead(status, headers).write(body || " ");
      if (request.url === "/cut") setImmediate(() => response.destroy());
      else response.end();
    });
    const closed = createTcpServer();
    await new Promise<void>((resolve) => {
      closed.listen(0, "127.0.0.1", resolve);
    });
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    for (const [url, code] of [
      ["", "INVALID_ARGUMENT"],
      ["acme.sql", "INVALID_ARGUMENT"],
      ["ftp://127.0.0.1/acme.sql", "INVALID_ARGUMENT"],
      ["data:text/plain,CREATE", "INVALID_ARGUMENT"],
      ["http://user:secret@127.0.0.1/", "INVALID_ARGUMENT"],
      ["http://192.168.1.1/acme.sql", "INVALID_ARGUMENT"],
      ["http://169.254.169.254/latest/meta-data", "INVALID_ARGUMENT"],
      ["http://[::ffff:169.254.169.254]/", "INVALID_ARGUMENT"],
      ["http://[fe80::1]/", "INVALID_ARGUMENT"],
      ["http://0.0.0.0/", "INVALID_ARGUMENT"],
      ["http://0xa9fea9fe/", "INVALID_ARGUMENT"],
      ["file://other/acme.sql", "INVALID_ARGUMENT"],
      [pathToFileURL(join(server.data, "catalog.db")).href, "INVALID_ARGUMENT"],
      [fileUrl("link"), "INVALID_ARGUMENT"],
      [fileUrl("nowhere"), "IMPORT_INVALID"],
      [pathToFileURL(dir).href, "IMPORT_INVALID"],
      [fileUrl("pipe"), "IMPORT_INVALID"],
      ["file:///dev/zero", "IMPORT_INVALID"],
      [fileUrl("secret.txt", "hunter2 is the password;"), "IMPORT_INVALID"],
      [fileUrl("large.sql", `${DUMP}-- ${"x".repeat(100_000)}`), "BODY_TOO_LARGE"],
      [
        fileUrl("grows.sql", "CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(1000000));"),
        "DATABASE_FULL",
      ],
      [`http://127.0.0.1:${port}/`, "IMPORT_INVALID"],
      [`${origin}/moved`, "IMPORT_INVALID"],
      [`${origin}/elsewhere`, "IMPORT_INVALID"],
      [`${origin}/missing`, "IMPORT_INVALID"],
      [`${origin}/large`, "BODY_TOO_LARGE"],
      [`${origin}/cut`, "IMPORT_INVALID"],
    ] as const) {
      const answer = await v1(server, "POST", "/acme/create", { dump_url: url });
      expect(answer.body, url).toMatchObject({ code });
      expect(answer.text).not.toMatch(/hunter2|secret|\/tmp/);
    }
    expect((await server.send("GET", "/admin/tenants?limit=10")).body.tenants).toEqual([]);
    expect(await server.scratchFiles()).toEqual([]);
    await created(server, "acme", { dump_url: `${origin}/whole` });
  });

  test("comes from hosts that are named, by the address that was looked at, in time", async () => {
    const path = join(await tempFolder(), "dump.sql");
    const origin = new URL(await listening(() => {}));
    const get = (url: string, options: object = {}) => fetchDump(url, path, { maxBytes: 1_000, ...options });
    // a name is looked up, and its address is what counts
    origin.hostname = "localhost";
    await expect(get(origin.href, { timeoutMs: 50 })).rejects.toMatchObject({
      code: "IMPORT_INVALID",
      message: /longer than 50 ms/,
    });
    for (const url of [
      "http://10.1.2.3/",
      "http://[fd00::1]/",
      "https://192.168.0.1/",
      "http://100.64.1.1/",
    ]) {
      await expect(get(url, { hosts: ["*"] })).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        message: /not fetched/,
      });
      await expect(get(url, { hosts: ["example.com"] })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
  });
});

test("sizes are read and written as they are", () => {
  for (const [text, bytes] of [
    ["5 GB", 5e9],
    ["5GB", 5e9],
    ["512 MiB", 512 * 1024 ** 2],
    ["1.5k", 1500],
    ["7", 7],
    ["10 b", 10],
    [4096, 4096],
  ] as const) {
    expect(parseByteSize("size", text)).toBe(bytes);
    expect(parseByteSize("size", byteSizeText(bytes))).toBe(bytes);
  }
  expect([1, 1000, 1024, 1_500_000, 1024 ** 3].map(byteSizeText)).toEqual([
    "1 B",
    "1 KB",
    "1 KiB",
    "1500 KB",
    "1 GiB",
  ]);
  for (const bad of ["", "x", "-1", "1 XB", "0", "1e3", "99999999 PB", Number.NaN, 0.5]) {
    expect(() => parseByteSize("size", bad)).toThrow(/is not a size/);
  }
});
