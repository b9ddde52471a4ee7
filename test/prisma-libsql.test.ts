// Owns that Prisma's libSQL adapter, unmodified, works on a tenant: what Prisma's client asks of an adapter is asked of it
// here by hand, since generating that client takes a tool of a hundred megabytes.
import { PrismaLibSql } from "@prisma/adapter-libsql";
import { describe, expect, onTestFinished, test } from "vitest";
import { createApiKey } from "../src/auth/api-key.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { runningServer, type RunningTestServer } from "./support/running-server.ts";

const text = { scalarType: "string", arity: "scalar" } as const;
const int = { scalarType: "int", arity: "scalar" } as const;
const bytes = { scalarType: "bytes", arity: "scalar" } as const;
const big = { scalarType: "bigint", arity: "scalar" } as const;

type Adapter = Awaited<ReturnType<PrismaLibSql["connect"]>>;

async function adapterOf(server: RunningTestServer, options: object = {}): Promise<Adapter> {
  const adapter = await new PrismaLibSql({ url: `${server.url}/t/acme/`, ...options }).connect();
  onTestFinished(() => adapter.dispose());
  return adapter;
}

const query = (sql: string, args: unknown[] = [], argTypes: object[] = []) =>
  ({ sql, args, argTypes }) as never;
const insert = (name: string) =>
  query("INSERT INTO customers (name) VALUES (?) RETURNING id", [name], [text]);
const COUNT = query("SELECT count(*) AS n FROM customers");

describe.each([
  ["in the server's process", undefined],
  ["in an executor", { executors: 1 }],
])("%s", (_, executors) => {
  test("it runs scripts and queries with every type, and gives back what was written", async () => {
    const adapter = await adapterOf(await runningServer({ ...(executors && { executors }) }), {
      intMode: "bigint",
    });
    await adapter.executeScript(
      "CREATE TABLE things (id INTEGER PRIMARY KEY, big BIGINT, photo BLOB, made DATETIME, total REAL); CREATE INDEX by_big ON things (big);",
    );
    const written = await adapter.executeRaw(
      query(
        "INSERT INTO things (big, photo, made, total) VALUES (?, ?, ?, ?)",
        [(2n ** 60n).toString(), new Uint8Array([0, 255]), "2026-01-02T03:04:05.000Z", 1.5],
        [big, bytes, text, int],
      ),
    );
    expect(written).toBe(1);
    const { columnNames, rows } = await adapter.queryRaw(query("SELECT big, photo, made, total FROM things"));
    expect(columnNames).toEqual(["big", "photo", "made", "total"]);
    const [row] = rows;
    expect(String(row?.[0])).toBe(String(2n ** 60n));
    expect([...new Uint8Array(row?.[1] as ArrayBuffer)]).toEqual([0, 255]);
    expect(row?.[3]).toBe(1.5);
  });

  test("its transactions commit, roll back, and keep other writers waiting", async () => {
    const server = await runningServer({ ...(executors && { executors }) });
    const adapter = await adapterOf(server);
    const undone = await adapter.startTransaction();
    expect((await undone.queryRaw(insert("undone"))).rows).toEqual([[1]]);
    expect((await undone.queryRaw(COUNT)).rows).toEqual([[1]]);
    await undone.rollback();
    const kept = await adapter.startTransaction();
    await kept.executeRaw(insert("kept"));
    const other = server.query("acme", "INSERT INTO customers (name) VALUES ('other')");
    await kept.executeRaw(insert("kept, too"));
    await kept.commit();
    expect((await other).status).toBe(200);
    expect((await adapter.queryRaw(COUNT)).rows).toEqual([[3]]);
    await server.expectHealthy();
  });
});

test("it is told what is wrong, and kept to what its key may do", async () => {
  const server = await runningServer();
  const { secret, hash } = await createApiKey();
  await server.tenantry.catalog.addKey({ hash, tenant: parseTenantId("acme"), scope: "read" });
  const reader = await adapterOf(server, { authToken: secret });
  expect((await reader.queryRaw(COUNT)).rows).toEqual([[0]]);
  await expect(reader.executeRaw(insert("a"))).rejects.toMatchObject({
    cause: { originalMessage: /Operation was blocked/ },
  });
  await expect(reader.queryRaw(query("SELECT missing FROM customers"))).rejects.toMatchObject({
    cause: { originalMessage: /no such column: missing/ },
  });
  const stranger = await adapterOf(server, { authToken: `${secret.slice(0, -1)}x` });
  await expect(stranger.queryRaw(COUNT)).rejects.toMatchObject({
    cause: { originalMessage: /incomplete or mistyped/ },
  });
});
