// Interactive transactions in executors: on one process from begin to end, and rolled back with it.
import { expect, test, vi } from "vitest";
import type { TenantDatabase } from "../src/database/tenant-database.ts";
import { ENDLESS } from "./support/endless.ts";
import { executor, sharedServer, tenants, untilServed } from "./support/executor-requests.ts";
import { valueOf } from "./support/running-server.ts";

const shared = sharedServer({
  executors: { executors: 1, statementTimeoutMs: 5_000, maxRssBytes: 1 },
  tenantry: { transactionTimeoutMs: 10_000 },
});

async function tenant(id: string): Promise<TenantDatabase> {
  await tenants(shared.server, id);
  return shared.server.tenantry.database(id);
}

async function names(id: string): Promise<unknown> {
  return valueOf(await shared.server.query(id, "SELECT group_concat(name, ',' ORDER BY id) FROM customers"));
}

function insert(name: string): string {
  return `INSERT INTO customers (name) VALUES ('${name}')`;
}

test("what it did is there when it fulfils, and not when it rejects; its own statements see it before", async () => {
  const db = await tenant("both");
  const inside = await db.transaction("write", async (tx) => {
    await tx.prepare(insert("a")).run();
    await tx.batch([tx.prepare(insert("b")), tx.prepare(insert("c"))]);
    expect(await names("both")).toBe(null);
    return tx.prepare("SELECT count(*) AS n FROM customers").first("n");
  });
  expect(inside).toBe(3);
  expect(await names("both")).toBe("a,b,c");
  const failure = new Error("no");
  const failed = db.transaction("write", async (tx) => {
    await tx.prepare(insert("d")).run();
    throw failure;
  });
  await expect(failed).rejects.toBe(failure);
  expect(await names("both")).toBe("a,b,c");
});

test("one that is left open is rolled back at its time limit, and holds nobody up after that", async () => {
  const db = await tenant("left");
  const left = db.transaction(
    "write",
    async (tx) => {
      await tx.prepare(insert("a")).run();
      return new Promise<never>(() => {});
    },
    { timeoutMs: 300 },
  );
  await expect(left).rejects.toMatchObject({ code: "TRANSACTION_TIMEOUT" });
  await db.prepare(insert("b")).run();
  expect(await names("left")).toBe("b");
  let late: unknown;
  const over = Promise.withResolvers<void>();
  const outlived = db.transaction(
    "write",
    async (tx) => {
      await over.promise;
      late = await tx
        .prepare(insert("c"))
        .run()
        .catch((error: unknown) => error);
    },
    { timeoutMs: 200 },
  );
  await expect(outlived).rejects.toMatchObject({ code: "TRANSACTION_TIMEOUT" });
  over.resolve();
  await vi.waitFor(() => expect(late).toMatchObject({ code: "TRANSACTION_CLOSED" }));
  expect(await names("left")).toBe("b");
});

test("it is rolled back when its executor is killed, and says so; what it does then fails", async () => {
  const { server } = shared;
  const db = await tenant("killed");
  let after: unknown;
  const killed = db.transaction("write", async (tx) => {
    await tx.prepare(insert("a")).run();
    process.kill(executor(server).pid!, "SIGKILL");
    await vi.waitUntil(() => after !== undefined || true);
    after = await tx
      .prepare(insert("b"))
      .run()
      .catch((error: unknown) => error);
    await new Promise((resolve) => setTimeout(resolve, 100));
    after = await tx
      .prepare(insert("c"))
      .run()
      .catch((error: unknown) => error);
    return "done";
  });
  await expect(killed).rejects.toMatchObject({
    code: expect.stringMatching(/EXECUTOR_FAILED|OUTCOME_UNKNOWN/),
  });
  await untilServed(server, "killed");
  expect(await names("killed")).toBe(null);
  await vi.waitFor(() => expect(after).toMatchObject({ code: "OUTCOME_UNKNOWN" }));
  expect(executor(server)).toMatchObject({ running: 0 });
  // And there is another one at once.
  await db.transaction("write", async (tx) => void (await tx.prepare(insert("d")).run()));
  expect(await names("killed")).toBe("d");
});

test("a statement of it that does not end costs it its executor, and says why", async () => {
  const { server } = shared;
  const db = await tenant("endless");
  await server.send("PATCH", "/admin/tenants/endless", { statementTimeoutMs: 500 });
  const { kills } = server.pool!.stats();
  const endless = db.transaction("write", async (tx) => {
    await tx.prepare(insert("a")).run();
    await tx.prepare(ENDLESS).run();
  });
  await expect(endless).rejects.toMatchObject({ code: "STATEMENT_TIMEOUT" });
  expect(server.pool!.stats().kills).toBe(kills + 1);
  await untilServed(server, "endless");
  expect(await names("endless")).toBe(null);
});

test("it survives the replacement of its executor", async () => {
  const { server } = shared;
  const db = await tenant("recycled");
  const { recycles } = server.pool!.stats();
  await db.transaction("write", async (tx) => {
    await tx.prepare(insert("a")).run();
    const { pid } = executor(server);
    // Every executor is larger than this pool allows: it is replaced as soon as it is old enough.
    await vi.waitFor(() => expect(executor(server).pid).not.toBe(pid), { timeout: 15_000 });
    await tx.prepare(insert("b")).run();
    await untilServed(server, "recycled");
  });
  expect(server.pool!.stats().recycles).toBeGreaterThan(recycles);
  expect(await names("recycled")).toBe("a,b");
});
