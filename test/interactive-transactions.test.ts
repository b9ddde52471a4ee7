// Holds interactive transactions to all or nothing, whatever their function does.
import { expect, test } from "vitest";
import { insert, tempDatabase, valuesOf } from "./support/temp-database.ts";

const NEVER = new Promise<never>(() => {});

test("commits when the function fulfils, and gives what it gave", async () => {
  const handle = await tempDatabase();
  const given = await handle.transaction("write", async (tx) => {
    await tx.run(insert("a"));
    await tx.batch([insert("b"), insert("c")]);
    return "given";
  });
  expect(given).toBe("given");
  expect(await valuesOf(handle)).toEqual(["a", "b", "c"]);
});

test.for([
  [
    "at once",
    () => {
      throw new Error("no");
    },
  ],
  [
    "later",
    async () => {
      throw new Error("no");
    },
  ],
] as const)("rolls back when the function throws %s", async ([, fails]) => {
  const handle = await tempDatabase();
  const failed = handle.transaction("write", (tx) => tx.run(insert("a")).then(fails));
  await expect(failed).rejects.toThrow("no");
  await expect(handle.transaction("write", fails)).rejects.toThrow("no");
  expect(await valuesOf(handle)).toEqual([]);
  await handle.run(insert("b"));
});

test("nobody else sees its rows before its commit, and readers go on", async () => {
  const handle = await tempDatabase();
  await handle.transaction("write", async (tx) => {
    await tx.run(insert("a"));
    expect(await valuesOf(tx as typeof handle)).toEqual(["a"]);
    expect(await valuesOf(handle)).toEqual([]);
  });
  expect(await valuesOf(handle)).toEqual(["a"]);
});

test("a read transaction sees one state of the database from its first statement on", async () => {
  const handle = await tempDatabase();
  await handle.run(insert("old"));
  await handle.transaction("read", async (tx) => {
    expect(await valuesOf(tx as typeof handle)).toEqual(["old"]);
    await handle.run(insert("new"));
    expect(await valuesOf(handle)).toEqual(["old", "new"]);
    expect(await valuesOf(tx as typeof handle)).toEqual(["old"]);
  });
});

test("a read transaction refuses to write, in every way", async () => {
  const handle = await tempDatabase();
  await handle.transaction("read", async (tx) => {
    await expect(tx.run(insert("a"))).rejects.toMatchObject({ code: "READ_ONLY" });
    await expect(tx.batch([insert("a")])).rejects.toMatchObject({ code: "READ_ONLY" });
    await expect(tx.exec("DELETE FROM t")).rejects.toMatchObject({ code: "READ_ONLY" });
  });
});

test("is rolled back when its time is up, and its later statements fail", async () => {
  const handle = await tempDatabase();
  const { promise: late, resolve } = Promise.withResolvers<unknown>();
  const timedOut = handle.transaction(
    "write",
    async (tx) => {
      await tx.run(insert("a"));
      await NEVER.catch(() => undefined);
    },
    { timeoutMs: 10 },
  );
  await expect(timedOut).rejects.toMatchObject({ code: "TRANSACTION_TIMEOUT" });
  const working = handle.transaction(
    "write",
    async (tx) => {
      await tx.run(insert("b"));
      for (;;) {
        await new Promise((goOn) => void setImmediate(goOn));
        await tx.run(insert("c")).catch((error: unknown) => {
          resolve(error);
          throw error;
        });
      }
    },
    { timeoutMs: 10 },
  );
  await expect(working).rejects.toMatchObject({ code: "TRANSACTION_TIMEOUT" });
  expect(await late).toMatchObject({ code: "TRANSACTION_TIMEOUT" });
  expect(await valuesOf(handle)).toEqual([]);
  await handle.run(insert("d"));
  expect(await valuesOf(handle)).toEqual(["d"]);
});

test("a statement that comes after the end fails, and changes nothing", async () => {
  const handle = await tempDatabase();
  const kept = await handle.transaction("write", async (tx) => tx);
  await expect(kept.run(insert("late"))).rejects.toMatchObject({ code: "TRANSACTION_CLOSED" });
  await expect(kept.batch([insert("late")])).rejects.toMatchObject({ code: "TRANSACTION_CLOSED" });
  await expect(kept.exec("DELETE FROM t")).rejects.toMatchObject({ code: "TRANSACTION_CLOSED" });
  expect(await valuesOf(handle)).toEqual([]);
});

test.for(["batch", "exec"] as const)(
  "a %s within it is undone alone when one of its statements fails",
  async (way) => {
    const handle = await tempDatabase();
    await handle.transaction("write", async (tx) => {
      await tx.run(insert("before"));
      const failing =
        way === "batch"
          ? tx.batch([insert("in"), { sql: "INSERT INTO t (id) VALUES (1)", params: [] }])
          : tx.exec("INSERT INTO t (v) VALUES ('in'); INSERT INTO t (id) VALUES (1)");
      await expect(failing).rejects.toMatchObject({ code: "CONSTRAINT" });
      await tx.run(insert("after"));
    });
    expect(await valuesOf(handle)).toEqual(["before", "after"]);
  },
);

test.for(["run", "batch"] as const)(
  "what comes after OR ROLLBACK in a %s is not committed on its own",
  async (way) => {
    const handle = await tempDatabase();
    const rolledBack = handle.transaction("write", async (tx) => {
      await tx.run(insert("a"));
      const conflict = { sql: "INSERT OR ROLLBACK INTO t (id) VALUES (1)", params: [] };
      await (way === "run" ? tx.run(conflict) : tx.batch([conflict])).catch(() => undefined);
      await tx.run(insert("alone")).catch(() => undefined);
      await tx.batch([insert("alone")]).catch(() => undefined);
      await tx.exec("INSERT INTO t (v) VALUES ('alone')").catch(() => undefined);
    });
    await expect(rolledBack).rejects.toMatchObject({ code: "TRANSACTION_CLOSED" });
    expect(await valuesOf(handle)).toEqual([]);
  },
);

test.for(["COMMIT", "ROLLBACK", "BEGIN", "SAVEPOINT s", "END"])("%s is Tenantry's to say", async (sql) => {
  const handle = await tempDatabase();
  await handle.transaction("write", async (tx) => {
    await tx.run(insert("a"));
    await expect(tx.run({ sql, params: [] })).rejects.toMatchObject({ code: "SQL_REFUSED" });
    await expect(tx.exec(sql)).rejects.toMatchObject({ code: "SQL_REFUSED" });
  });
  expect(await valuesOf(handle)).toEqual(["a"]);
});

test("a constraint that is checked at the commit undoes all of it", async () => {
  const handle = await tempDatabase();
  await handle.exec("CREATE TABLE child (t INTEGER REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED)");
  const broken = handle.transaction("write", async (tx) => {
    await tx.run(insert("a"));
    await tx.run({ sql: "INSERT INTO child VALUES (99)", params: [] });
  });
  await expect(broken).rejects.toMatchObject({ code: "CONSTRAINT" });
  expect(await valuesOf(handle)).toEqual([]);
  await handle.run(insert("b"));
});

test("one that is abandoned in the end of its handle is rolled back", async () => {
  const handle = await tempDatabase();
  const { promise: begun, resolve } = Promise.withResolvers<void>();
  const open = handle.transaction("write", async (tx) => {
    await tx.run(insert("a"));
    resolve();
    await new Promise((goOn) => void setImmediate(goOn));
    await tx.run(insert("b"));
  });
  await begun;
  await handle.close();
  await expect(open).rejects.toMatchObject({ code: "TRANSACTION_CLOSED" });
});
