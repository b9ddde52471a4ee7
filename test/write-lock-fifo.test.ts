// Holds writers of one database to their line, in which nobody of this process meets SQLITE_BUSY.
import { expect, test } from "vitest";
import { turn } from "./support/counting-handles.ts";
import { insert, tempDatabase, valuesOf } from "./support/temp-database.ts";

test("those who write while a transaction is open follow it, in the order in which they came", async () => {
  const handle = await tempDatabase({ busyTimeoutMs: 60_000 });
  const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const first = handle.transaction("write", async (tx) => {
    await tx.run(insert(1));
    begin();
    await mayEnd;
    await tx.run(insert(2));
  });
  await begun;
  const writes = [
    () => handle.run(insert(3)),
    () => handle.batch([insert(4), insert(5)]),
    () => handle.transaction("write", (tx) => tx.run(insert(6))),
    () => handle.exec("INSERT INTO t (v) VALUES (7)"),
    () => handle.withSqlite((sqlite) => sqlite.exec("INSERT INTO t (v) VALUES (8)")),
  ];
  const others: Promise<unknown>[] = [];
  for (const write of writes) {
    others.push(write());
    await turn();
  }
  expect(await valuesOf(handle)).toEqual([]);
  end();
  await Promise.all([first, ...others]);
  expect(await valuesOf(handle)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});

test("who has waited too long for a transaction is told so", async () => {
  const handle = await tempDatabase({ busyTimeoutMs: 5 });
  const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const first = handle.transaction("write", async (tx) => {
    await tx.run(insert("kept"));
    begin();
    await mayEnd;
  });
  await begun;
  const busy = { code: "DATABASE_BUSY", retryAfterSeconds: 1 };
  await expect(handle.run(insert("no"))).rejects.toMatchObject(busy);
  await expect(handle.transaction("write", async () => "no")).rejects.toMatchObject(busy);
  await expect(handle.withSqlite(() => "no")).rejects.toMatchObject(busy);
  end();
  await first;
  expect(await valuesOf(handle)).toEqual(["kept"]);
});

test("a write that is refused for who may only read does not wait for a writer", async () => {
  const handle = await tempDatabase({ busyTimeoutMs: 60_000 });
  await handle.transaction("write", async () => {
    const refused = { code: "READ_ONLY" };
    await expect(handle.run(insert("no"), { readOnly: true })).rejects.toMatchObject(refused);
    await expect(handle.batch([insert("no")], { readOnly: true })).rejects.toMatchObject(refused);
  });
});

test("a hundred increments at once, half of them read and then written, lose none", async () => {
  const handle = await tempDatabase({ busyTimeoutMs: 60_000 });
  await handle.run(insert(0));
  const read = { sql: "SELECT v FROM t", params: [] };
  const write = (v: number) => ({ sql: "UPDATE t SET v = ?", params: [v] });
  await Promise.all(
    Array.from({ length: 100 }, (_, n) =>
      n % 2 === 0
        ? handle.run({ sql: "UPDATE t SET v = v + 1", params: [] })
        : handle.transaction("write", async (tx) => {
            const { rows } = await tx.run(read, { rows: "arrays" });
            await turn();
            await tx.run(write(Number((rows as number[][])[0]?.[0]) + 1));
          }),
    ),
  );
  expect(await valuesOf(handle)).toEqual([100]);
});

test("no more connections are opened than maxSessions, and spare ones are used again", async () => {
  const handle = await tempDatabase({ maxSessions: 2, busyTimeoutMs: 60_000 });
  let open = 0;
  let most = 0;
  await Promise.all(
    Array.from({ length: 20 }, () =>
      handle.transaction("read", async (tx) => {
        most = Math.max(most, ++open);
        await tx.run({ sql: "SELECT 1", params: [] });
        await turn();
        open--;
      }),
    ),
  );
  expect(most).toBe(2);
});
