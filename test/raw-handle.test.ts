// Holds withSqlite() to giving the connection back as the others of the tenant expect it.
import { expect, test } from "vitest";
import { insert, tempDatabase, valuesOf } from "./support/temp-database.ts";

test("gives what the function gives, and what it writes stays", async () => {
  const handle = await tempDatabase();
  const changes = await handle.withSqlite(
    (sqlite) => sqlite.prepare("INSERT INTO t (v) VALUES (?), (?)").run("a", "b").changes,
  );
  expect(changes).toBe(2);
  expect(await valuesOf(handle)).toEqual(["a", "b"]);
});

test("what the function throws comes out as it is, and its open transaction is rolled back", async () => {
  const handle = await tempDatabase();
  const thrown = new Error("mine");
  const failed = handle.withSqlite((sqlite) => {
    sqlite.exec("BEGIN; INSERT INTO t (v) VALUES ('no')");
    throw thrown;
  });
  await expect(failed).rejects.toBe(thrown);
  await handle.run(insert("yes"));
  expect(await valuesOf(handle)).toEqual(["yes"]);
});

test("a transaction left open is rolled back, and said to be", async () => {
  const handle = await tempDatabase();
  const left = handle.withSqlite((sqlite) => sqlite.exec("BEGIN; INSERT INTO t (v) VALUES ('no')"));
  await expect(left).rejects.toMatchObject({ code: "TRANSACTION_CLOSED" });
  await handle.run(insert("yes"));
  expect(await valuesOf(handle)).toEqual(["yes"]);
});

test("an asynchronous function is refused, and cannot touch the connection of the others any more", async () => {
  const handle = await tempDatabase();
  const { promise: heard, resolve } = Promise.withResolvers<unknown>();
  const refused = handle.withSqlite(async (sqlite) => {
    sqlite.exec("BEGIN; INSERT INTO t (v) VALUES ('no')");
    await new Promise((goOn) => void setImmediate(goOn));
    try {
      sqlite.exec("BEGIN");
    } catch (error) {
      resolve(error);
      throw error;
    }
  });
  await expect(refused).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  expect(String(await heard)).toContain("not open");
  await handle.run(insert("yes"));
  expect(await valuesOf(handle)).toEqual(["yes"]);
});

test("a closed connection is opened anew", async () => {
  const handle = await tempDatabase();
  expect(
    await handle.withSqlite((sqlite) => {
      sqlite.close();
      return "done";
    }),
  ).toBe("done");
  await handle.run(insert("yes"));
  expect(await valuesOf(handle)).toEqual(["yes"]);
  await expect(
    handle.withSqlite((sqlite) => {
      sqlite.close();
      throw new Error("mine");
    }),
  ).rejects.toThrow("mine");
  expect(await handle.withSqlite((sqlite) => sqlite.pragma("journal_mode", { simple: true }))).toBe("wal");
});

test("an iterator left open is said, and stops nobody", async () => {
  const handle = await tempDatabase();
  await handle.batch([insert("a"), insert("b")]);
  const left = handle.withSqlite((sqlite) => sqlite.prepare("SELECT v FROM t").iterate().next().value);
  await expect(left).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  await handle.run(insert("c"));
  expect(await valuesOf(handle)).toEqual(["a", "b", "c"]);
});

test("pragmas and modes that it changes are set again", async () => {
  const handle = await tempDatabase();
  await handle.exec("CREATE TABLE child (t INTEGER REFERENCES t (id))");
  await handle.withSqlite((sqlite) => {
    sqlite.pragma("foreign_keys = OFF");
    sqlite.pragma("synchronous = OFF");
    sqlite.defaultSafeIntegers();
  });
  const orphan = handle.run({ sql: "INSERT INTO child VALUES (99)", params: [] });
  await expect(orphan).rejects.toMatchObject({ code: "CONSTRAINT" });
  await handle.run(insert(7));
  expect(await valuesOf(handle)).toEqual([7]);
  expect(await handle.withSqlite((sqlite) => sqlite.pragma("synchronous", { simple: true }))).toBe(1);
});

test("nothing is lent from a closed handle", async () => {
  const handle = await tempDatabase();
  await handle.close();
  await handle.close();
  await expect(handle.withSqlite(() => "no")).rejects.toMatchObject({ code: "CLOSED" });
  await expect(handle.run(insert("no"))).rejects.toMatchObject({ code: "CLOSED" });
  await expect(handle.transaction("read", async () => "no")).rejects.toMatchObject({ code: "CLOSED" });
});
