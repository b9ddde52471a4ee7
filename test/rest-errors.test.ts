// Owns what the row API refuses, with which code, and that the tenant works afterwards.
import { expect, test } from "vitest";
import { restApp } from "./rest-app.ts";

const SQL = `
  CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, "a b" TEXT, total REAL, price NUMERIC(10,2));
  CREATE TABLE d1_migrations (id INTEGER PRIMARY KEY, name TEXT);
  CREATE VIEW plain AS SELECT id, name FROM customers;
  CREATE VIEW writable AS SELECT id, name FROM customers;
  CREATE TRIGGER writable_insert INSTEAD OF INSERT ON writable BEGIN
    INSERT INTO customers (name) VALUES (new.name);
  END;
  INSERT INTO customers (name) VALUES ('Ada'), ('Bob'), ('Cleo');
  INSERT INTO d1_migrations VALUES (1, '0001_first.sql');
`;

test("each wrong query has its code, and names what would be right", async () => {
  const { get } = await restApp(SQL);
  const cases: [string, string, RegExp?][] = [
    ["/custmers", "TABLE_NOT_FOUND", /Did you mean "customers"/],
    ["/customers?nme=eq.1", "COLUMN_NOT_FOUND", /Did you mean "name"/],
    ["/customers?select=id,nam", "COLUMN_NOT_FOUND", /Did you mean "name"/],
    ["/customers?order=nam", "COLUMN_NOT_FOUND"],
    ["/customers?or=(nam.eq.1)", "COLUMN_NOT_FOUND"],
    ["/customers?id=5", "INVALID_FILTER"],
    ["/customers?id=equals.5", "INVALID_FILTER"],
    ["/customers?id=eq.five", "INVALID_FILTER"],
    ["/customers?total=lt.abc", "INVALID_FILTER"],
    ["/customers?price=lt.abc", "INVALID_FILTER"],
    ["/customers?id=in.1,2", "INVALID_FILTER"],
    ["/customers?id=in.(1,2", "INVALID_FILTER"],
    ["/customers?id=is.maybe", "INVALID_FILTER"],
    ["/customers?or=id.eq.1", "INVALID_FILTER"],
    ["/customers?or=()", "INVALID_FILTER"],
    ["/customers?order=id.up", "INVALID_FILTER"],
    ["/customers?select=id,,name", "INVALID_FILTER"],
    [`/customers?or=${"(and".repeat(30)}`, "INVALID_FILTER"],
    [`/customers?or=(${Array(300).fill("id.eq.1").join(",")})`, "INVALID_FILTER"],
    ["/customers?limit=-1", "INVALID_ARGUMENT"],
    ["/customers?limit=x", "INVALID_ARGUMENT"],
    ["/customers?limit=1&limit=2", "INVALID_ARGUMENT"],
    ["/customers?columns=id", "INVALID_ARGUMENT"],
    ["/customers?id=eq.%ff", "INVALID_ARGUMENT"],
    ["/customers?select=id::text", "UNSUPPORTED"],
    ["/customers?select=id,invoices(*)", "UNSUPPORTED"],
    ["/customers?select=...invoices(id)", "UNSUPPORTED"],
    ["/customers?select=total.sum()", "UNSUPPORTED"],
    ["/customers?select=count()", "UNSUPPORTED"],
    ["/customers?invoices.id=eq.1", "UNSUPPORTED"],
    ["/customers?invoices.order=id", "UNSUPPORTED"],
    ["/customers?name=match.^a", "UNSUPPORTED"],
    ["/customers?name=cs.{a}", "UNSUPPORTED"],
    ["/customers?name=fts.a", "UNSUPPORTED"],
  ];
  for (const [path, code, hint] of cases) {
    const answer = await get(path);
    const body = (await answer.json()) as { code: string; message: string; hint?: string };
    expect([body.code, answer.headers.get("content-type")], path).toEqual([code, "application/json"]);
    expect(answer.status, path).toBeGreaterThanOrEqual(400);
    if (hint !== undefined) expect(body.hint).toMatch(hint);
  }
  expect(await (await get("/customers?id=eq.1&select=name")).json()).toEqual([{ name: "Ada" }]);
});

test("a name in quotes may hold anything", async () => {
  const { get } = await restApp(SQL);
  expect((await get("/customers?select=%22a%20b%22&%22a%20b%22=is.null")).status).toBe(200);
  expect((await get("/customers?select=a%20b")).status).toBe(200);
  const hostile = await get(`/customers?select=${encodeURIComponent('x:"id\\" FROM customers; --"')}`);
  expect(await hostile.json()).toMatchObject({ code: "COLUMN_NOT_FOUND" });
  const alias = await get(
    `/customers?select=${encodeURIComponent('"x\\" ; DROP TABLE customers; --":id')}&id=eq.1`,
  );
  expect(await alias.json()).toEqual([{ 'x" ; DROP TABLE customers; --': 1 }]);
});

test("bodies must be JSON, of objects, and not too large", async () => {
  const { post, get } = await restApp(SQL, { limits: { maxBodyBytes: 1_000 } });
  const code = async (answer: Promise<Response>) => ((await (await answer).json()) as { code: string }).code;
  expect(await code(post("/customers", "{"))).toBe("INVALID_JSON");
  expect(await code(post("/customers", ""))).toBe("INVALID_JSON");
  expect(await code(post("/customers", "[1]"))).toBe("INVALID_ARGUMENT");
  expect(await code(post("/customers", "null"))).toBe("INVALID_ARGUMENT");
  expect(await code(post("/customers", { nme: "x" }))).toBe("COLUMN_NOT_FOUND");
  expect(await code(post("/customers", { name: "x" }, { "content-type": "text/plain" }))).toBe(
    "UNSUPPORTED_MEDIA_TYPE",
  );
  expect(await code(post("/customers", { name: "x".repeat(1_000) }))).toBe("BODY_TOO_LARGE");
  const chunked = get("/customers", {
    method: "POST",
    headers: { "content-type": "application/json" },
    duplex: "half",
    body: new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(500).fill(32)),
    }),
  } as RequestInit);
  expect(await code(chunked)).toBe("BODY_TOO_LARGE");
  expect(await code(post("/customers", { name: "Ada" }))).toBe("CONSTRAINT");
  expect((await post("/customers", { name: "Dan" })).status).toBe(201);
});

test("more rows than allowed are refused, never cut off", async () => {
  const { get } = await restApp(SQL, { limits: { maxRows: 2 } });
  expect(await (await get("/customers")).json()).toMatchObject({ code: "TOO_MANY_ROWS" });
  expect(await (await get("/customers?limit=2&select=id")).json()).toHaveLength(2);
});

test("an answer beyond the bytes allowed is refused", async () => {
  const { get, handle } = await restApp(SQL, { limits: { maxResponseBytes: 2_000 } });
  await handle.run({ sql: "UPDATE customers SET name = ? WHERE id = 1", params: ["x".repeat(3_000)] });
  expect(await (await get("/customers")).json()).toMatchObject({ code: "RESPONSE_TOO_LARGE" });
  expect(await (await get("/customers?id=eq.1")).json()).toMatchObject({ code: "RESPONSE_TOO_LARGE" });
  expect((await get("/customers?id=eq.2")).status).toBe(200);
});

test("internal tables are readable, never writable; shadow tables are not there", async () => {
  const { client } = await restApp(`${SQL} CREATE VIRTUAL TABLE words USING fts5(word);`);
  expect((await client.from("d1_migrations").select("name")).data).toEqual([{ name: "0001_first.sql" }]);
  for (const write of [
    client.from("d1_migrations").insert({ name: "x" }),
    client.from("d1_migrations").delete().eq("id", 1),
    client.from("d1_migrations").update({ name: "x" }).eq("id", 1),
    client.from("sqlite_schema").delete().eq("name", "customers"),
  ]) {
    expect((await write).error).toMatchObject({ code: "READ_ONLY" });
  }
  expect((await client.from("words_data").select()).error).toMatchObject({ code: "TABLE_NOT_FOUND" });
});

test("a view is read, and written where its triggers do it", async () => {
  const { client } = await restApp(SQL);
  expect((await client.from("plain").select().eq("id", 1)).data).toEqual([{ id: 1, name: "Ada" }]);
  expect((await client.from("plain").insert({ name: "x" })).error).toMatchObject({ code: "SQL_ERROR" });
  expect(await client.from("writable").insert({ name: "Dora" })).toMatchObject({ status: 201 });
  expect((await client.from("plain").select("name").eq("id", 4)).data).toEqual([{ name: "Dora" }]);
});

test("a view whose table is gone does not take the others with it", async () => {
  const { client, handle } = await restApp(SQL);
  await handle.exec("CREATE TABLE t (a); CREATE VIEW broken AS SELECT a FROM t; DROP TABLE t;");
  expect((await client.from("plain").select("id")).data).toHaveLength(3);
  expect((await client.from("broken").select()).error).toMatchObject({ code: "SQL_ERROR" });
});

test("preferences are told back, refused when strict, and tx=rollback is not ignored", async () => {
  const { get, post } = await restApp(SQL);
  const counted = await get("/customers", { headers: { prefer: "count=exact, foo=bar" } });
  expect(counted.headers.get("preference-applied")).toBe("count=exact");
  const strict = await get("/customers", { headers: { prefer: "handling=strict, foo=bar" } });
  expect(await strict.json()).toMatchObject({ code: "INVALID_ARGUMENT" });
  const rollback = await post("/customers", { name: "x" }, { prefer: "tx=rollback" });
  expect(await rollback.json()).toMatchObject({ code: "UNSUPPORTED" });
  const upsert = await post(
    "/customers",
    { id: 1, name: "A" },
    { prefer: "resolution=merge-duplicates,return=minimal" },
  );
  expect([upsert.status, upsert.headers.get("preference-applied")]).toEqual([
    200,
    "resolution=merge-duplicates, return=minimal",
  ]);
});

test("each method asks for its right", async () => {
  const { get, post, asked } = await restApp(SQL);
  await get("/customers");
  await get("/customers", { method: "HEAD" });
  await post("/customers", { name: "x" });
  await get("/customers?id=eq.1", { method: "DELETE" });
  expect(asked).toEqual(["read", "read", "write", "write"]);
  expect((await get("/customers", { method: "OPTIONS" })).status).toBe(405);
});

test("another schema or form than there is, is refused", async () => {
  const { get } = await restApp(SQL);
  expect((await get("/customers", { headers: { "accept-profile": "public" } })).status).toBe(200);
  expect(await (await get("/customers", { headers: { "accept-profile": "other" } })).json()).toMatchObject({
    code: "UNSUPPORTED",
  });
  expect((await get("/customers", { headers: { accept: "application/geo+json" } })).status).toBe(400);
  const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
  expect((await get("/customers", { headers: { accept: browser } })).status).toBe(200);
});
