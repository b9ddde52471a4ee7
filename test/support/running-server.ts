// Owns a whole server for the tests: a data folder, a Tenantry over it, the application, and a real socket.
// Asserts nothing by itself but what expectError() is asked to.
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Hono } from "hono";
import { expect, onTestFinished, vi } from "vitest";
import type { Access } from "../../src/http/access.ts";
import { ERROR_STATUS } from "../../src/http/error-status.ts";
import { listen } from "../../src/http/listen.ts";
import { migrationSet } from "../../src/migrations/migration-set.ts";
import type { ErrorCode } from "../../src/tenantry-error.ts";
import type { ExecutorPool } from "../../src/executors/executor-pool.ts";
import { createTenantry, type Tenantry } from "../../src/tenantry.ts";
import type { ExecutorOptions, ServerOptions } from "../../src/server-options.ts";
import type { TenantryOptions } from "../../src/tenantry-options.ts";

/** The schema of the servers' tenants: one table, and one that refers to it. */
export const SCHEMA = `CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT UNIQUE);
CREATE TABLE invoices (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers (id), total REAL);`;

/** What a server of the tests is made with. */
export interface RunningServerOptions {
  /** The data folder; it is left there when the test ends. @default a new one, gone when the test ends */
  readonly data?: string;
  readonly tenants?: readonly string[];
  readonly tenantry?: Partial<TenantryOptions>;
  readonly app?: ServerOptions;
  /** Runs tenants' SQL in executors. @default in this process */
  readonly executors?: ExecutorOptions;
  /** Is given what is to be done at the end. @default the test's end */
  readonly atEnd?: (end: () => Promise<void>) => void;
}

/** An answer, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON. */
  readonly body: any; // oxlint-disable-line typescript/no-explicit-any -- every test looks for something else
}

export interface RunningTestServer {
  readonly url: string;
  readonly port: number;
  readonly data: string;
  readonly tenantry: Tenantry;
  readonly access: Access;
  /** What command lines of this machine are answered by. */
  readonly control: Hono;
  /** Its executors, where it has some. */
  readonly pool: ExecutorPool | undefined;
  /** Errors that were the server's own: a test that meets one fails at its end, unless it takes them out. */
  readonly internalErrors: unknown[];
  /** A request whose body, if any, goes as JSON; text goes as it is. */
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  query(
    tenant: string,
    sql: string,
    params?: readonly unknown[],
    headers?: Record<string, string>,
  ): Promise<Answer>;
  /** Sends text as it is, which asks for `Connection: close`, and reads to the end. */
  raw(text: string): Promise<string>;
  /** Sends bytes, runs `meanwhile`, and breaks the connection. */
  abort(text: string | Uint8Array, meanwhile?: (socket: Socket) => Promise<unknown>): Promise<void>;
  /** What lies in the folder of unfinished files. */
  scratchFiles(): Promise<string[]>;
  /** That the tenant still answers, and that nobody holds its database. */
  expectHealthy(tenant?: string): Promise<void>;
  /** Ends the server as SIGTERM does. */
  stop(graceMs: number): Promise<void>;
  close(): Promise<void>;
}

/** Where tenants' SQL may run, for `describe.each()`. */
export const BOTH_PLACES: readonly [name: string, where: Pick<RunningServerOptions, "executors">][] = [
  ["in the server's process", {}],
  ["in an executor", { executors: { executors: 1 } }],
];

/** A server until the test ends. */
export async function runningServer({
  data,
  tenants = ["acme"],
  tenantry: tenantryOptions,
  app,
  executors,
  atEnd = onTestFinished,
}: RunningServerOptions = {}): Promise<RunningTestServer> {
  const dir = data ?? (await mkdtemp(join(tmpdir(), "tenantry-http-")));
  if (data === undefined) atEnd(() => rm(dir, { recursive: true, force: true }));
  const tenantry = await createTenantry({
    data: dir,
    migrations: executors
      ? await schemaFolder(join(dir, "migrations"))
      : await migrationSet([{ name: "0001_init.sql", sql: SCHEMA }]),
    ...tenantryOptions,
  });
  const pool = executors && tenantry.executors(executors);
  await pool?.start();
  const internalErrors: unknown[] = [];
  const { hono, access, control, sockets, direct } = tenantry.app({
    onInternalError: (error) => internalErrors.push(error),
    ...(pool && { pool }),
    ...app,
  });
  const server = await listen(hono.fetch, { port: 0, sockets, direct });
  const { url } = server;
  const port = Number(new URL(url).port);
  const close = async (): Promise<void> => {
    await server.close(0);
    await tenantry.close();
  };
  atEnd(async () => {
    await close();
    expect(internalErrors).toEqual([]);
  });

  const send: RunningTestServer["send"] = async (method, path, body, headers = {}) => {
    const answer = await fetch(url + path, {
      method,
      headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
      redirect: "manual",
    });
    const text = await answer.text();
    const json = /json/.test(answer.headers.get("content-type") ?? "") && text !== "";
    return {
      status: answer.status,
      headers: answer.headers,
      text,
      body: json ? JSON.parse(text) : undefined,
    };
  };
  const query: RunningTestServer["query"] = (tenant, sql, params, headers) =>
    send("POST", `/t/${tenant}/query`, { sql, ...(params && { params }) }, headers);
  for (const id of tenants) {
    const created = await send("POST", "/admin/tenants", { id });
    // A data folder that is used again has its tenants, and a key of its own closes it.
    if (data === undefined) expect(created.status).toBe(201);
  }

  return {
    url,
    port,
    data: dir,
    tenantry,
    access,
    control,
    pool,
    internalErrors,
    send,
    query,
    raw: (text) =>
      new Promise((resolve, reject) => {
        let answer = "";
        const socket = connect(port, "127.0.0.1", () => socket.write(text));
        socket.setEncoding("utf8");
        socket.on("data", (chunk: string) => (answer += chunk));
        socket.on("error", reject);
        socket.on("close", () => resolve(answer));
      }),
    async abort(text, meanwhile) {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => undefined);
      await new Promise<void>((sent) => {
        socket.write(text, () => sent());
      });
      await meanwhile?.(socket);
      socket.destroy();
    },
    scratchFiles: () => readdir(join(dir, "scratch")).catch(() => []),
    async expectHealthy(tenant = "acme") {
      const answer = await query(tenant, "SELECT 1 AS one");
      expect(answer.body).toMatchObject({ success: true, results: [{ one: 1 }] });
      await vi.waitFor(() => expect(tenantry.tenants.stats().leased).toBe(0));
    },
    stop: (graceMs) => server.close(graceMs),
    close,
  };
}

/** A folder of migrations with the schema of the tests. */
export async function schemaFolder(dir: string): Promise<string> {
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, "0001_init.sql"), SCHEMA);
  return dir;
}

/** That the answer is an error of that code: its status, its type, the body's shape, and nothing of the inside. */
export function expectError(answer: Answer, code: ErrorCode, message?: RegExp | string): void {
  expect(answer.body, answer.text).toMatchObject({ code });
  expect(answer.status).toBe(ERROR_STATUS[code]);
  expect(answer.headers.get("content-type")).toBe("application/json");
  const { message: said, hint, ...rest } = answer.body as Record<string, unknown>;
  expect(rest).toEqual({ code });
  expect(said).toEqual(expect.any(String));
  expect(hint, `${code} tells what to do`).toEqual(expect.stringMatching(/\S/));
  if (message !== undefined) expect(said).toMatch(message);
  expect(answer.text).not.toMatch(/node_modules|\.ts:|\bat (?:async )?\w+ \(|\/(?:tmp|home|work|var)\//);
}

/** One value of the first row of `/query`'s answer. */
export function valueOf(answer: Answer): unknown {
  return Object.values((answer.body as { results: Record<string, unknown>[] }).results[0] ?? {})[0];
}
