// Owns what the requests of Hrana over HTTP do and answer: statements, batches, sequences, descriptions, errors.
// Streams that outlive a request are hrana-streams.test.ts's, real clients hrana-clients.test.ts's.
import { expect, test } from "vitest";
import { runningServer } from "./support/running-server.ts";
import {
  AUTOCOMMIT,
  batch,
  CLOSE,
  execute,
  HranaRequests,
  integer,
  ok,
  step,
} from "./support/hrana-requests.ts";

async function requests(): Promise<HranaRequests> {
  const hrana = new HranaRequests(await runningServer());
  await hrana.run("CREATE TABLE t (id INTEGER PRIMARY KEY, v, name TEXT UNIQUE, price REAL)");
  return hrana;
}

test("a result has its columns, their declared types, its rows and its counts", async () => {
  const hrana = await requests();
  expect(await hrana.run("INSERT INTO t (name, price) VALUES ('a', 1), ('b', 2.5)")).toMatchObject({
    cols: [],
    rows: [],
    affected_row_count: 2,
    last_insert_rowid: "2",
  });
  expect(await hrana.run("SELECT id, name AS id, price, 1 + 1, v FROM t")).toMatchObject({
    cols: [
      { name: "id", decltype: "INTEGER" },
      { name: "id", decltype: "TEXT" },
      { name: "price", decltype: "REAL" },
      { name: "1 + 1", decltype: null },
      { name: "v", decltype: null },
    ],
    rows: [
      [integer(1), { type: "text", value: "a" }, { type: "float", value: 1 }, integer(2), { type: "null" }],
      [integer(2), { type: "text", value: "b" }, { type: "float", value: 2.5 }, integer(2), { type: "null" }],
    ],
    affected_row_count: 0,
    last_insert_rowid: null,
  });
  expect(await hrana.run("UPDATE t SET price = 0 RETURNING id")).toMatchObject({
    cols: [{ name: "id", decltype: "INTEGER" }],
    rows: [[integer(1)], [integer(2)]],
    affected_row_count: 2,
    last_insert_rowid: null,
  });
  expect(await hrana.one(execute("SELECT 1", [], { want_rows: false }))).toMatchObject({
    result: { cols: [{ name: "1" }], rows: [] },
  });
});

test("what a trigger changes is not counted, and a rowid of 64 bits is exact", async () => {
  const hrana = await requests();
  await hrana.one({
    type: "sequence",
    sql: `CREATE TABLE log (at); -- a comment; with a semicolon
      CREATE TRIGGER logs AFTER INSERT ON t BEGIN INSERT INTO log VALUES (1); INSERT INTO log VALUES (';'); END;
      /* and ; another */`,
  });
  expect(await hrana.run("INSERT INTO t (id) VALUES (9223372036854775807)")).toMatchObject({
    affected_row_count: 1,
    last_insert_rowid: "9223372036854775807",
  });
  expect(await hrana.value("SELECT count(*) FROM log")).toEqual(integer(2));
});

test("values go in and come out as they are", async () => {
  const hrana = await requests();
  for (const value of [
    integer(2n ** 63n - 1n),
    integer(-(2n ** 63n)),
    integer(0),
    { type: "float", value: 1 },
    { type: "float", value: 1e300 },
    { type: "text", value: "a\0b" },
    { type: "text", value: '\u2028 " \\ ünï 🎉' },
    { type: "blob", base64: "AAEC/w" },
    { type: "blob", base64: "" },
    { type: "null" },
  ]) {
    expect(await hrana.value("SELECT ?", value)).toEqual(value);
  }
  expect(await hrana.value("SELECT typeof(?)", { type: "float", value: 1 })).toEqual({
    type: "text",
    value: "real",
  });
  expect(await hrana.value("SELECT ?", { type: "blob", base64: "AAEC/w==" })).toEqual({
    type: "blob",
    base64: "AAEC/w",
  });
  // a lone surrogate is no character of UTF-8
  expect(await hrana.value("SELECT ?", { type: "text", value: "\ud800" })).toEqual({
    type: "text",
    value: "\ufffd",
  });
  expect(await hrana.value("SELECT 9e999")).toEqual({ type: "float", value: Number.POSITIVE_INFINITY });
  expect(await hrana.value("SELECT -9e999")).toEqual({ type: "float", value: Number.NEGATIVE_INFINITY });
  expect(await hrana.value("SELECT 9e999 - 9e999")).toEqual({ type: "null" });
});

test("arguments have places or names, with the first character or without", async () => {
  const hrana = await requests();
  const named = (sql: string, named: Record<string, number>) =>
    hrana.one(
      execute(sql, [], {
        named_args: Object.entries(named).map(([name, value]) => ({ name, value: integer(value) })),
      }),
    );
  const row = (...values: number[]) => ({ result: { rows: [values.map((value) => integer(value))] } });
  expect(await named("SELECT :a, @b, $c, :a", { a: 1, "@b": 2, c: 3 })).toMatchObject(row(1, 2, 3, 1));
  expect(await named("SELECT ?2, ?1", { "?1": 1, "2": 2 })).toMatchObject(row(2, 1));
  expect(await hrana.one(execute("SELECT ?2, ?1", [integer(1), integer(2)]))).toMatchObject(row(2, 1));
  expect(await hrana.one(execute("SELECT :a, :b", [integer(1), integer(2)]))).toMatchObject(row(1, 2));
  for (const wrong of [
    await named("SELECT :a", {}),
    await named("SELECT :a", { b: 1 }),
    await named("SELECT :a", { a: 1, b: 1 }),
    await hrana.one(execute("SELECT ?", [])),
    await hrana.one(execute("SELECT ?", [integer(1), integer(2)])),
  ]) {
    expect(wrong).toMatchObject({ code: "ARGS_INVALID", message: /Arguments do not match SQL parameters/ });
  }
  expect(
    await hrana.one(
      execute("SELECT :a, ?", [integer(1)], { named_args: [{ name: "a", value: integer(1) }] }),
    ),
  ).toMatchObject({ code: "ARGS_BOTH_POSITIONAL_AND_NAMED" });
});

test("errors have libSQL's codes, and the other requests go on", async () => {
  const hrana = await requests();
  await hrana.run("INSERT INTO t (name) VALUES ('taken')");
  const codes = async (...sqls: string[]) =>
    (await hrana.pipeline(null, ...sqls.map((sql) => execute(sql)), CLOSE)).results.map(
      (result) => result.error?.code ?? result.type,
    );
  expect(
    await codes(
      "INSERT INTO t (name) VALUES ('taken')",
      "SELEC 1",
      "SELECT 1 FROM",
      "SELECT 'open",
      "SELECT missing",
      "SELECT missing()",
      "SELECT * FROM missing",
      "",
      "-- nothing",
      "SELECT 1; SELECT 2",
      "COMMIT",
      "ATTACH 'x' AS y",
      "SELECT 1",
    ),
  ).toEqual([
    "SQLITE_CONSTRAINT",
    "SQL_PARSE_ERROR",
    "SQL_PARSE_ERROR",
    "SQL_PARSE_ERROR",
    "SQL_INPUT_ERROR",
    "SQL_INPUT_ERROR",
    "SQLITE_ERROR",
    "SQL_NO_STATEMENT",
    "SQL_NO_STATEMENT",
    "SQL_MANY_STATEMENTS",
    "SQLITE_ERROR",
    "SQL_REFUSED",
    "ok",
    "ok",
  ]);
  expect(await hrana.one(execute("INSERT INTO t (name) VALUES ('taken')"))).toEqual({
    message: "SQLite error: UNIQUE constraint failed: t.name",
    code: "SQLITE_CONSTRAINT",
  });
});

test("a batch runs the steps whose conditions hold", async () => {
  const hrana = await requests();
  const { result } = await hrana.one(
    batch(
      step("INSERT INTO t (name) VALUES ('a')"),
      step("INSERT INTO t (name) VALUES ('a')"),
      step("SELECT 'ok'", ok(0)),
      step("SELECT 'error'", { type: "error", step: 1 }),
      step("SELECT 'skipped'", ok(1)),
      step("SELECT 'not'", { type: "not", cond: ok(4) }),
      step("SELECT 'error of skipped'", { type: "error", step: 4 }),
      step("SELECT 'and'", { type: "and", conds: [ok(0), ok(2), { type: "is_autocommit" }] }),
      step("SELECT 'or'", { type: "or", conds: [ok(1), ok(0)] }),
      step("SELECT 'no or'", { type: "or", conds: [] }),
      step("SELECT 'all of none'", { type: "and", conds: [] }),
      step("BEGIN"),
      step("SELECT 'in transaction'", { type: "is_autocommit" }),
      step("ROLLBACK", { type: "not", cond: { type: "is_autocommit" } }),
    ),
  );
  expect(
    result.step_results.map(
      (one: null | { rows: { value: string }[][] }) => one && (one.rows[0]?.[0]?.value ?? "done"),
    ),
  ).toEqual([
    "done",
    null,
    "ok",
    "error",
    null,
    "not",
    null,
    "and",
    "or",
    null,
    "all of none",
    "done",
    null,
    "done",
  ]);
  expect(result.step_errors.map((one: null | { code: string }) => one?.code ?? null)).toEqual(
    Array.from({ length: 14 }, (_, index) => (index === 1 ? "SQLITE_CONSTRAINT" : null)),
  );
});

test("a sequence runs to its first error, without a transaction around it", async () => {
  const hrana = await requests();
  expect(
    await hrana.one({
      type: "sequence",
      sql: "INSERT INTO t (name) VALUES ('a'); SELECT 1; INSERT INTO t (name) VALUES ('a'); INSERT INTO t (name) VALUES ('b')",
    }),
  ).toMatchObject({ code: "SQLITE_CONSTRAINT" });
  expect(await hrana.value("SELECT group_concat(name) FROM t")).toEqual({ type: "text", value: "a" });
  expect(
    await hrana.one({ type: "sequence", sql: "INSERT INTO t (name) VALUES ('c'); ATTACH 'x' AS y" }),
  ).toMatchObject({
    code: "SQL_REFUSED",
  });
  expect(await hrana.value("SELECT count(*) FROM t")).toEqual(integer(1));
  expect(await hrana.one({ type: "sequence", sql: " -- nothing" })).toEqual({ type: "sequence" });
});

test("a description tells parameters, columns, and whether it writes", async () => {
  const hrana = await requests();
  const describe = async (sql: string) => (await hrana.one({ type: "describe", sql })).result;
  expect(await describe("SELECT id, v + ?3 AS sum FROM t WHERE name = :name OR id = ?")).toEqual({
    params: [{ name: null }, { name: null }, { name: "?3" }, { name: ":name" }, { name: null }],
    cols: [
      { name: "id", decltype: "INTEGER" },
      { name: "sum", decltype: null },
    ],
    is_explain: false,
    is_readonly: true,
  });
  expect(await describe("INSERT INTO t (v) VALUES (1)")).toMatchObject({
    params: [],
    cols: [],
    is_readonly: false,
  });
  expect(await describe("EXPLAIN QUERY PLAN SELECT 1")).toMatchObject({ is_explain: true });
  expect(await hrana.one({ type: "describe", sql: "SELECT missing" })).toMatchObject({
    code: "SQL_INPUT_ERROR",
  });
});

test("SQL is stored under a number, within limits", async () => {
  const hrana = await requests();
  const store = (id: number, sql: string) => ({ type: "store_sql", sql_id: id, sql });
  const { results } = await hrana.pipeline(
    null,
    store(-7, "SELECT ?"),
    { type: "execute", stmt: { sql_id: -7, args: [integer(5)] } },
    store(-7, "SELECT 2"),
    { type: "close_sql", sql_id: -7 },
    { type: "execute", stmt: { sql_id: -7 } },
    { type: "close_sql", sql_id: 99 },
    store(1, `SELECT '${"x".repeat(5_000)}'`),
    ...Array.from({ length: 51 }, (_, id) => store(id, "SELECT 1")),
    CLOSE,
    execute("SELECT 1"),
  );
  expect(results.map(({ type, error }) => error?.code ?? type)).toEqual([
    "ok",
    "ok",
    "SQL_EXISTS",
    "ok",
    "SQL_NOT_FOUND",
    "ok",
    "SQL_STORE_TOO_LARGE",
    ...Array.from({ length: 50 }, () => "ok"),
    "SQL_STORE_TOO_MANY",
    "ok",
    "STREAM_CLOSED",
  ]);
  expect(results[1].response.result.rows).toEqual([[integer(5)]]);
});

test("statements of one request share what a connection knows", async () => {
  const hrana = await requests();
  const { results } = await hrana.pipeline(
    null,
    execute("INSERT INTO t (id) VALUES (41), (42)"),
    execute("SELECT last_insert_rowid(), changes()"),
    AUTOCOMMIT,
    CLOSE,
  );
  expect(results[1].response.result.rows).toEqual([[integer(42), integer(2)]]);
  expect(results[2].response.is_autocommit).toBe(true);
});

test("foreign keys can be off for a request, and are on for the next", async () => {
  const hrana = await requests();
  const orphan = execute("INSERT INTO invoices (customer_id) VALUES (999)");
  expect((await hrana.one(orphan)).code).toBe("SQLITE_CONSTRAINT");
  const { results, baton } = await hrana.pipeline(null, execute("PRAGMA foreign_keys=off"), orphan);
  expect(results.map(({ type }) => type)).toEqual(["ok", "ok"]);
  expect((await hrana.pipeline(baton, orphan, CLOSE)).results[0].error.code).toBe("SQLITE_CONSTRAINT");
});

test("a cursor gives the entries of a batch line by line", async () => {
  const hrana = await requests();
  const [head, ...entries] = await hrana.cursor(
    null,
    step("INSERT INTO t (name) VALUES ('a')"),
    step("SELECT id, name FROM t", ok(0)),
    step("SELECT 1", { type: "error", step: 0 }),
    step("SELECT missing"),
  );
  expect(head).toEqual({ baton: expect.any(String), base_url: null });
  expect(entries).toEqual([
    { type: "step_begin", step: 0, cols: [] },
    { type: "step_end", affected_row_count: 1, last_insert_rowid: "1" },
    {
      type: "step_begin",
      step: 1,
      cols: [
        { name: "id", decltype: "INTEGER" },
        { name: "name", decltype: "TEXT" },
      ],
    },
    { type: "row", row: [integer(1), { type: "text", value: "a" }] },
    { type: "step_end", affected_row_count: 0, last_insert_rowid: null },
    { type: "step_error", step: 3, error: { message: expect.any(String), code: "SQL_INPUT_ERROR" } },
  ]);
});

test("answers are kept within their limits, and writes of one that is not are undone", async () => {
  const server = await runningServer({ app: { maxResponseBytes: 2_000, maxRows: 20 } });
  const hrana = new HranaRequests(server);
  const { results } = await hrana.pipeline(
    null,
    execute("SELECT value FROM generate_series(1, 100)"),
    execute("WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n LIMIT 100) SELECT i FROM n"),
    execute("SELECT hex(zeroblob(900)) AS x"),
    execute("SELECT hex(zeroblob(900)) AS x"),
    execute("INSERT INTO customers (name) VALUES (hex(zeroblob(1500))) RETURNING name"),
    execute("SELECT count(*) FROM customers"),
    CLOSE,
  );
  expect(results.map(({ type, error }) => error?.code ?? type)).toEqual([
    "SQLITE_ERROR",
    "RESPONSE_TOO_LARGE",
    "ok",
    "RESPONSE_TOO_LARGE",
    "RESPONSE_TOO_LARGE",
    "RESPONSE_TOO_LARGE",
    "ok",
  ]);
  expect(await hrana.value("SELECT count(*) FROM customers")).toEqual(integer(0));
  await server.expectHealthy();
});
