// Owns what callers meet whose SQL, parameters or batch is wrong, hostile or endless.
// What SQL the guard refuses at all is guard-statement.test.ts's; here is that nothing gets round it.
import { readdir } from "node:fs/promises";
import { expect, test } from "vitest";
import type { ErrorCode } from "../src/tenantry-error.ts";
import { expectError, runningServer, valueOf } from "./support/running-server.ts";

const ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)";

test("whatever is wrong with the SQL has its code, and the tenant goes on", async () => {
  const server = await runningServer();
  const cases: [string, ErrorCode][] = [
    ["SELECT 1; SELECT 2", "SQL_MANY_STATEMENTS"],
    ["SELECT 1; -- one\n/* two */ DELETE FROM customers", "SQL_MANY_STATEMENTS"],
    ["", "SQL_NO_STATEMENT"],
    [" ;; ", "SQL_NO_STATEMENT"],
    ["-- nothing but words", "SQL_NO_STATEMENT"],
    ["/* unfinished", "SQL_NO_STATEMENT"],
    ["SELECT 'a\0b'", "SQL_REFUSED"],
    ["SELECT 1\0; DELETE FROM customers", "SQL_REFUSED"],
    ["SELEC 1", "SQL_REFUSED"],
    ["SELECT * FROM nowhere", "SQL_ERROR"],
    ["SELECT 'unfinished", "SQL_ERROR"],
    ["BEGIN", "SQL_REFUSED"],
    ["COMMIT", "SQL_REFUSED"],
    ["SAVEPOINT a", "SQL_REFUSED"],
    ["VACUUM", "SQL_REFUSED"],
    ["DELETE FROM d1_migrations", "SQL_REFUSED"],
    ["CREATE TEMP TABLE t (x)", "SQL_REFUSED"],
    ["SELECT load_extension('x')", "SQL_REFUSED"],
    [`SELECT '${"x".repeat(100_001)}'`, "SQL_TOO_LONG"],
    ["INSERT INTO invoices (customer_id) VALUES (99)", "CONSTRAINT"],
    ["INSERT INTO customers (name) VALUES (NULL)", "CONSTRAINT"],
  ];
  for (const [sql, code] of cases) {
    const answer = await server.query("acme", sql);
    expect(answer.body, sql.slice(0, 80)).toMatchObject({ code });
    if (code !== "SQL_ERROR" && code !== "CONSTRAINT") expectError(answer, code);
  }
  expect(valueOf(await server.query("acme", "SELECT 1 -- a comment\n + /* and */ 1; -- another"))).toBe(2);
  await server.expectHealthy();
});

test("parameters that cannot even be written down are refused like any other that SQLite has no type for", async () => {
  const server = await runningServer();
  for (const param of [
    {},
    [[1]],
    { toString: 1, valueOf: 1 },
    `${"[".repeat(20_000)}${"]".repeat(20_000)}`,
  ]) {
    const json = typeof param === "string" ? param : JSON.stringify(param);
    const answer = await server.send("POST", "/t/acme/query", `{"sql":"SELECT ?","params":[${json}]}`);
    expectError(answer, "TYPE_ERROR");
  }
  await server.expectHealthy();
});

test("ATTACH is refused in every disguise, and makes no file", async () => {
  const server = await runningServer({ tenants: ["acme", "globex"] });
  const other = server.tenantry.driver.files.pathOf("globex");
  const attach = `ATTACH '${other}' AS other`;
  const before = await readdir(server.data, { recursive: true });
  const disguises = [
    attach,
    attach.toLowerCase(),
    attach.replace("ATTACH", "aTtAcH dAtAbAsE"),
    `/* c */ ${attach}`,
    `-- c\n${attach}`,
    `/**/-- c\r\n\t\f ${attach}`,
    `EXPLAIN ${attach}`,
    `EXPLAIN QUERY PLAN ${attach}`,
    `WITH a AS (SELECT 1) ${attach}`,
    `;${attach}`,
    `SELECT 1; ${attach}`,
    `\u{feff}${attach}`,
    `\u{feff}\u{feff}${attach}`,
    ...["\u{a0}", "\u{2003}", "\u{2028}", "\u{3000}", "\u{b}", "\u{200b}", "\u{85}"].flatMap((space) => [
      space + attach,
      attach.replace("ATTACH ", `ATTACH${space}`),
    ]),
    attach.replace("A", "\u{ff21}"),
    attach.replace("A", "\u{410}"),
    `"ATTACH" '${other}' AS other`,
    `[ATTACH] '${other}' AS other`,
    `VACUUM INTO '${other}.copy'`,
    `vacuum main into '${other}.copy'`,
    "DETACH main",
    `CREATE VIRTUAL TABLE v USING dbstat('other')`,
    `SELECT * FROM pragma_database_list`,
  ];
  for (const sql of disguises) {
    for (const answer of [
      await server.query("acme", sql),
      await server.send("POST", "/t/acme/batch", [{ sql: "SELECT 1" }, { sql }]),
    ]) {
      expect(answer.status, sql).toBeGreaterThanOrEqual(400);
      expect(answer.status, sql).toBeLessThan(500);
      expect(["SQL_REFUSED", "SQL_MANY_STATEMENTS", "SQL_ERROR"], sql).toContain(answer.body.code);
      expect(answer.text, sql).not.toContain("globex");
    }
  }
  expect(await readdir(server.data, { recursive: true })).toEqual(before);
  await server.expectHealthy("acme");
  await server.expectHealthy("globex");
});

test("a PRAGMA that would change anything is refused, and changes nothing", async () => {
  const server = await runningServer();
  for (const sql of [
    "PRAGMA journal_mode = DELETE",
    "PRAGMA journal_mode(off)",
    "pragma main.user_version = 7",
    "PRAGMA writable_schema = 1",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA/**/synchronous=0",
    "EXPLAIN PRAGMA user_version = 7",
    "PRAGMA max_page_count = 1",
    "PRAGMA query_only = 1",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA database_list",
  ]) {
    expectError(await server.query("acme", sql), "SQL_REFUSED");
  }
  expect(valueOf(await server.query("acme", "PRAGMA user_version"))).toBe(0);
  expect(valueOf(await server.query("acme", "PRAGMA foreign_keys"))).toBe(1);
  await server.expectHealthy();
});

test("a result without end stops at the limit of rows, or of bytes", async () => {
  const server = await runningServer({ app: { maxRows: 1_000, maxResponseBytes: 100_000 } });
  expectError(await server.query("acme", `${ENDLESS} SELECT i FROM n`), "TOO_MANY_ROWS", "1000");
  expectError(
    await server.query("acme", `${ENDLESS} SELECT hex(zeroblob(500)) FROM n`),
    "RESPONSE_TOO_LARGE",
  );
  expectError(await server.query("acme", `SELECT zeroblob(30000)`), "RESPONSE_TOO_LARGE");
  const longName = `SELECT 1 AS "${"x".repeat(1_000)}"`;
  expectError(
    await server.query("acme", `${longName} FROM (${ENDLESS} SELECT i FROM n)`),
    "RESPONSE_TOO_LARGE",
  );
  expect((await server.query("acme", `${ENDLESS} SELECT i FROM n LIMIT 1000`)).body.results).toHaveLength(
    1000,
  );
  await server.expectHealthy();
});

test("the statements of a batch share its limits", async () => {
  const server = await runningServer({ app: { maxRows: 10, maxResponseBytes: 10_000 } });
  const rows = (count: number): object => ({ sql: `${ENDLESS} SELECT i FROM n LIMIT ${count}` });
  expect((await server.send("POST", "/t/acme/batch", [rows(5), rows(5)])).status).toBe(200);
  expectError(await server.send("POST", "/t/acme/batch", [rows(5), rows(5), rows(1)]), "TOO_MANY_ROWS");
  const wide = { sql: "SELECT hex(zeroblob(2000))" };
  expectError(await server.send("POST", "/t/acme/batch", [wide, wide, wide]), "RESPONSE_TOO_LARGE");
  await server.expectHealthy();
});

test("a write whose answer is too large has not been done", async () => {
  const server = await runningServer({ app: { maxRows: 10, maxResponseBytes: 10_000 } });
  const insert = (count: number): string =>
    `INSERT INTO customers (name) ${ENDLESS} SELECT 'c' || i FROM n LIMIT ${count} RETURNING id`;
  expectError(await server.query("acme", insert(11)), "TOO_MANY_ROWS");
  expectError(
    await server.send("POST", "/t/acme/batch", [{ sql: insert(6) }, { sql: insert(6) }]),
    "TOO_MANY_ROWS",
  );
  expect(valueOf(await server.query("acme", "SELECT count(*) FROM customers"))).toBe(0);
  expect((await server.query("acme", insert(10))).body.results).toHaveLength(10);
  expect(valueOf(await server.query("acme", "SELECT count(*) FROM customers"))).toBe(10);
  await server.expectHealthy();
});

test("a batch is all or nothing, and says which statement is no statement", async () => {
  const server = await runningServer({ app: { maxBatchStatements: 3 } });
  const insert = { sql: "INSERT INTO customers (name) VALUES (?)", params: ["Ada"] };
  const failed = await server.send("POST", "/t/acme/batch", [
    insert,
    { sql: "INSERT INTO nowhere VALUES (1)" },
  ]);
  expect(failed.body).toMatchObject({ code: "SQL_ERROR" });
  expectError(
    await server.send("POST", "/t/acme/batch", [insert, { sql: "ATTACH 'x' AS y" }]),
    "SQL_REFUSED",
  );
  expectError(await server.send("POST", "/t/acme/batch", [insert, { sgl: "" }]), "INVALID_ARGUMENT", /1/);
  for (const body of [[], {}, { statements: [] }, "null", 1, [1]]) {
    expectError(await server.send("POST", "/t/acme/batch", body), "INVALID_ARGUMENT");
  }
  expectError(
    await server.send("POST", "/t/acme/batch", [insert, insert, insert, insert]),
    "INVALID_ARGUMENT",
    "3",
  );
  expect(valueOf(await server.query("acme", "SELECT count(*) FROM customers"))).toBe(0);
  const done = await server.send("POST", "/t/acme/batch", {
    statements: [insert, { sql: "SELECT name FROM customers" }],
  });
  expect(done.body).toMatchObject([{ success: true }, { results: [{ name: "Ada" }] }]);
  await server.expectHealthy();
});

test("parameters: too many, too few, of a wrong type, and 1,000,001 of them", async () => {
  const server = await runningServer();
  expectError(
    await server.query("acme", "SELECT ?", Array(1_000_001).fill(0)),
    "TOO_MANY_PARAMETERS",
    "32766",
  );
  const most = `SELECT ${Array(32_766).fill("?").join(" + ")}`;
  expectError(await server.query("acme", "SELECT 1", Array(32_767).fill(0)), "TOO_MANY_PARAMETERS");
  expect((await server.query("acme", most, Array(32_766).fill(1))).body.code).not.toBe("TOO_MANY_PARAMETERS");
  expectError(await server.query("acme", "SELECT ?, ?", [1]), "PARAMETER_COUNT");
  expectError(await server.query("acme", "SELECT 1", [1]), "PARAMETER_COUNT");
  for (const wrong of [{}, { a: 1 }, [256], [-1], [1.5], ["a"], [[1]]]) {
    expectError(await server.query("acme", "SELECT ?", [wrong]), "TYPE_ERROR");
  }
  await server.expectHealthy();
});

test("values keep what JSON can hold: blobs are lists of bytes both ways, integers beyond 2^53 as text", async () => {
  const server = await runningServer();
  const { body } = await server.query(
    "acme",
    "SELECT ? AS blob, typeof(?) AS kind, ? AS text, ? AS nil, ? AS yes, x'00ff' AS literal, x'' AS empty",
    [[1, 2, 255], [], "žluťoučký 🐎\0", null, true],
  );
  expect(body.results).toEqual([
    {
      blob: [1, 2, 255],
      kind: "blob",
      text: "žluťoučký 🐎\0",
      nil: null,
      yes: 1,
      literal: [0, 255],
      empty: [],
    },
  ]);
  await server.query("acme", "CREATE TABLE big (n INTEGER)");
  await server.query("acme", "INSERT INTO big VALUES (?)", ["9007199254740993"]);
  expect(valueOf(await server.query("acme", "SELECT CAST(n AS TEXT) FROM big"))).toBe("9007199254740993");
  // D1's numbers are JavaScript's.
  expect(valueOf(await server.query("acme", "SELECT n FROM big"))).toBe(9007199254740992);
  expect((await server.send("GET", "/t/acme/rest/big")).text).toBe('[{"n":9007199254740993}]');
  expect(valueOf(await server.query("acme", "SELECT 9e999"))).toBe(null);
  await server.expectHealthy();
});
