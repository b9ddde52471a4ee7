// Owns a libSQL server for tests, as a sqld or Turso is one: Hrana over HTTP for any name below /, without
// Tenantry's guard or catalog. What is on its way can be lost, late, refused or something else.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Hono } from "hono";
import { onTestFinished } from "vitest";
import type { LocalHandle } from "../../src/drivers/local/local-handle.ts";
import { type LocalDriver, localDriver } from "../../src/drivers/local/local-driver.ts";
import type { TenantryEnv } from "../../src/http/env.ts";
import { errorResponse } from "../../src/http/error-response.ts";
import { listen } from "../../src/http/listen.ts";
import { giveDatabase, plainEndpoint } from "./plain-endpoint.ts";
import { tempFolder } from "./temp-folder.ts";

/** What becomes of a request before the database sees it, or of its answer; undefined for nothing. */
export type Mishap = (request: Request, answer: () => Promise<Response>) => Promise<Response> | undefined;

export interface LibsqlServer {
  /** With `{tenant}` in it. */
  readonly url: string;

  /** Requests that came, whatever became of them. */
  readonly requests: { readonly name: string; readonly token: string | undefined; readonly body: string }[];
  /** Makes an empty database. */
  create(name: string): Promise<void>;
  exists(name: string): boolean;
  remove(name: string): Promise<void>;
  /** The database itself, past the server. */
  handleOf(name: string): Promise<LocalHandle>;
  /** The one token that is taken; undefined for any. */
  token: string | undefined;
  mishap: Mishap | undefined;
  close(): Promise<void>;
}

/** A server that ends with the test. */
export async function libsqlServer(): Promise<LibsqlServer> {
  const dir = await tempFolder();
  const driver: LocalDriver = localDriver({ dir, transactionTimeoutMs: 300 });
  const pathOf = (name: string): string => join(dir, `${name}.db`);
  const open = new Map<string, Promise<LocalHandle>>();
  const exists = (name: string): boolean => readdirSync(dir).includes(`${name}.db`);
  const handleOf = (name: string): Promise<LocalHandle> => {
    const handle = open.get(name) ?? driver.openFile(pathOf(name));
    open.set(name, handle);
    return handle;
  };

  const hono = new Hono<TenantryEnv>();
  hono.onError((error, c) => errorResponse(c, error, () => {}));
  hono.use("/:name/*", async (c, next) => {
    const name = c.req.param("name") ?? "";
    const token = c.req.header("authorization")?.replace("Bearer ", "");
    server.requests.push({ name, token, body: await c.req.raw.clone().text() });
    const answer = async (): Promise<Response> => {
      await next();
      return c.res;
    };
    const there = exists(name);
    if (there) {
      giveDatabase(c, name, await handleOf(name));
    }
    const mishap = server.mishap?.(c.req.raw, answer);
    if (mishap) {
      const instead = await mishap;
      // Hono would keep the headers of an answer that is there already.
      c.res = undefined;
      c.res = instead;
      return;
    }
    if (server.token !== undefined && token !== server.token) {
      return c.json({ message: "Unauthorized", code: "AUTH_JWT_INVALID" }, 401);
    }
    if (!there) return c.json({ message: `no database ${name}`, code: "NAMESPACE_NOT_FOUND" }, 404);
    return answer();
  });
  hono.route("/:name", plainEndpoint(handleOf));
  const running = await listen(hono.fetch, { port: 0 });
  const server: LibsqlServer = {
    url: `${running.url}/{tenant}/`,

    requests: [],
    token: undefined,
    mishap: undefined,
    create: async (name) => (await driver.openFile(pathOf(name), { create: true })).close(),
    exists,
    remove: async (name) => {
      await (await open.get(name))?.close();
      open.delete(name);
      const { rm } = await import("node:fs/promises");
      for (const suffix of ["", "-wal", "-shm"]) await rm(`${pathOf(name)}${suffix}`, { force: true });
    },
    handleOf,
    close: () => running.close(0),
  };
  onTestFinished(async () => {
    await server.close();
    for (const handle of open.values()) await (await handle).close();
  });
  return server;
}
