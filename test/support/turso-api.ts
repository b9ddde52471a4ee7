// Owns a stand-in of Turso's documented platform API: databases and groups of one organisation, on a libSQL server
// of the tests. Knows no limits and no plans.
import { Hono } from "hono";
import { onTestFinished } from "vitest";
import { listen } from "../../src/http/listen.ts";
import type { LibsqlServer } from "./libsql-server.ts";

export interface TursoApiStandIn {
  readonly baseUrl: string;
  /** Bodies of the databases that were made. */
  readonly created: Record<string, unknown>[];
  readonly groups: Set<string>;
  /** Told of each request; what it gives is the answer. */
  answer: ((method: string, path: string) => Response | undefined) | undefined;
}

/** The API of the organisation "acme", whose token is "platform". It ends with the test. */
export async function tursoApi(server: LibsqlServer): Promise<TursoApiStandIn> {
  const hono = new Hono().basePath("/v1/organizations/acme");
  const standIn: TursoApiStandIn = {
    baseUrl: "",
    created: [],
    groups: new Set(["default"]),
    answer: undefined,
  };
  const database = (name: string): object => ({
    Name: name,
    DbId: `id-${name}`,
    Hostname: `${name}.example`,
  });
  hono.use(async (c, next) => {
    const instead = standIn.answer?.(c.req.method, c.req.path);
    if (instead) return instead;
    if (c.req.header("authorization") !== "Bearer platform") return c.json({ error: "unauthorized" }, 401);
    await next();
  });
  hono.post("/databases", async (c) => {
    const body = await c.req.json<Record<string, unknown>>();
    const name = String(body["name"]);
    if (!standIn.groups.has(String(body["group"]))) return c.json({ error: "group not found" }, 404);
    if (server.exists(name)) return c.json({ error: `database with name ${name} already exists` }, 409);
    standIn.created.push(body);
    await server.create(name);
    return c.json({ database: database(name) });
  });
  hono.get("/databases/:name", (c) => {
    const name = c.req.param("name");
    return server.exists(name)
      ? c.json({ database: database(name) })
      : c.json({ error: `could not find database with name ${name}` }, 404);
  });
  hono.delete("/databases/:name", async (c) => {
    const name = c.req.param("name");
    if (!server.exists(name)) return c.json({ error: `could not find database with name ${name}` }, 404);
    await server.remove(name);
    return c.json({ database: name });
  });
  hono.get("/groups/:name", (c) => {
    const name = c.req.param("name");
    return standIn.groups.has(name) ? c.json({ group: { name } }) : c.json({ error: "group not found" }, 404);
  });
  hono.post("/groups", async (c) => {
    const { name } = await c.req.json<{ name: string }>();
    standIn.groups.add(name);
    return c.json({ group: { name } });
  });
  const running = await listen(hono.fetch, { port: 0 });
  onTestFinished(() => running.close(0));
  return Object.assign(standIn, { baseUrl: `${running.url}/v1/` });
}
