// Owns what @libsql/client promises its users of any server, over HTTP and over WebSocket: values in each mode of
// integers, arguments in each way of naming them, what stops a batch or a transaction, and with which code.
// How streams and sockets behave under failures is the hrana-socket tests'.
import { type Client, createClient, type InValue, type IntMode } from "@libsql/client";
import { describe, expect, onTestFinished, test } from "vitest";
import { runningServer } from "./support/running-server.ts";

describe.each(["http", "ws"])("over %s", (scheme) => {
  const open = async (options: { readonly intMode?: IntMode } = {}): Promise<Client> => {
    const server = await runningServer();
    const client = createClient({ url: `${scheme}://127.0.0.1:${server.port}/t/acme/`, ...options });
    onTestFinished(() => client.close());
    return client;
  };
  const one = async (client: Client, sql: string, args: InValue[] | Record<string, InValue> = []) =>
    Array.from((await client.execute({ sql, args })).rows[0] ?? []);

  test("values come back as they were sent, integers as the client wants them", async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index ^ 0xab);
    const same: InValue[] = [
      'a\n\r\t\0 \u2028 "quoted" \\',
      "žluťoučký kůň 🐎",
      0,
      -2023,
      12.345,
      1e18,
      Number.MAX_VALUE,
      Number.MIN_VALUE,
      null,
    ];
    for (const intMode of ["number", "bigint", "string"] as const) {
      const client = await open({ intMode });
      for (const value of same) expect(await one(client, "SELECT ?", [value])).toEqual([value]);
      expect(await one(client, "SELECT ?", [bytes])).toEqual([bytes.buffer]);
      expect(await one(client, "SELECT ?", [bytes.buffer])).toEqual([bytes.buffer]);
      const shown = (integer: bigint) =>
        intMode === "bigint" ? integer : intMode === "string" ? String(integer) : Number(integer);
      for (const integer of [0n, -42n, 9007199254740991n]) {
        expect(await one(client, "SELECT ?", [integer])).toEqual([shown(integer)]);
      }
      expect(await one(client, "SELECT ?, ?", [true, false])).toEqual([shown(1n), shown(0n)]);
      const date = new Date("2023-01-02T12:34:56Z");
      expect(await one(client, "SELECT ?", [date])).toEqual([date.valueOf()]);
      for (const integer of [9007199254740992n, 2n ** 63n - 1n, -(2n ** 63n)]) {
        if (intMode === "number") {
          await expect(one(client, "SELECT ?", [integer])).rejects.toThrow(RangeError);
        } else {
          expect(await one(client, "SELECT ?", [integer])).toEqual([shown(integer)]);
        }
        expect(await one(client, "SELECT ? || ''", [integer])).toEqual([String(integer)]);
      }
      for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, -(2n ** 70n)]) {
        await expect(one(client, "SELECT ?", [wrong])).rejects.toThrow(RangeError);
      }
      await expect(one(client, "SELECT ?", [undefined as never])).rejects.toThrow(TypeError);
      // what the client refuses by itself leaves it usable
      expect(await one(client, "SELECT 'still'")).toEqual(["still"]);
    }
  });

  test("a result says its columns, their types, and what changed, also as JSON", async () => {
    const client = await open();
    const { columns, columnTypes, rows } = await client.execute(
      "SELECT 1 AS one, 'two' AS two, 0.5 AS three",
    );
    expect({ columns, columnTypes }).toEqual({ columns: ["one", "two", "three"], columnTypes: ["", "", ""] });
    expect(Object.entries(rows[0] as object)).toEqual([
      ["one", 1],
      ["two", "two"],
      ["three", 0.5],
    ]);
    const made = await client.execute(
      "CREATE TABLE t (i INTEGER PRIMARY KEY NOT NULL, f FLOAT, t TEXT, b BLOB)",
    );
    expect(made.rowsAffected).toBe(0);
    const inserted = await client.execute("INSERT INTO t VALUES (12345, 0.5, 'foo', X'626172')");
    expect(inserted.toJSON()).toEqual({
      columns: [],
      columnTypes: [],
      rows: [],
      rowsAffected: 1,
      lastInsertRowid: "12345",
    });
    expect((await client.execute("SELECT i, f, t, b FROM t")).toJSON()).toMatchObject({
      columnTypes: ["INTEGER", "FLOAT", "TEXT", "BLOB"],
      rows: [[12345, 0.5, "foo", "YmFy"]],
      rowsAffected: 0,
      lastInsertRowid: null,
    });
    const returned = await client.execute("INSERT INTO t (t) VALUES ('x') RETURNING 42 AS x, 'foo' AS y");
    expect(returned).toMatchObject({ columns: ["x", "y"], columnTypes: ["", ""], rowsAffected: 1 });
    const selected = await client.execute(
      "WITH x (a) AS (SELECT 2 * i FROM t) INSERT INTO t (i) SELECT a FROM x",
    );
    expect(selected.rowsAffected).toBe(2);
    expect((await client.execute("DELETE FROM t WHERE i > 12346")).rowsAffected).toBe(2);
    expect(
      (await client.execute("VALUES (1, 'one'), (2, 'two')")).rows.map((row) => Array.from(row)),
    ).toEqual([
      [1, "one"],
      [2, "two"],
    ]);
  });

  test("arguments go by place, by number, and by name with each sign or with none", async () => {
    const client = await open();
    expect(await one(client, "SELECT ?, ?", ["one", "two"])).toEqual(["one", "two"]);
    expect(await one(client, "SELECT ?2, ?3, ?1", ["one", "two", "three"])).toEqual(["two", "three", "one"]);
    expect(await one(client, "SELECT ?3, ?1", ["one", "two", "three"])).toEqual(["three", "one"]);
    expect(await one(client, "SELECT ?2, ?, ?3", ["one", "two", "three"])).toEqual(["two", "three", "three"]);
    for (const sign of [":", "@", "$"]) {
      const args = { a: "one", [`${sign}b`]: "two" };
      expect(await one(client, `SELECT ${sign}b, ${sign}a`, args)).toEqual(["two", "one"]);
      expect(await one(client, `SELECT ${sign}b, ${sign}a, ${sign}b || ${sign}a`, args)).toEqual([
        "two",
        "one",
        "twoone",
      ]);
      expect(await one(client, `SELECT ${sign}b, ${sign}a, ?1`, args)).toEqual(["two", "one", "two"]);
    }
  });

  test("a batch runs in order, in one transaction, however long it is", async () => {
    const client = await open();
    const results = await client.batch(
      [
        "CREATE TABLE t (a, b)",
        "INSERT INTO t VALUES (1, 'one')",
        "SELECT * FROM t",
        "INSERT INTO t VALUES (2, 'two') RETURNING 2 * a",
        "SELECT count(*) FROM t",
      ],
      "deferred",
    );
    expect(results.map(({ rows }) => rows.map((row) => Array.from(row)))).toEqual([
      [],
      [],
      [[1, "one"]],
      [[4]],
      [[2]],
    ]);
    const different = Array.from({ length: 1_000 }, (_, index) => `SELECT ${index}`);
    expect((await client.batch(different, "read")).map(({ rows }) => rows[0]?.[0])).toEqual(
      different.map((_, index) => index),
    );
    const alike = Array.from({ length: 4_000 }, (_, index) => ({
      sql: `SELECT ?, ${index % 200}`,
      args: [Math.floor(index / 200)],
    }));
    const answers = await client.batch(alike, "read");
    expect(answers.map(({ rows }) => [rows[0]?.[0], rows[0]?.[1]])).toEqual(
      alike.map((_, index) => [Math.floor(index / 200), index % 200]),
    );
    await expect(client.batch(["SELECT 1", "SELECT foobar"], "read")).rejects.toMatchObject({
      code: "SQL_INPUT_ERROR",
    });
  });

  test("batches at the same time do not see each other half done", async () => {
    const client = await open();
    await client.executeMultiple("CREATE TABLE t1 (a); CREATE TABLE t2 (a)");
    await Promise.all(
      Array.from({ length: 60 }, async (_, index) => {
        const results = await client.batch(
          [
            { sql: "INSERT INTO t1 VALUES (?)", args: [index] },
            { sql: "INSERT INTO t2 VALUES (?)", args: [index * 10] },
            "SELECT sum(a) FROM t1",
            "SELECT sum(a) FROM t2",
          ],
          "write",
        );
        expect(results[3]?.rows[0]?.[0]).toBe(Number(results[2]?.rows[0]?.[0]) * 10);
      }),
    );
    expect(await one(client, "SELECT sum(a) FROM t1")).toEqual([(60 * 59) / 2]);
  });

  test("a transaction ends with commit, rollback or close, and goes on after an error", async () => {
    const client = await open();
    await client.execute("CREATE TABLE t (a UNIQUE)");
    const count = async () => (await one(client, "SELECT count(*) FROM t"))[0];
    for (const [end, left] of [
      ["commit", 1],
      ["rollback", 1],
      ["close", 1],
    ] as const) {
      const transaction = await client.transaction("write");
      await expect(transaction.execute("SELECT foo")).rejects.toMatchObject({ code: "SQL_INPUT_ERROR" });
      await transaction.execute({ sql: "INSERT INTO t VALUES (?)", args: [end] });
      await expect(transaction.execute("SELECT bar")).rejects.toThrow();
      expect(transaction.closed).toBe(false);
      await transaction[end]();
      expect(transaction.closed).toBe(true);
      expect(await count(), end).toBe(left);
      await expect(transaction.execute("SELECT 1")).rejects.toMatchObject({ code: "TRANSACTION_CLOSED" });
    }
    for (const end of ["commit", "rollback"] as const) await (await client.transaction("read"))[end]();

    const batches = await client.transaction("write");
    await batches.batch(["DELETE FROM t", { sql: "INSERT INTO t VALUES (?), (?)", args: [1, 2] }]);
    await expect(
      batches.batch(["INSERT INTO t VALUES (4)", "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (8)"]),
    ).rejects.toMatchObject({ code: "SQLITE_CONSTRAINT" });
    await batches.executeMultiple("INSERT INTO t VALUES (16); INSERT INTO t VALUES (32);");
    await expect(
      batches.executeMultiple(
        "INSERT INTO t VALUES (64); INSERT INTO t VALUES (1); INSERT INTO t VALUES (128);",
      ),
    ).rejects.toThrow();
    expect((await batches.execute("SELECT sum(a) FROM t")).rows[0]?.[0]).toBe(1 + 2 + 4 + 16 + 32 + 64);
    await batches.commit();
  });

  test("a script runs to its first error, and what it began is rolled back", async () => {
    const client = await open();
    await client.executeMultiple("CREATE TABLE t (a); BEGIN; INSERT INTO t VALUES (1), (2); COMMIT;");
    await expect(
      client.executeMultiple(
        "INSERT INTO t VALUES (4); INSERT INTO t VALUES (foo()); INSERT INTO t VALUES (8)",
      ),
    ).rejects.toThrow(/no such function: foo/);
    expect(await one(client, "SELECT sum(a) FROM t")).toEqual([7]);
    await expect(
      client.executeMultiple("BEGIN; INSERT INTO t VALUES (16); INSERT INTO t VALUES (foo()); COMMIT"),
    ).rejects.toThrow();
    expect(await one(client, "SELECT sum(a) FROM t")).toEqual([7]);
  });
});

describe("over ws, with version 3", () => {
  test("a ROLLBACK, also one by conflict, ends the batch and the transaction that it is in", async () => {
    const server = await runningServer();
    // the client asks for version 2 at most by itself; its library speaks 3
    const { BatchCond, openWs } = await import("@libsql/hrana-client");
    const client = openWs(`ws://127.0.0.1:${server.port}/t/acme`, undefined, 3);
    onTestFinished(() => client.close());
    // Protobuf would be offered first, and is not spoken
    expect(await client.getVersion()).toBe(3);
    const stream = client.openStream();
    await stream.run("CREATE TABLE t (a UNIQUE)");
    const batch = stream.batch(true);
    const begin = batch.step();
    void begin.run("BEGIN");
    const steps = [
      "INSERT INTO t VALUES (1)",
      "INSERT OR ROLLBACK INTO t VALUES (1)",
      "INSERT INTO t VALUES (2)",
    ];
    const results: Promise<unknown>[] = [];
    for (const sql of steps) {
      const step = batch.step();
      step.condition(BatchCond.ok(begin)).condition(BatchCond.not(BatchCond.isAutocommit(batch)));
      results.push(step.run(sql).catch((error: { code: string }) => error.code));
    }
    await batch.execute();
    expect(await Promise.all(results)).toEqual([expect.anything(), "SQLITE_CONSTRAINT", undefined]);
    expect(await stream.getAutocommit()).toBe(true);
    expect((await stream.queryValue("SELECT count(*) FROM t")).value).toBe(0);
    stream.close();
  });
});
