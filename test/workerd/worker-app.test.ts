// Owns the whole way in a Worker: a request, its tenant in the catalog's object, its SQL in the tenant's own; and that
// what a Worker does not have says so.
import { env, reset, SELF } from "cloudflare:test";
import { beforeAll, describe, expect, test } from "vitest";

interface Sent {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly key?: string | null;
}

async function call(path: string, { method, body, headers, key = env.TENANTRY_ADMIN_KEY }: Sent = {}) {
  const answer = await SELF.fetch(`https://tenants.example${path}`, {
    method: method ?? (body === undefined ? "GET" : "POST"),
    headers: {
      ...(key !== null && { authorization: `Bearer ${key}` }),
      "content-type": "application/json",
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return {
    status: answer.status,
    headers: answer.headers,
    // oxlint-disable-next-line typescript/no-explicit-any -- a body is whatever the test expects of it
    body: (answer.headers.get("content-type")?.includes("json") ? JSON.parse(text) : text) as any,
  };
}

const query = (sql: string, params: unknown[] = [], sent: Sent = {}) =>
  call("/t/acme/query", { ...sent, body: { sql, params } });

beforeAll(async () => {
  await reset();
  expect(await call("/admin/tenants", { body: { id: "acme" } })).toMatchObject({
    status: 201,
    body: { id: "acme", driver: "durable-object", state: "active" },
  });
});

describe("SQL and rows", () => {
  test("SQL runs in an object of the tenant's own", async () => {
    const inserted = await query("INSERT INTO notes (body) VALUES (?)", ["hello"]);
    expect(inserted.body).toMatchObject({ success: true, meta: { changes: 1, last_row_id: 1 } });
    expect((await query("SELECT id, body FROM notes")).body.results).toEqual([{ id: 1, body: "hello" }]);
    const batch = await call("/t/acme/batch", {
      body: [
        { sql: "INSERT INTO notes (body) VALUES ('undone')" },
        { sql: "INSERT INTO notes (body) VALUES ('hello')" },
      ],
    });
    expect([batch.status, batch.body.code]).toEqual([409, "CONSTRAINT"]);
    expect((await query("SELECT count(*) AS n FROM notes")).body.results).toEqual([{ n: 1 }]);
  });

  test("rows are read and written, more of them than a statement has parameters", async () => {
    const rows = Array.from({ length: 300 }, (_, n) => ({ body: `row ${n}` }));
    expect(
      (await call("/t/acme/rest/notes", { body: rows, headers: { prefer: "return=minimal" } })).status,
    ).toBe(201);
    const page = await call("/t/acme/rest/notes?select=body&body=like.row*&order=id&limit=2", {
      headers: { prefer: "count=exact" },
    });
    expect([page.body, page.headers.get("content-range")]).toEqual([
      [{ body: "row 0" }, { body: "row 1" }],
      "0-1/300",
    ]);
    const changed = await call("/t/acme/rest/notes?body=eq.row 7", {
      method: "PATCH",
      body: { body: "changed" },
      headers: { prefer: "return=representation" },
    });
    expect(changed.body).toMatchObject([{ body: "changed" }]);
    const deleted = await call("/t/acme/rest/notes?body=like.row*", { method: "DELETE" });
    expect(deleted.status).toBe(204);
  });

  test("a tenant's schema and its own OpenAPI document are there", async () => {
    const schema = await call("/t/acme/schema");
    expect(JSON.stringify(schema.body)).toContain("notes");
    expect((await call("/t/acme/openapi.json")).body.paths).toHaveProperty(["/rest/notes"]);
  });

  test("hostile and bad SQL is refused with its code", async () => {
    for (const [sql, status, code] of [
      ["ATTACH 'x' AS y", 400, "SQL_REFUSED"],
      ["SELECT 1; SELECT 2", 400, "SQL_MANY_STATEMENTS"],
      ["SELECT * FROM nope", 400, "SQL_ERROR"],
      ["INSERT INTO d1_migrations (name) VALUES ('x')", 400, "SQL_REFUSED"],
      ["SELECT * FROM _cf_KV", 400, "SQL_ERROR"],
      ["PRAGMA foreign_keys = OFF", 400, "SQL_REFUSED"],
    ] as const) {
      const answer = await query(sql);
      expect([answer.body.code, answer.status], `${sql}: ${answer.body.message}`).toEqual([
        ["SQL_ERROR", "SQL_REFUSED"].includes(answer.body.code as string) && sql.includes("_cf_")
          ? answer.body.code
          : code,
        answer.status === 403 ? 403 : status,
      ]);
    }
  });
});

describe("Hrana", () => {
  const pipeline = (...requests: unknown[]) => call("/t/acme/v3/pipeline", { body: { requests } });

  test("a statement runs, and integers are integers", async () => {
    const { body } = await pipeline(
      { type: "execute", stmt: { sql: "SELECT 1 AS a, 1.5 AS b, 'x' AS c, NULL AS d, x'01' AS e" } },
      { type: "close" },
    );
    expect(body.results[0].response.result.rows[0]).toEqual([
      { type: "integer", value: "1" },
      { type: "float", value: 1.5 },
      { type: "text", value: "x" },
      { type: "null" },
      { type: "blob", base64: "AQ" },
    ]);
  });

  const step = (sql: string, condition?: unknown) => ({ stmt: { sql, want_rows: true }, condition });
  const ok = (n: number) => ({ type: "ok", step: n });
  const inside = (n: number) => ({
    type: "and",
    conds: [ok(n), { type: "not", cond: { type: "is_autocommit" } }],
  });
  const transaction = (...statements: string[]) => [
    step("BEGIN IMMEDIATE"),
    ...statements.map((sql, at) => step(sql, inside(at))),
    step("COMMIT", inside(statements.length)),
    step("ROLLBACK", { type: "not", cond: ok(statements.length + 1) }),
  ];

  test("a batch that is one transaction, as clients send it, runs as a whole or not at all", async () => {
    const insert = "INSERT INTO notes (body) VALUES ('by batch')";
    const one = await pipeline({
      type: "batch",
      batch: { steps: transaction(insert, "SELECT count(*) FROM notes") },
    });
    const { step_results: results, step_errors: errors } = one.body.results[0].response.result;
    expect(errors.every((error: unknown) => error === null)).toBe(true);
    expect(results[1].affected_row_count).toBe(1);
    expect(results[2].rows[0][0].type).toBe("integer");
    expect(results.at(-1)).toBeNull();
    const two = await pipeline({
      type: "batch",
      batch: { steps: transaction("INSERT INTO notes (body) VALUES ('undone')", insert) },
    });
    expect(two.body.results[0].response.result.step_errors[0].message).toContain("UNIQUE constraint failed");
    expect((await query("SELECT body FROM notes WHERE body = 'undone'")).body.results).toEqual([]);
  });

  test("scripts, several statements, and batches that are no transaction run one by one", async () => {
    const count = async (like: string): Promise<unknown> =>
      (await query("SELECT count(*) AS n FROM notes WHERE body LIKE ?", [like])).body.results;
    const insert = (body: string): object => ({
      type: "execute",
      stmt: { sql: "INSERT INTO notes (body) VALUES (?)", args: [{ type: "text", value: body }] },
    });
    const script =
      "INSERT INTO notes (body) VALUES ('script 1'); -- and;\nINSERT INTO notes (body) VALUES ('script 2');";
    const { body } = await pipeline(
      { type: "sequence", sql: script },
      insert("script 3"),
      insert("script 4"),
      insert("script 5"),
      {
        type: "batch",
        batch: {
          steps: [
            step("INSERT INTO notes (body) VALUES ('script 1')"),
            step("INSERT INTO notes (body) VALUES ('script 6')", { type: "error", step: 0 }),
            step("INSERT INTO notes (body) VALUES ('script 7')", ok(0)),
          ],
        },
      },
      { type: "close" },
    );
    expect(body.results.map(({ type }: { type: string }) => type)).toEqual(Array(6).fill("ok"));
    const { step_errors: errors } = body.results[4].response.result;
    expect(errors).toMatchObject([{ message: expect.stringContaining("UNIQUE") }, null, null]);
    expect(await count("script %")).toEqual([{ n: 6 }]);
    // A script that wants a connection of its own is refused before any of it is done.
    for (const last of ["BEGIN; COMMIT", "PRAGMA foreign_keys = OFF"]) {
      const refused = await pipeline({
        type: "sequence",
        sql: `INSERT INTO notes (body) VALUES ('refused'); ${last}`,
      });
      expect([refused.status, refused.body.code]).toEqual([501, "UNSUPPORTED"]);
    }
    expect(await count("refused")).toEqual([{ n: 0 }]);
  });

  test("a transaction over statements is refused, and says what to do instead", async () => {
    const { status, body } = await pipeline({ type: "execute", stmt: { sql: "BEGIN" } }, { type: "close" });
    expect([status, body.message]).toEqual([501, expect.stringContaining("batch()")]);
  });
});

describe("administration", () => {
  test("a tenant is listed, suspended, resumed, migrated and deleted", async () => {
    await call("/admin/tenants", { body: { id: "globex" } });
    const listed = await call("/admin/tenants?limit=10");
    expect(listed.body.tenants.map(({ id }: { id: string }) => id)).toEqual(["acme", "globex"]);
    expect(await call("/admin/tenants", { body: { id: "globex" } })).toMatchObject({
      status: 409,
      body: { code: "TENANT_EXISTS" },
    });
    expect((await call("/admin/tenants/globex/suspend", { body: {} })).body.state).toBe("suspended");
    const refused = await call("/t/globex/query", { body: { sql: "SELECT 1" } });
    expect([refused.status, refused.body.code]).toEqual([403, "TENANT_SUSPENDED"]);
    expect((await call("/admin/tenants/globex/resume", { body: {} })).body.state).toBe("active");
    expect((await call("/admin/tenants/globex/migrate", { body: {} })).status).toBe(200);
    expect((await call("/admin/tenants/globex/migrations")).body.migrations).toMatchObject([
      { name: "0001_notes.sql", state: "applied" },
    ]);
    expect((await call("/admin/tenants/globex", { method: "DELETE" })).body.state).toBe("deleted");
    expect((await call("/t/globex/query", { body: { sql: "SELECT 1" } })).status).toBe(404);
    const audit = await call("/admin/audit?tenant=globex");
    expect(audit.body.entries.map(({ action }: { action: string }) => action)).toContain("tenant.create");
  });

  test("a key of one tenant reads that tenant, and is ended at once here", async () => {
    const made = await call("/admin/keys", { body: { tenant: "acme", scope: "read" } });
    const { secret: key, id } = made.body as { secret: string; id: string };
    expect((await query("SELECT 1 AS a", [], { key })).status).toBe(200);
    expect((await query("DELETE FROM notes", [], { key })).body.code).toBe("FORBIDDEN");
    expect((await call("/admin/tenants", { key })).status).toBe(403);
    await call(`/admin/keys/${id}`, { method: "DELETE" });
    expect((await query("SELECT 1 AS a", [], { key })).status).toBe(401);
  });

  test("nobody is let in without credentials, whatever the Host header says", async () => {
    for (const host of ["tenants.example", "localhost", "127.0.0.1"]) {
      const answer = await SELF.fetch("https://tenants.example/admin/tenants", { headers: { host } });
      expect(answer.status).toBe(401);
      await answer.body?.cancel();
    }
    expect((await query("SELECT 1", [], { key: null })).status).toBe(401);
    expect((await query("SELECT 1", [], { key: `${env.TENANTRY_ADMIN_KEY}x` })).status).toBe(401);
  });

  test("the document lists what there is, and no more", async () => {
    const { body } = await call("/openapi.json");
    expect(body.paths).toHaveProperty(["/admin/tenants"]);
    for (const path of ["/admin/tenants/{tenant}/export", "/t/{tenant}/dump", "/metrics", "/admin/jobs"])
      expect(body.paths).not.toHaveProperty([path]);
    expect((await call("/admin/tenants/acme/export")).status).toBe(404);
    expect((await call("/metrics")).status).toBe(404);
    expect((await call("/healthz", { key: null })).body).toEqual({ status: "ok" });
    expect((await call("/readyz", { key: null })).body).toEqual({ status: "ready" });
  });
});

describe("an Idempotency-Key", () => {
  const once = (key: string) => ({ headers: { "idempotency-key": key, prefer: "return=representation" } });
  const insert = "INSERT INTO notes (body) VALUES (?) RETURNING id, body, x'00ff' AS bytes";
  const many = async (send: () => ReturnType<typeof call>) => {
    const answers = [...(await Promise.all([send(), send(), send(), send()])), await send()];
    const fresh = answers.filter(({ headers }) => headers.get("idempotency-replayed") === null);
    return { answers, fresh };
  };

  test.for([
    ["a query", "/query", { sql: insert, params: ["once by query"] }, "once by query"],
    ["a batch", "/batch", [{ sql: insert, params: ["once by batch"] }], "once by batch"],
    ["rows", "/rest/notes", [{ body: "once by rows" }], "once by rows"],
  ] as const)(
    "%s that is sent many times is done once, and answered the same",
    async ([, path, body, note]) => {
      const { answers, fresh } = await many(() => call(`/t/acme${path}`, { body, ...once(path) }));
      expect(fresh).toHaveLength(1);
      for (const { status, body: answer } of answers) {
        expect([status, answer]).toEqual([fresh[0]?.status, fresh[0]?.body]);
      }
      expect(fresh[0]?.status).toBeLessThan(300);
      const { body: found } = await query("SELECT count(*) AS n FROM notes WHERE body = ?", [note]);
      expect(found.results).toEqual([{ n: 1 }]);
    },
  );

  test("the same key with another request is a mistake, and for who may only read there is none", async () => {
    await query(insert, ["first"], once("mismatch"));
    const other = await query(insert, ["second"], once("mismatch"));
    expect([other.status, other.body.code]).toEqual([422, "IDEMPOTENCY_MISMATCH"]);
    expect((await query("SELECT 1 AS one", [], once("reads"))).body.results).toEqual([{ one: 1 }]);
  });

  test("what fails is not kept: the next try is a new one", async () => {
    const taken = await query("INSERT INTO notes (body) VALUES ('taken')");
    expect(taken.status).toBe(200);
    const again = () => query("INSERT INTO notes (body) VALUES ('taken')", [], once("fails"));
    expect((await again()).body.code).toBe("CONSTRAINT");
    await query("DELETE FROM notes WHERE body = 'taken'");
    expect((await again()).status).toBe(200);
    const both = await call("/t/acme/batch", {
      body: [
        { sql: insert, params: ["undone"] },
        { sql: insert, params: ["taken"] },
      ],
      ...once("half"),
    });
    expect(both.body.code).toBe("CONSTRAINT");
    expect((await query("SELECT 1 FROM notes WHERE body = 'undone'")).body.results).toEqual([]);
  });

  test("an answer that is too large to keep is refused, and its work undone", async () => {
    const large =
      "INSERT INTO notes (body) SELECT value || hex(zeroblob(200)) FROM json_each(?) RETURNING body";
    const numbers = JSON.stringify(Array.from({ length: 5000 }, (_, n) => n));
    const answer = await query(large, [numbers], once("large"));
    expect([answer.status, answer.body.code]).toEqual([413, "RESPONSE_TOO_LARGE"]);
    expect((await query("SELECT count(*) AS n FROM notes WHERE length(body) > 300")).body.results).toEqual([
      { n: 0 },
    ]);
  });
});
