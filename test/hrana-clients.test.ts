// Owns that unmodified libSQL clients work on a tenant: @libsql/client over HTTP and over WebSocket,
// @tursodatabase/serverless, the native client, and drizzle's libSQL driver with its migrator. What the protocol says in detail is hrana-pipeline.test.ts's.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createClient } from "@libsql/client";
import { connect } from "@tursodatabase/serverless";
import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/libsql";
import { migrate } from "drizzle-orm/libsql/migrator";
import { int, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { createApiKey } from "../src/auth/api-key.ts";
import { listen } from "../src/http/listen.ts";
import type { TenantryOptions } from "../src/tenantry-options.ts";
import { runningServer, type RunningTestServer } from "./support/running-server.ts";

const EXECUTORS = { executors: 1, statementTimeoutMs: 50_000 };

describe.each([
  ["in the server's process", undefined, "http"],
  ["in an executor", EXECUTORS, "http"],
  ["in the server's process, over a WebSocket", undefined, "ws"],
  ["in an executor, over a WebSocket", EXECUTORS, "ws"],
] as const)("%s", (_, executors, scheme) => {
  const serve = (tenantry: Partial<TenantryOptions> = {}): Promise<RunningTestServer> =>
    runningServer({ tenantry, ...(executors && { executors }) });

  const libsql = (server: RunningTestServer, options: object = {}): ReturnType<typeof createClient> => {
    const client = createClient({ url: `${scheme}://127.0.0.1:${server.port}/t/acme/`, ...options });
    onTestFinished(() => client.close());
    return client;
  };

  test("@libsql/client executes, with arguments of every kind, and reads what it wrote", async () => {
    const client = libsql(await serve(), { intMode: "bigint" });
    await client.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v ANY, b BLOB) STRICT");
    const blob = new Uint8Array([0, 1, 254, 255, 7]);
    const inserted = await client.execute({
      sql: "INSERT INTO t (v, b) VALUES (?, ?)",
      args: [2n ** 62n, blob],
    });
    expect(inserted).toMatchObject({ rowsAffected: 1, lastInsertRowid: 1n });
    await client.execute({ sql: "INSERT INTO t (v, b) VALUES (:v, $b)", args: { v: "tëxt", b: null } });
    const { columns, columnTypes, rows } = await client.execute("SELECT * FROM t ORDER BY id");
    expect(columns).toEqual(["id", "v", "b"]);
    expect(columnTypes).toEqual(["INTEGER", "ANY", "BLOB"]);
    expect(rows.map((row) => [row["id"], row["v"], row["b"]])).toEqual([
      [1n, 2n ** 62n, blob.buffer],
      [2n, "tëxt", null],
    ]);
    await expect(client.execute("INSERT INTO t (id) VALUES (1)")).rejects.toMatchObject({
      code: "SQLITE_CONSTRAINT",
      message: /UNIQUE constraint failed: t.id/,
    });
    await expect(client.execute("SELEC 1")).rejects.toMatchObject({ code: "SQL_PARSE_ERROR" });
  });

  test("@libsql/client batches are atomic, and its scripts run", async () => {
    const client = libsql(await serve());
    await client.executeMultiple("CREATE TABLE t (v UNIQUE); INSERT INTO t VALUES ('script;');");
    for (const mode of ["write", "deferred"] as const) {
      await expect(
        client.batch(["INSERT INTO t VALUES ('kept?')", "INSERT INTO t VALUES ('script;')"], mode),
      ).rejects.toMatchObject({ code: "SQLITE_CONSTRAINT", statementIndex: 1 });
      const [inserted, read] = await client.batch(
        [{ sql: "INSERT INTO t VALUES (?)", args: [mode] }, "SELECT count(*) AS n FROM t WHERE v = 'kept?'"],
        mode,
      );
      expect(inserted?.rowsAffected).toBe(1);
      expect(read?.rows[0]?.["n"]).toBe(0);
    }
    expect((await client.batch(["SELECT count(*) AS n FROM t"], "read"))[0]?.rows[0]?.["n"]).toBe(3);
    await expect(client.batch(["INSERT INTO t VALUES (1)", "SELEC"], "write")).rejects.toThrow();
  });

  test("a client that holds a transaction and another that writes do not stop each other", async () => {
    // a slow machine must not end what is looked at
    const server = await serve({ transactionTimeoutMs: 50_000, busyTimeoutMs: 50_000 });
    const one = libsql(server);
    // more than an executor takes at once: the commit must not wait behind them
    const other = libsql(server, { concurrency: 100 });
    const count = async () => (await one.execute("SELECT count(*) AS n FROM customers")).rows[0]?.["n"];
    const transaction = await one.transaction("write");
    await transaction.execute("INSERT INTO customers (name) VALUES ('one')");
    expect(await count()).toBe(0);
    const waiting = Array.from({ length: 100 }, () =>
      other.execute("INSERT INTO customers (name) VALUES ('other')"),
    );
    const { pool } = server;
    // a socket of its own has fewer at once
    if (pool && scheme === "http")
      await vi.waitFor(() => expect(pool.stats().executors[0]?.waiting).toBeGreaterThan(0), {
        timeout: 30_000,
      });
    await transaction.batch(["INSERT INTO customers (name) VALUES ('one again')"]);
    await transaction.commit();
    await Promise.all(waiting);
    expect(await count()).toBe(102);

    const undone = await one.transaction("deferred");
    await undone.execute("INSERT INTO customers (name) VALUES ('undone')");
    await undone.executeMultiple("DELETE FROM customers; SELECT 1");
    await undone.rollback();
    expect(await count()).toBe(102);
    await server.expectHealthy();
  });

  test("@libsql/client migrates past foreign keys, and they hold afterwards", async () => {
    const client = libsql(await serve());
    await client.migrate([
      "CREATE TABLE parents (id INTEGER PRIMARY KEY)",
      "CREATE TABLE children (parent REFERENCES parents (id))",
      "INSERT INTO children VALUES (7)",
    ]);
    await expect(client.execute("INSERT INTO children VALUES (8)")).rejects.toMatchObject({
      code: "SQLITE_CONSTRAINT",
    });
  });

  test("@libsql/client is told what is wrong with its URL or its credentials", async () => {
    const server = await serve();
    const wrong = createClient({ url: `${server.url}/t/acme` });
    await expect(wrong.execute("SELECT 1")).rejects.toThrow(/End the database URL with a slash/);
    const nobody = createClient({ url: `${scheme}://127.0.0.1:${server.port}/t/nobody/` });
    await expect(nobody.execute("SELECT 1")).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" });
    const { secret, hash } = await createApiKey();
    await server.tenantry.catalog.addKey({
      hash,
      tenant: "acme",
      scope: "read",
      label: "reader",
      expiresAt: null,
    } as never);
    await expect(libsql(server).execute("SELECT 1")).rejects.toMatchObject({ code: "AUTH_JWT_MISSING" });
    const reader = libsql(server, { authToken: secret });
    await reader.execute("SELECT 1");
    await expect(reader.execute("DELETE FROM customers RETURNING id")).rejects.toMatchObject({
      code: "BLOCKED",
    });
  });

  test.skipIf(scheme === "ws")(
    "@tursodatabase/serverless prepares, iterates, batches and keeps its stream",
    async () => {
      const server = await serve();
      const db = connect({ url: `${server.url}/t/acme` });
      onTestFinished(() => db.close());
      await db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t (v) VALUES ('a'), ('b')");
      const select = await db.prepare("SELECT * FROM t WHERE id >= ? ORDER BY id");
      expect(await select.all([1])).toEqual([
        { id: 1, v: "a" },
        { id: 2, v: "b" },
      ]);
      expect(await select.get([2])).toEqual({ id: 2, v: "b" });
      const insert = await db.prepare("INSERT INTO t (v) VALUES (?)");
      expect(await insert.run(["c"])).toMatchObject({ changes: 1, lastInsertRowid: 3 });
      await db.batch(["INSERT INTO t (v) VALUES ('d')", "INSERT INTO t (v) VALUES ('e')"]);
      const rows: unknown[] = [];
      for await (const row of select.iterate([4])) rows.push(row);
      expect(rows).toHaveLength(2);
      await expect(db.exec("INSERT INTO t (id) VALUES (1)")).rejects.toThrow(/UNIQUE constraint failed/);
      const move = db.transaction(async (fail: boolean) => {
        await db.exec("DELETE FROM t");
        if (fail) throw new Error("no");
      });
      await expect(move(true)).rejects.toThrow("no");
      expect((await select.all([1])).length).toBe(5);
      await move(false);
      expect((await select.all([1])).length).toBe(0);
    },
  );

  test("drizzle migrates, writes, reads and runs transactions", async () => {
    const users = sqliteTable("users", {
      id: int().primaryKey({ autoIncrement: true }),
      name: text().notNull(),
      email: text().notNull().unique(),
    });
    const client = libsql(await serve());
    const db = drizzle(client, { schema: { users } });
    const migrationsFolder = new URL("./fixtures/migrations-drizzle", import.meta.url).pathname;
    await migrate(db, { migrationsFolder });
    await migrate(db, { migrationsFolder });
    const tables = await client.execute(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE '\\_\\_drizzle%' ESCAPE '\\'",
    );
    expect(tables.rows.map((row) => row["name"])).toEqual(["__drizzle_migrations"]);

    await client.execute("DROP TABLE IF EXISTS users");
    await client.execute(
      "CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE)",
    );
    await db.insert(users).values([
      { name: "Ada", email: "ada@example.com" },
      { name: "Bob", email: "bob@example.com" },
    ]);
    await db.transaction(async (tx) => {
      await tx.update(users).set({ name: "Augusta" }).where(eq(users.email, "ada@example.com"));
      expect(await tx.query.users.findFirst({ where: eq(users.name, "Augusta") })).toMatchObject({ id: 1 });
    });
    await expect(
      db.transaction(async (tx) => {
        await tx.delete(users);
        tx.rollback();
      }),
    ).rejects.toThrow();
    expect(await db.select({ name: users.name }).from(users)).toEqual([{ name: "Augusta" }, { name: "Bob" }]);
  });
});

test.each(["http", "ws"])(
  "kill -9 of an executor, over %s: a transaction is lost with a word about it, and its client goes on",
  async (scheme) => {
    const server = await runningServer({ executors: EXECUTORS });
    const client = createClient({ url: `${scheme}://127.0.0.1:${server.port}/t/acme/` });
    onTestFinished(() => client.close());
    const transaction = await client.transaction("write");
    await transaction.execute("INSERT INTO customers (name) VALUES ('lost')");
    const pid = server.pool?.stats().executors[0]?.pid;
    if (pid === undefined) throw new Error("no executor runs");
    process.kill(pid, "SIGKILL");
    await expect(transaction.commit()).rejects.toMatchObject({
      code: expect.stringMatching(/^(?:STREAM_EXPIRED|OUTCOME_UNKNOWN)$/),
    });
    expect((await client.execute("SELECT count(*) AS n FROM customers")).rows[0]?.["n"]).toBe(0);
    await client.batch(["INSERT INTO customers (name) VALUES ('kept')"], "write");
    const next = await client.transaction("write");
    await next.execute("DELETE FROM customers");
    await next.commit();
  },
);

test("@libsql/client goes on by itself on a new socket when its old one was closed", async () => {
  const server = await runningServer();
  const client = createClient({ url: `ws://127.0.0.1:${server.port}/t/acme` });
  onTestFinished(() => client.close());
  await client.execute("SELECT 1");
  const transaction = await client.transaction("read");
  await server.stop(0);
  await expect(transaction.commit()).rejects.toMatchObject({ code: "TRANSACTION_CLOSED" });
  const { hono, sockets } = server.tenantry.app();
  const again = await listen(hono.fetch, { port: server.port, sockets });
  expect((await client.execute("SELECT 42 AS x")).rows[0]?.["x"]).toBe(42);
  client.close();
  await again.close(0);
});

test("the native client, which names no content type, writes, transacts and reads; with a key and by executors too", async () => {
  const program = fileURLToPath(new URL("./fixtures/native-libsql-client.mjs", import.meta.url));
  const { secret, hash: adminKeyHash } = await createApiKey();
  for (const [keyed, options] of [
    [false, {}],
    [true, { app: { adminKeyHash } }],
    [false, { executors: { executors: 1 } }],
  ] as const) {
    const server = await runningServer({ tenants: [], ...options });
    await server.send(
      "POST",
      "/admin/tenants",
      { id: "native" },
      keyed ? { authorization: `Bearer ${secret}` } : {},
    );
    const args = [program, `${server.url}/t/native/`, ...(keyed ? [secret] : [])];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    expect(JSON.parse(stdout)).toEqual({
      changes: 1,
      lastInsertRowid: 1,
      rows: [
        { id: 1, v: "tëxt" },
        { id: 2, v: 2.5 },
      ],
    });
  }
});
