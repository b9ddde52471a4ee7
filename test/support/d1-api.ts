// Owns a stand-in of Cloudflare's documented API of D1, in front of D1 itself in workerd. Parameters are texts there,
// and here anything else is refused.
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { D1Database } from "@cloudflare/workers-types";
import { Hono } from "hono";
import { getPlatformProxy } from "wrangler";
import { listen } from "../../src/http/listen.ts";
import { D1Past, emptyD1 } from "./d1-past.ts";

/** What becomes of a request before it is answered; undefined for nothing. */
export type Mishap = (request: Request, answer: () => Promise<Response>) => Promise<Response> | undefined;

export interface D1ApiStandIn {
  readonly baseUrl: string;
  /** Method and path of what came. */
  readonly requests: string[];
  /** Bodies that made databases. */
  readonly created: Record<string, unknown>[];
  mishap: Mishap | undefined;
  /** The one token that is taken. */
  token: string;
  names(): string[];
  /** The database itself, past the API. */
  databaseOf(name: string): D1Database;
  /** What was imported, by etag. */
  readonly uploads: Map<string, string>;
  reset(): Promise<void>;
  close(): Promise<void>;
}

interface Entry {
  readonly id: string;
  readonly name: string;
  readonly db: D1Database;
  readonly past: D1Past;
}

const ok = (result: unknown, more: object = {}): Response =>
  Response.json({ success: true, errors: [], messages: [], result, ...more });
const no = (status: number, code: number, message: string): Response =>
  Response.json({ success: false, errors: [{ code, message }], messages: [], result: null }, { status });

/** The API of the account "account". */
export async function d1Api(): Promise<D1ApiStandIn> {
  const proxy = await getPlatformProxy<Record<string, D1Database>>({
    configPath: join(import.meta.dirname, "../fixtures/d1-rest/wrangler.toml"),
    persist: false,
  });
  const free = Object.values(proxy.env).filter((one) => typeof one.prepare === "function");
  const entries = new Map<string, Entry>();
  const byName = (name: string): Entry | undefined => [...entries.values()].find((one) => one.name === name);

  const release = async ({ id, db }: Entry): Promise<void> => {
    entries.delete(id);
    await emptyD1(db);
    free.push(db);
  };

  const hono = new Hono();
  hono.put("/upload/:etag", async (c) => {
    standIn.uploads.set(c.req.param("etag"), await c.req.text());
    return c.body(null);
  });
  hono.get("/download/:id", async (c) => {
    const entry = entries.get(c.req.param("id"));
    const { results } = await (entry as Entry).db
      .prepare(
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%' AND name NOT LIKE '\\_cf%' ESCAPE '\\'",
      )
      .all<{ sql: string }>();
    return c.text(results.map(({ sql }) => `${sql};`).join("\n"));
  });

  const api = new Hono<{ Variables: { entry: Entry } }>();
  api.use(async (c, next) => {
    standIn.requests.push(`${c.req.method} ${c.req.path.replace(/^.*\/d1\/database/, "")}`);
    const answer = async (): Promise<Response> => {
      await next();
      return c.res;
    };
    const mishap = standIn.mishap?.(c.req.raw, answer);
    if (mishap) {
      const instead = await mishap;
      c.res = undefined;
      c.res = instead;
      return;
    }
    if (c.req.header("authorization") !== `Bearer ${standIn.token}`)
      return no(401, 10000, "Authentication error");
    await next();
  });
  api.post("/", async (c) => {
    const body = await c.req.json<{ name: string }>();
    if (byName(body.name)) return no(400, 7502, `Database with name '${body.name}' already exists`);
    const db = free.pop();
    if (!db) throw new Error("The stand-in has no more databases to lend.");
    standIn.created.push(body);
    const entry = { id: randomUUID(), name: body.name, db, past: new D1Past(db) };
    entries.set(entry.id, entry);
    return ok({ uuid: entry.id, name: body.name, version: "production" });
  });
  api.get("/", (c) => {
    const name = c.req.query("name") ?? "";
    const found = [...entries.values()].filter((one) => one.name.includes(name));
    return ok(
      found.map((one) => ({ uuid: one.id, name: one.name })),
      { result_info: { count: found.length, page: 1, per_page: 100, total_count: found.length } },
    );
  });
  api.use("/:id/*", async (c, next) => {
    const entry = entries.get(c.req.param("id"));
    if (!entry) return no(404, 7404, "The database could not be found");
    c.set("entry", entry);
    return next();
  });
  api.delete("/:id", async (c) => {
    const entry = entries.get(c.req.param("id"));
    if (!entry) return no(404, 7404, "The database could not be found");
    await release(entry);
    return ok(null);
  });
  const run = async (
    { db }: Entry,
    body: unknown,
    how: (statement: ReturnType<D1Database["prepare"]>) => Promise<unknown>,
  ): Promise<Response> => {
    const { batch, ...single } = body as {
      batch?: { sql: string; params?: unknown[] }[];
      sql: string;
      params?: unknown[];
    };
    const all = batch ?? [single];
    if (all.some(({ params = [] }) => params.some((param) => typeof param !== "string"))) {
      return no(400, 7400, "params must be strings");
    }
    const statements = all.map(({ sql, params = [] }) =>
      params.length > 0 ? db.prepare(sql).bind(...params) : db.prepare(sql),
    );
    try {
      if (batch) return ok(await db.batch(statements));
      return ok([await how(statements[0] as (typeof statements)[0])]);
    } catch (error) {
      return no(400, 7500, (error as Error).message.replace(/^D1_ERROR: /, ""));
    }
  };
  api.post("/:id/query", async (c) =>
    run(c.get("entry"), await c.req.json(), (statement) => statement.all()),
  );
  api.post("/:id/raw", async (c) =>
    run(c.get("entry"), await c.req.json(), async (statement) => {
      const [columns, ...rows] = await statement.raw({ columnNames: true });
      return { success: true, meta: {}, results: { columns, rows } };
    }),
  );
  api.get("/:id/time_travel/bookmark", async (c) =>
    ok({ bookmark: await c.get("entry").past.bookmark(c.req.query("timestamp")) }),
  );
  api.post("/:id/time_travel/restore", async (c) => {
    const { bookmark, timestamp } = c.req.query();
    const { past } = c.get("entry");
    const to = bookmark ?? (await past.bookmark(timestamp));
    const before = await past.restore(to);
    if (before === undefined) return no(400, 7400, "Invalid bookmark");
    return ok({ bookmark: to, previous_bookmark: before });
  });
  const polls = new Map<string, number>();
  api.post("/:id/export", async (c) => {
    const { id } = c.get("entry");
    const asked = (polls.get(id) ?? 0) + 1;
    polls.set(id, asked);
    if (asked < 3) return ok({ type: "export", success: true, at_bookmark: "b" });
    polls.delete(id);
    return ok({
      type: "export",
      success: true,
      status: "complete",
      at_bookmark: "b",
      result: { filename: "x.sql", signed_url: `${running.url}/download/${id}` },
    });
  });
  api.post("/:id/import", async (c) => {
    const body = await c.req.json<{ action: string; etag: string; filename?: string }>();
    if (body.action === "init") {
      return ok({ upload_url: `${running.url}/upload/${body.etag}`, filename: body.etag });
    }
    if (body.action === "ingest") return ok({ type: "import", success: true, at_bookmark: body.etag });
    const sql = [...standIn.uploads.values()].at(-1) ?? "";
    const statements = sql.split(";\n").filter((one) => one.trim() !== "");
    const { db } = c.get("entry");
    await db.batch(statements.map((one) => db.prepare(one)));
    return ok({
      type: "import",
      success: true,
      status: "complete",
      result: { num_queries: statements.length },
    });
  });
  hono.route("/client/v4/accounts/account/d1/database", api);
  const running = await listen(hono.fetch, { port: 0 });

  const standIn: D1ApiStandIn = {
    baseUrl: `${running.url}/client/v4`,
    requests: [],
    created: [],
    mishap: undefined,
    token: "token",
    uploads: new Map(),
    names: () => [...entries.values()].map(({ name }) => name),
    databaseOf: (name) => (byName(name) as Entry).db,
    async reset() {
      standIn.mishap = undefined;
      standIn.token = "token";
      for (const entry of entries.values()) await release(entry);
      standIn.requests.length = 0;
      standIn.created.length = 0;
    },
    async close() {
      await running.close(0);
      await proxy.dispose();
    },
  };
  return standIn;
}
