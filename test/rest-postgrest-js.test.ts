// Owns the row API as postgrest-js uses it, over a real socket and a real file.
import { describe, expect, test } from "vitest";
import { restApp } from "./rest-app.ts";

const SQL = `
  CREATE TABLE customers (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, city TEXT, credit NUMERIC(10,2) DEFAULT 0,
    vip BOOLEAN NOT NULL DEFAULT 0, meta JSON, photo BLOB, loose
  );
  CREATE TABLE orders (
    id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers (id), total REAL, note TEXT
  );
  CREATE VIEW spending AS
    SELECT c.id, c.name, sum(o.total) AS spent, count(*) AS orders, upper(c.city) AS city
    FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY c.id;
  CREATE VIRTUAL TABLE search USING fts5(name, city);
  INSERT INTO customers (id, name, city, credit, vip, meta, loose) VALUES
    (1, 'Ada', 'London', 10.5, 1, '{"tags":["a","b"],"age":36,"address":{"zip":"W1"}}', 5),
    (2, 'Bob', 'Paris', 20, 0, '{"tags":[],"age":7}', '5'),
    (3, 'Cleo, Jr.', NULL, 0, 0, NULL, 'x'),
    (4, 'dan', 'london', -3, 1, 'no json', NULL);
  INSERT INTO orders (id, customer_id, total, note) VALUES
    (1, 1, 9.5, 'first'), (2, 1, 0.5, '100%'), (3, 2, 30, 'under_score'), (4, 4, 2, NULL);
  INSERT INTO search (rowid, name, city) SELECT id, name, coalesce(city, '') FROM customers;
`;

const names = (rows: unknown): unknown[] => (rows as { name: unknown }[]).map((row) => row.name);

describe("filters", () => {
  test("compare numbers and texts by the column's type", async () => {
    const { client } = await restApp(SQL);
    const of = async (
      build: (query: ReturnType<typeof all>) => PromiseLike<{ data: unknown; error: unknown }>,
    ) => {
      const { data, error } = await build(all().order("id"));
      expect(error).toBeNull();
      return names(data);
    };
    const all = () => client.from("customers").select("name");
    expect(await of((q) => q.eq("id", 2))).toEqual(["Bob"]);
    expect(await of((q) => q.neq("id", 2))).toEqual(["Ada", "Cleo, Jr.", "dan"]);
    expect(await of((q) => q.gt("credit", 9))).toEqual(["Ada", "Bob"]);
    expect(await of((q) => q.gte("credit", 10.5).lt("credit", 20))).toEqual(["Ada"]);
    expect(await of((q) => q.lte("name", "B"))).toEqual(["Ada"]);
    expect(await of((q) => q.like("name", "%d%"))).toEqual(["Ada", "dan"]);
    expect(await of((q) => q.like("name", "D*"))).toEqual([]);
    expect(await of((q) => q.ilike("name", "D*"))).toEqual(["dan"]);
    expect(await of((q) => q.likeAnyOf("name", ["A%", "B%"]))).toEqual(["Ada", "Bob"]);
    expect(await of((q) => q.likeAllOf("name", ["A%", "%a"]))).toEqual(["Ada"]);
    expect(await of((q) => q.ilikeAnyOf("name", ["a%", "D%"]))).toEqual(["Ada", "dan"]);
    expect(await of((q) => q.in("id", [1, 3, 99]))).toEqual(["Ada", "Cleo, Jr."]);
    expect(await of((q) => q.in("name", ["Cleo, Jr.", "Bob"]))).toEqual(["Bob", "Cleo, Jr."]);
    expect(await of((q) => q.notIn("id", [1, 3]))).toEqual(["Bob", "dan"]);
    expect(await of((q) => q.in("id", []))).toEqual([]);
    expect(await of((q) => q.is("city", null))).toEqual(["Cleo, Jr."]);
    expect(await of((q) => q.not("city", "is", null))).toEqual(["Ada", "Bob", "dan"]);
    expect(await of((q) => q.is("vip", true))).toEqual(["Ada", "dan"]);
    expect(await of((q) => q.eq("vip", true))).toEqual(["Ada", "dan"]);
    expect(await of((q) => q.eq("vip", false))).toEqual(["Bob", "Cleo, Jr."]);
    expect(await of((q) => q.isDistinct("city", "Paris"))).toEqual(["Ada", "Cleo, Jr.", "dan"]);
    expect(await of((q) => q.or("id.eq.1,and(id.gt.1,name.like.B*)"))).toEqual(["Ada", "Bob"]);
    expect(await of((q) => q.or('name.eq."Cleo, Jr.",id.in.(1,2)'))).toEqual(["Ada", "Bob", "Cleo, Jr."]);
    expect(await of((q) => q.not("id", "in", "(1,2)"))).toEqual(["Cleo, Jr.", "dan"]);
    expect(await of((q) => q.filter("name", "not.like", "*d*"))).toEqual(["Bob", "Cleo, Jr."]);
    expect(await of((q) => q.match({ id: 1, name: "Ada" }))).toEqual(["Ada"]);
  });

  test("a long list of values travels as one parameter", async () => {
    const { client } = await restApp(SQL);
    const many = Array.from({ length: 500 }, (_, i) => i + 2);
    const numbers = await client.from("customers").select("name").in("id", many);
    expect(names(numbers.data)).toEqual(["Bob", "Cleo, Jr.", "dan"]);
    const texts = await client
      .from("customers")
      .select("name")
      .in("name", [...many.map(String), "Cleo, Jr."]);
    expect(names(texts.data)).toEqual(["Cleo, Jr."]);
    const loose = await client
      .from("customers")
      .select("name")
      .in("loose", [...many, "x"]);
    expect(names(loose.data)).toEqual(["Ada", "Bob", "Cleo, Jr."]);
  });

  test("a column without a type matches the number and the text", async () => {
    const { client } = await restApp(SQL);
    const select = () => client.from("customers").select("name");
    expect(names((await select().eq("loose", 5)).data)).toEqual(["Ada", "Bob"]);
    expect(names((await select().eq("loose", "x")).data)).toEqual(["Cleo, Jr."]);
    expect(names((await select().in("loose", [5, "x"])).data)).toEqual(["Ada", "Bob", "Cleo, Jr."]);
    expect(names((await select().isDistinct("loose", 5)).data)).toEqual(["Cleo, Jr.", "dan"]);
    expect(names((await select().neq("loose", "x")).data)).toEqual(["Ada", "Bob"]);
  });

  test("a view's computed columns compare as what they hold", async () => {
    const { client } = await restApp(SQL);
    const view = () => client.from("spending").select();
    expect((await view().eq("orders", 2)).data).toEqual([
      { id: 1, name: "Ada", spent: 10, orders: 2, city: "LONDON" },
    ]);
    expect(names((await view().gt("spent", 5)).data)).toEqual(["Ada", "Bob"]);
    expect(names((await view().eq("city", "LONDON").order("id", { ascending: false })).data)).toEqual([
      "dan",
      "Ada",
    ]);
    expect(names((await view().eq("id", 2)).data)).toEqual(["Bob"]);
  });

  test("like takes its wildcards, and what is escaped literally", async () => {
    const { client } = await restApp(SQL);
    const ids = async (pattern: string, way: "like" | "ilike") =>
      ((await client.from("orders").select("id")[way]("note", pattern)).data as { id: number }[]).map(
        ({ id }) => id,
      );
    for (const way of ["like", "ilike"] as const) {
      expect(await ids("%\\%", way)).toEqual([2]);
      expect(await ids("*\\_*", way)).toEqual([3]);
      expect(await ids("f_rst", way)).toEqual([1]);
      expect(await ids("[f]irst", way)).toEqual([]);
    }
  });

  test("JSON paths select, filter and order", async () => {
    const { client } = await restApp(SQL);
    const { data } = await client
      .from("customers")
      .select("id, meta->>age, tags:meta->tags, meta->address->>zip, first:meta->tags->0")
      .order("id");
    expect(data).toEqual([
      { id: 1, age: 36, tags: ["a", "b"], zip: "W1", first: "a" },
      { id: 2, age: 7, tags: [], zip: null, first: null },
      { id: 3, age: null, tags: null, zip: null, first: null },
      { id: 4, age: null, tags: null, zip: null, first: null },
    ]);
    expect(names((await client.from("customers").select().gt("meta->age", 7)).data)).toEqual(["Ada"]);
    expect(names((await client.from("customers").select().eq("meta->>age", 7)).data)).toEqual(["Bob"]);
    expect(names((await client.from("customers").select().isDistinct("meta->>age", 7)).data)).toEqual([
      "Ada",
      "Cleo, Jr.",
      "dan",
    ]);
    const ordered = await client
      .from("customers")
      .select()
      .order("meta->>age", { ascending: false, nullsFirst: false });
    expect(names(ordered.data).slice(0, 2)).toEqual(["Ada", "Bob"]);
  });

  test("an FTS5 table is searched, anywhere among the conditions", async () => {
    const { client } = await restApp(SQL);
    const search = () => client.from("search").select("rowid, name");
    expect(names((await search().textSearch("city", "lond*")).data)).toEqual(["Ada", "dan"]);
    expect(names((await search().textSearch("search", "paris OR ada")).data)).toEqual(["Ada", "Bob"]);
    expect(names((await search().textSearch("name", "jr cleo", { type: "plain" })).data)).toEqual([
      "Cleo, Jr.",
    ]);
    expect((await search().textSearch("name", "jr cleo", { type: "phrase" })).data).toEqual([]);
    expect((await search().or("name.fts.bob,city.fts.nowhere")).data).toEqual([{ rowid: 2, name: "Bob" }]);
    expect(names((await search().not("city", "fts", "london")).data)).toEqual(["Bob", "Cleo, Jr."]);
    const none = await client.from("customers").select().textSearch("name", "x");
    expect(none.error).toMatchObject({ code: "UNSUPPORTED" });
  });
});

describe("order, range and count", () => {
  test("nulls count as largest unless said otherwise", async () => {
    const { client } = await restApp(SQL);
    const cities = async (options: { ascending?: boolean; nullsFirst?: boolean }) =>
      ((await client.from("customers").select("city").order("city", options)).data as { city: string }[]).map(
        ({ city }) => city,
      );
    expect(await cities({})).toEqual(["London", "Paris", "london", null]);
    expect(await cities({ ascending: false })).toEqual([null, "london", "Paris", "London"]);
    expect(await cities({ nullsFirst: true })).toEqual([null, "London", "Paris", "london"]);
    expect(await cities({ ascending: false, nullsFirst: false })).toEqual([
      "london",
      "Paris",
      "London",
      null,
    ]);
  });

  test("pages with and without a count", async () => {
    const { client } = await restApp(SQL);
    const page = await client.from("customers").select("id", { count: "exact" }).order("id").range(1, 2);
    expect(page).toMatchObject({ data: [{ id: 2 }, { id: 3 }], count: 4, status: 206 });
    const all = await client.from("customers").select("id", { count: "exact" }).gt("id", 1);
    expect(all).toMatchObject({ count: 3, status: 200 });
    const beyond = await client.from("customers").select("id", { count: "exact" }).range(9, 10);
    expect(beyond).toMatchObject({ status: 416, error: { code: "RANGE_NOT_SATISFIABLE" } });
    const uncounted = await client.from("customers").select("id").range(9, 10);
    expect(uncounted).toMatchObject({ status: 200, data: [] });
    const limited = await client.from("customers").select("id").order("id", { ascending: false }).limit(1);
    expect(limited.data).toEqual([{ id: 4 }]);
  });

  test("HEAD counts without rows", async () => {
    const { client } = await restApp(SQL);
    expect(await client.from("customers").select("*", { count: "exact", head: true })).toMatchObject({
      count: 4,
      data: null,
      status: 200,
    });
    expect(
      await client.from("customers").select("*", { count: "estimated", head: true }).limit(2),
    ).toMatchObject({
      count: 4,
      status: 206,
    });
  });

  test("Range and limit meet in what both allow", async () => {
    const { get } = await restApp(SQL);
    const range = async (query: string, headers: Record<string, string>) => {
      const answer = await get(`/customers?select=id&order=id${query}`, { headers });
      return [answer.status, answer.headers.get("content-range"), await answer.json()];
    };
    expect(await range("", { Range: "0-1" })).toEqual([200, "0-1/*", [{ id: 1 }, { id: 2 }]]);
    expect(await range("", { Range: "2-", "Range-Unit": "items", Prefer: "count=exact" })).toEqual([
      206,
      "2-3/4",
      [{ id: 3 }, { id: 4 }],
    ]);
    expect(await range("&limit=1&offset=1", { Range: "0-2" })).toEqual([200, "1-1/*", [{ id: 2 }]]);
    expect(await range("&limit=0", { Prefer: "count=exact" })).toEqual([206, "*/4", []]);
    expect(await range("", { Range: "bytes=0-1" })).toMatchObject([200, "0-3/*", [{ id: 1 }, {}, {}, {}]]);
    expect(await range("", { Range: "3-1" })).toMatchObject([416, null, { code: "RANGE_NOT_SATISFIABLE" }]);
  });
});

describe("forms of answers", () => {
  test("single and maybeSingle", async () => {
    const { client } = await restApp(SQL);
    expect((await client.from("customers").select("name").eq("id", 1).single()).data).toEqual({
      name: "Ada",
    });
    expect(await client.from("customers").select("name").eq("id", 99).single()).toMatchObject({
      status: 406,
      error: { code: "NOT_SINGULAR" },
    });
    expect(await client.from("customers").select("name").single()).toMatchObject({ status: 406 });
    expect((await client.from("customers").select("name").eq("id", 99).maybeSingle()).data).toBeNull();
    expect((await client.from("customers").select("name").eq("id", 1).maybeSingle()).data).toEqual({
      name: "Ada",
    });
  });

  test("CSV", async () => {
    const { client, get } = await restApp(SQL);
    const { data } = await client.from("customers").select("id,name,city,vip").order("id").csv();
    expect(data).toBe(
      'id,name,city,vip\n1,Ada,London,true\n2,Bob,Paris,false\n3,"Cleo, Jr.",,false\n4,dan,london,true\n',
    );
    const none = await get("/customers?select=id,name&id=eq.99", { headers: { accept: "text/csv" } });
    expect([none.headers.get("content-type"), await none.text()]).toEqual([
      "text/csv; charset=utf-8",
      "id,name\n",
    ]);
  });

  test("nulls are stripped when asked for", async () => {
    const { client } = await restApp(SQL);
    expect((await client.from("customers").select("id,city").eq("id", 3).stripNulls()).data).toEqual([
      { id: 3 },
    ]);
  });

  test("columns declared BOOLEAN, JSON and BLOB are shown as such", async () => {
    const { client } = await restApp(SQL);
    await client.from("customers").update({ photo: "\\x00ff10" }).eq("id", 1);
    const { data } = await client.from("customers").select("vip,meta,photo").in("id", [1, 4]).order("id");
    expect(data).toEqual([
      { vip: true, meta: { tags: ["a", "b"], age: 36, address: { zip: "W1" } }, photo: "\\x00ff10" },
      { vip: true, meta: "no json", photo: null },
    ]);
    expect((await client.from("customers").select("id").eq("photo", "\\x00ff10")).data).toEqual([{ id: 1 }]);
    expect((await client.from("customers").update({ photo: "\\xabc" }).eq("id", 1)).error).toMatchObject({
      code: "INVALID_FILTER",
    });
  });

  test("64-bit integers keep their digits, in and out", async () => {
    const { get, post, client } = await restApp(SQL);
    await post("/orders", '{"id":9007199254740993,"customer_id":1,"total":1e3,"note":"big"}');
    const answer = await get("/orders?select=id,total&id=eq.9007199254740993");
    expect(await answer.text()).toBe('[{"id":9007199254740993,"total":1000}]');
    const csv = await get("/orders?select=id&id=gt.4", { headers: { accept: "text/csv" } });
    expect(await csv.text()).toBe("id\n9007199254740993\n");
    const gone = await get("/orders?id=eq.9007199254740993&select=id", {
      method: "DELETE",
      headers: { prefer: "return=representation" },
    });
    expect(await gone.text()).toBe('[{"id":9007199254740993}]');
    expect((await client.from("orders").select("id").gt("id", 4)).data).toEqual([]);
  });
});

describe("writes", () => {
  test("insert one and many, with and without the rows back", async () => {
    const { client } = await restApp(SQL);
    expect(await client.from("orders").insert({ customer_id: 1, total: 1 })).toMatchObject({
      status: 201,
      data: null,
    });
    const one = await client.from("orders").insert({ customer_id: 1, total: 2, note: "n" }).select().single();
    expect(one).toMatchObject({ status: 201, data: { id: 6, customer_id: 1, total: 2, note: "n" } });
    const many = await client
      .from("orders")
      .insert([{ customer_id: 1 }, { customer_id: 2, note: "x" }], { count: "exact" })
      .select("nr:id,note");
    expect(many).toMatchObject({
      status: 201,
      count: 2,
      data: [
        { nr: 7, note: null },
        { nr: 8, note: "x" },
      ],
    });
    expect(await client.from("orders").insert([])).toMatchObject({ status: 201 });
  });

  test("a key that a row lacks is null, or its default when asked for", async () => {
    const { client } = await restApp(SQL);
    const rows = [{ name: "E" }, { name: "F", credit: 5, vip: true }, { name: "G" }];
    const filled = await client
      .from("customers")
      .insert(rows, { defaultToNull: false })
      .select("name,credit,vip");
    expect(filled.data).toEqual([
      { name: "E", credit: 0, vip: false },
      { name: "F", credit: 5, vip: true },
      { name: "G", credit: 0, vip: false },
    ]);
    const nulls = await client
      .from("customers")
      .insert([
        { name: "H", vip: true },
        { name: "I", vip: true, credit: 1 },
      ])
      .select("credit");
    expect(nulls.data).toEqual([{ credit: null }, { credit: 1 }]);
  });

  test("rows without columns= must have the same keys", async () => {
    const { post } = await restApp(SQL);
    const answer = await post("/orders", [{ customer_id: 1 }, { note: "x" }]);
    expect([answer.status, await answer.json()]).toMatchObject([400, { code: "INVALID_ARGUMENT" }]);
    const defaults = await post("/customers", {}, { prefer: "return=representation" });
    expect(await defaults.json()).toMatchObject({ code: "CONSTRAINT" });
  });

  test("values keep their types", async () => {
    const { client } = await restApp(SQL);
    const row = {
      name: 12345,
      credit: 1.5,
      vip: true,
      meta: { a: [1, null, "x"] },
      loose: 7,
    };
    const { data } = await client
      .from("customers")
      .insert(row)
      .select("id,name,credit,vip,meta,loose")
      .single();
    expect(data).toEqual({
      id: 5,
      name: "12345",
      credit: 1.5,
      vip: true,
      meta: { a: [1, null, "x"] },
      loose: 7,
    });
    for (const meta of ["text", "5", 5, true, [1], null]) {
      const back = await client.from("customers").update({ meta }).eq("id", 5).select("meta").single();
      expect(back.data).toEqual({ meta });
    }
    const loose = await client.from("customers").select("id").filter("loose", "eq", "7");
    expect(loose.data).toEqual([{ id: 5 }]);
  });

  test("upsert merges or ignores duplicates, by primary key or another unique column", async () => {
    const { client } = await restApp(SQL);
    const merged = await client
      .from("customers")
      .upsert([
        { id: 1, name: "Ada L." },
        { id: 9, name: "Nina" },
      ])
      .select("id,name,city");
    expect(merged).toMatchObject({
      status: 201,
      data: [
        { id: 1, name: "Ada L.", city: "London" },
        { id: 9, name: "Nina", city: null },
      ],
    });
    const updated = await client.from("customers").upsert({ id: 1, name: "Ada" }).select("name");
    expect(updated).toMatchObject({ status: 200, data: [{ name: "Ada" }] });
    const byName = await client
      .from("customers")
      .upsert({ name: "Bob", city: "Rome" }, { onConflict: "name" })
      .select("id,city");
    expect(byName).toMatchObject({ status: 200, data: [{ id: 2, city: "Rome" }] });
    const ignored = await client
      .from("customers")
      .upsert(
        [
          { name: "Bob", city: "Oslo" },
          { name: "Olga", city: "Oslo" },
        ],
        { onConflict: "name", ignoreDuplicates: true },
      )
      .select("name");
    expect(ignored).toMatchObject({ status: 201, data: [{ name: "Olga" }] });
    const wrong = await client.from("customers").upsert({ name: "x", city: "y" }, { onConflict: "city" });
    expect(wrong.error).toMatchObject({ code: "SQL_ERROR" });
  });

  test("PUT makes or replaces the one row that it names", async () => {
    const { post } = await restApp(SQL);
    const prefer = { prefer: "return=representation" };
    const put = (path: string, body: unknown) => post(path, body, prefer, "PUT");
    expect((await put("/orders?id=eq.50", { id: 50, customer_id: 1 })).status).toBe(201);
    const again = await put("/orders?id=eq.50", { id: 50, customer_id: 2 });
    expect([again.status, await again.json()]).toEqual([
      200,
      [{ id: 50, customer_id: 2, total: null, note: null }],
    ]);
    expect((await post("/orders?id=eq.51", { id: 51, customer_id: 2 }, {}, "PUT")).status).toBe(204);
    for (const [path, body] of [
      ["/orders?id=eq.50", { id: 51, customer_id: 2 }],
      ["/orders?id=gt.50", { id: 50, customer_id: 2 }],
      ["/orders", { id: 50, customer_id: 2 }],
      ["/orders?id=eq.50", [{ id: 50 }, { id: 50 }]],
    ] as const) {
      expect((await put(path, body)).status, path).toBe(400);
    }
  });

  test("update and delete change what the filter names, and tell how many", async () => {
    const { client } = await restApp(SQL);
    const updated = await client.from("customers").update({ city: "Bonn" }, { count: "exact" }).lt("id", 3);
    expect(updated).toMatchObject({ status: 204, count: 2 });
    const back = await client
      .from("customers")
      .update({ city: null, credit: 1 })
      .eq("id", 1)
      .select("id,city,credit");
    expect(back).toMatchObject({ status: 200, data: [{ id: 1, city: null, credit: 1 }] });
    const gone = await client.from("orders").delete({ count: "exact" }).eq("customer_id", 1).select("id");
    expect(gone).toMatchObject({ status: 200, count: 2, data: [{ id: 1 }, { id: 2 }] });
    expect(await client.from("orders").delete().eq("id", 3)).toMatchObject({ status: 204, data: null });
    expect((await client.from("orders").select("id")).data).toEqual([{ id: 4 }]);
    expect((await client.from("orders").update({}).eq("id", 4).select()).data).toEqual([]);
  });

  test("without a filter nothing is updated or deleted", async () => {
    const { client } = await restApp(SQL);
    expect((await client.from("orders").delete()).error).toMatchObject({ code: "FILTER_REQUIRED" });
    expect((await client.from("orders").update({ note: "x" })).error).toMatchObject({
      code: "FILTER_REQUIRED",
    });
    expect((await client.from("orders").delete().eq("id", 1).limit(1)).error).toMatchObject({
      code: "UNSUPPORTED",
    });
    expect((await client.from("orders").delete().not("id", "is", null).select("id")).data).toHaveLength(4);
  });

  test("a write of more rows than allowed is taken back whole", async () => {
    const { client, get } = await restApp(SQL);
    const strict = { method: "DELETE", headers: { prefer: "handling=strict, max-affected=3" } };
    expect(await (await get("/orders?id=gt.0", strict)).json()).toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("would change 4 rows"),
    });
    const single = await client.from("orders").update({ note: "x" }).gt("id", 2).select().single();
    expect(single).toMatchObject({ status: 406, error: { code: "NOT_SINGULAR" } });
    const none = await client.from("orders").update({ note: "x" }).eq("id", 99).select().single();
    expect(none.status).toBe(406);
    const two = await client
      .from("orders")
      .insert([{ customer_id: 1 }, { customer_id: 1 }])
      .select()
      .single();
    expect(two.status).toBe(406);
    expect((await client.from("orders").select("*").eq("note", "x")).data).toEqual([]);
    expect((await client.from("orders").select("id")).data).toHaveLength(4);
    const allowed = await get("/orders?id=gt.1", strict);
    expect([allowed.status, allowed.headers.get("preference-applied")]).toEqual([
      204,
      "handling=strict, max-affected=3",
    ]);
  });

  test("many rows are one transaction, however many statements they take", async () => {
    const { post, client } = await restApp(SQL);
    const note = "x".repeat(300_000);
    const rows = Array.from({ length: 10 }, () => ({ customer_id: 1, note }));
    expect((await post("/orders", [...rows, { customer_id: 99, note }])).status).toBe(409);
    expect((await client.from("orders").select("id")).data).toHaveLength(4);
    expect((await post("/orders", rows, { prefer: "count=exact" })).headers.get("content-range")).toBe(
      "*/10",
    );
    expect((await client.from("orders").select("id")).data).toHaveLength(14);
  });

  test("headers-only tells where the new row is", async () => {
    const { post } = await restApp(SQL);
    const answer = await post("/orders", { customer_id: 1 }, { prefer: "return=headers-only" });
    expect([answer.status, answer.headers.get("location"), await answer.text()]).toEqual([
      201,
      "/t/acme/rest/orders?id=eq.5",
      "",
    ]);
    expect(answer.headers.get("preference-applied")).toBe("return=headers-only");
  });
});
