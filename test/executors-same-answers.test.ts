// With executors a server answers as it does without: the same status, headers and bytes.
import { expect, test } from "vitest";
import { type Answer, runningServer } from "./support/running-server.ts";

const JSON_TYPE = { "content-type": "application/json" };
const MANY =
  "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i, hex(i) AS h FROM n";

type Asked = readonly [method: string, path: string, body?: unknown, headers?: Record<string, string>];

/** In order: some write what others read. */
const REQUESTS: readonly Asked[] = [
  [
    "POST",
    "/t/acme/rest/customers",
    [
      { name: "Ann", email: "a@x" },
      { name: "Bo", email: null },
    ],
    { prefer: "return=representation" },
  ],
  ["POST", "/t/acme/rest/customers", { name: "Cy" }],
  ["POST", "/t/acme/rest/customers", { name: "Dy" }, { prefer: "return=minimal" }],
  ["GET", "/t/acme/rest/customers"],
  [
    "GET",
    "/t/acme/rest/customers?select=id,name&order=name.desc&limit=2&offset=1",
    undefined,
    { prefer: "count=exact" },
  ],
  ["GET", "/t/acme/rest/customers?limit=1", undefined, { range: "0-0", "range-unit": "items" }],
  ["GET", "/t/acme/rest/customers?name=eq.Ann", undefined, { accept: "text/csv" }],
  ["GET", "/t/acme/rest/customers?name=eq.Ann", undefined, { accept: "application/vnd.pgrst.object+json" }],
  ["GET", "/t/acme/rest/customers", undefined, { accept: "application/vnd.pgrst.object+json" }],
  ["GET", "/t/acme/rest/customers", undefined, { accept: "image/png" }],
  ["GET", "/t/acme/rest/customers?offset=99", undefined, { prefer: "count=exact" }],
  ["GET", "/t/acme/rest/nothing"],
  ["GET", "/t/acme/rest/customers?nothing=eq.1"],
  ["GET", "/t/acme/rest/customers?name=wrong.1"],
  ["GET", "/t/acme/rest/d1_migrations?select=name"],
  ["HEAD", "/t/acme/rest/customers"],
  ["HEAD", "/t/acme/rest/nothing"],
  ["PATCH", "/t/acme/rest/customers?name=eq.Bo", { email: "b@x" }],
  ["PATCH", "/t/acme/rest/customers?name=eq.Bo", { email: "a@x" }],
  ["PATCH", "/t/acme/rest/customers", { email: "c@x" }],
  ["DELETE", "/t/acme/rest/customers?name=eq.Dy", undefined, { prefer: "return=representation" }],
  ["DELETE", "/t/acme/rest/customers?name=eq.Dy"],
  ["PUT", "/t/acme/rest/customers", {}],
  ["POST", "/t/acme/rest/customers", "{", JSON_TYPE],
  ["POST", "/t/acme/rest/customers", "name=x", { "content-type": "text/plain" }],
  ["POST", "/t/acme/query", { sql: "SELECT * FROM customers ORDER BY id", params: [] }],
  [
    "POST",
    "/t/acme/query",
    {
      sql: "SELECT ? AS a, ? AS b, x'00ff' AS c, 9007199254740993 AS d, 1e999 AS e",
      params: ["ü€😀\u0000", null],
    },
  ],
  ["POST", "/t/acme/query", { sql: MANY, params: [] }],
  [
    "POST",
    "/t/acme/query",
    { sql: "INSERT INTO customers (name) VALUES ('q') RETURNING id, name", params: [] },
  ],
  ["POST", "/t/acme/query", { sql: "INSERT INTO customers (name) VALUES (NULL)", params: [] }],
  ["POST", "/t/acme/query", { sql: "INSERT INTO invoices (customer_id) VALUES (99)", params: [] }],
  ["POST", "/t/acme/query", { sql: "SELEC 1", params: [] }],
  ["POST", "/t/acme/query", { sql: "SELECT 1; SELECT 2", params: [] }],
  ["POST", "/t/acme/query", { sql: "SELECT ?", params: [1, 2] }],
  ["POST", "/t/acme/query", { sql: "SELECT ?", params: [{}] }],
  ["POST", "/t/acme/query", { sql: "ATTACH 'x' AS y", params: [] }],
  ["POST", "/t/acme/query", { sql: "PRAGMA table_info(customers)", params: [] }],
  ["POST", "/t/acme/query", { sql: "CREATE TABLE extra (id INTEGER PRIMARY KEY, v TEXT)", params: [] }],
  ["POST", "/t/acme/query", { sql: "", params: [] }],
  ["POST", "/t/acme/query", { sql: 1 }],
  ["POST", "/t/acme/query", { sql: "SELECT 1", extra: true }],
  ["POST", "/t/acme/query", "[", JSON_TYPE],
  ["GET", "/t/acme/query"],
  [
    "POST",
    "/t/acme/batch",
    [
      { sql: "INSERT INTO extra (v) VALUES (?)", params: ["1"] },
      { sql: "SELECT * FROM extra", params: [] },
    ],
  ],
  [
    "POST",
    "/t/acme/batch",
    { statements: [{ sql: "INSERT INTO extra (v) VALUES ('2')" }, { sql: "SELEC" }] },
  ],
  ["POST", "/t/acme/batch", []],
  ["GET", "/t/acme/rest/extra"],
  ["GET", "/t/acme/schema"],
  ["GET", "/t/acme/openapi.json"],
  ["GET", "/t/acme/nothing"],
  ["GET", "/t/acme"],
  ["GET", "/t/nobody/schema"],
  ["GET", "/t/ACME/schema"],
  ["GET", "/rest/customers?limit=1", undefined, { "x-tenant-id": "acme" }],
  ["GET", "/t/acme/rest/customers", undefined, { "x-tenant-id": "globex" }],
  ["POST", "/query", { sql: "SELECT 1 AS one", params: [] }, { "x-tenant-id": "acme" }],
  ["GET", "/schema"],
  ["OPTIONS", "/t/acme/rest/customers"],
  [
    "POST",
    "/t/acme/query",
    { sql: "INSERT INTO extra (v) VALUES ('k')", params: [] },
    { "idempotency-key": "k1" },
  ],
  [
    "POST",
    "/t/acme/query",
    { sql: "INSERT INTO extra (v) VALUES ('k')", params: [] },
    { "idempotency-key": "k1" },
  ],
  [
    "POST",
    "/t/acme/query",
    { sql: "INSERT INTO extra (v) VALUES ('l')", params: [] },
    { "idempotency-key": "k1" },
  ],
  ["PATCH", "/t/acme/rest/extra?v=eq.k", { v: "m" }, { "idempotency-key": "k2" }],
  ["PATCH", "/t/acme/rest/extra?v=eq.k", { v: "m" }, { "idempotency-key": "k2" }],
  ["POST", "/t/acme/rest/extra", { v: "n" }, { "idempotency-key": "k3" }],
  ["POST", "/t/acme/rest/extra", { v: "n" }, { "idempotency-key": "k3" }],
  ["GET", "/t/acme/rest/extra?order=id"],
];

test("with executors, every answer is the same", async () => {
  const inside = await runningServer({ tenants: ["acme", "globex"] });
  const outside = await runningServer({ tenants: ["acme", "globex"], executors: { executors: 1 } });
  for (const request of REQUESTS) {
    const expected = comparable(await inside.send(...request), inside.url);
    const answered = comparable(await outside.send(...request), outside.url);
    expect(answered, JSON.stringify(request).slice(0, 200)).toEqual(expected);
  }
});

/** An answer without what differs between two servers, or between two moments. */
function comparable({ status, headers, text }: Answer, url: string): object {
  const {
    date: _date,
    connection: _connection,
    "keep-alive": _keepAlive,
    ...rest
  } = Object.fromEntries(headers);
  const measured = text.replace(/"duration":[\d.e-]+/g, '"duration":0').replaceAll(url, "URL");
  // How a body is framed is the socket's business.
  const { "content-length": _length, "transfer-encoding": _encoding, ...same } = rest;
  return { status, ...same, text: measured };
}
