// Owns handing a tenant's request to its executor, and the answer back to the client, unread.
// Does not know what the routes do; they are the same in the executor.
import type { Context, Handler } from "hono";
import { type Caller, scopeOver } from "../auth/caller.ts";
import type { ExecutorPool, PooledAnswer } from "../executors/executor-pool.ts";
import { parsePipeline } from "../hrana/stream-request.ts";
import { inspectStatement } from "../sql/inspect-statement.ts";
import type { TenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import type { AppSettings } from "./app-options.ts";
import type { TenantryEnv } from "./env.ts";
import { LIBSQL_CLIENT_HEADER } from "./browser-guard.ts";
import { BodyBudget, type CountedBody } from "./body-budget.ts";
import { isHranaPath } from "./hrana-routes.ts";
import type { GoesOn } from "./open-transaction.ts";
import { readText } from "./read-body.ts";
import { type HeaderGetter, headersOf } from "./resolve-tenant.ts";
import { type TenantPath, tenantPath } from "./tenant-path.ts";

/** Headers that the routes below a tenant look at: all of them, and those that change something. */
const READ_HEADERS = ["accept", "accept-profile", "prefer", "range", "range-unit"] as const;
const WRITE_HEADERS = [
  ...READ_HEADERS,
  "content-profile",
  "content-type",
  "idempotency-key",
  LIBSQL_CLIENT_HEADER,
] as const;

/** A request to a tenant, of somebody who may come in. */
export interface TenantRequest {
  readonly tenant: TenantId;
  readonly incarnation: string;
  readonly caller: Caller;
  /** The tenant's own limit, where it has one. */
  readonly statementTimeoutMs: number | undefined;
  readonly method: string;
  readonly url: TenantPath;
  readonly header: HeaderGetter;
  /** undefined where its method has none. */
  readonly body: string | undefined;
}

/** Sends a request to the executor of its tenant. @throws {TenantryError} what became of it instead */
export type Forward = (request: TenantRequest) => Promise<PooledAnswer>;

/** Makes what sends requests to the executors of `pool`. */
export function forwardTo(pool: ExecutorPool, goesOn: GoesOn): Forward {
  return async (request) => {
    const { tenant, caller, incarnation, method, url, header, body = "" } = request;
    const { base, path } = url;
    return pool.http(
      {
        tenant,
        incarnation,
        scope: scopeOver(caller, tenant) ?? "read",
        method,
        base,
        path,
        headers: forwardedHeaders(header, request.body === undefined ? READ_HEADERS : WRITE_HEADERS),
      },
      body,
      {
        timeoutMs: timeoutOf(header, request.statementTimeoutMs ?? pool.statementTimeoutMs),
        goesOn: isHranaPath(path) && (await goesOn(body, incarnation)),
        repeatable: () => isRepeatable(method, path, body, header("idempotency-key") ?? undefined),
      },
    );
  };
}

/** Answers a tenant's requests by what its executor says. */
export function forwarded(forward: Forward, { maxBodyBytes }: AppSettings): Handler<TenantryEnv> {
  const answer = async (c: Context<TenantryEnv>, counted?: CountedBody): Promise<Response> => {
    const { method } = c.req;
    const tenant = c.get("tenant");
    const { status, headers, body } = await forward({
      tenant,
      incarnation: c.get("schemaKey"),
      caller: c.get("caller"),
      statementTimeoutMs: c.get("statementTimeoutMs"),
      method,
      url: tenantPath(c.req.url, tenant),
      header: headersOf(c),
      body: counted && (await readText(c.req, maxBodyBytes, counted)),
    });
    return new Response(
      status === 204 || method === "HEAD" ? null : (body as ConstructorParameters<typeof Response>[0]),
      { status, headers },
    );
  };

  const bodies = new BodyBudget();
  return async (c) => {
    const { method } = c.req;
    if (method === "GET" || method === "HEAD") return answer(c);
    const counted = bodies.begin(c.get("tenant"));
    try {
      return await answer(c, counted);
    } finally {
      counted.end();
    }
  };
}

function forwardedHeaders(header: HeaderGetter, names: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of names) {
    const value = header(name);
    if (value !== undefined && value !== null) headers[name] = value;
  }
  return headers;
}

/** A caller may ask for less time than there is, never for more. @throws {TenantryError} `INVALID_ARGUMENT` */
function timeoutOf(header: HeaderGetter, most: number): number {
  const asked = header("x-timeout-ms");
  if (asked === undefined || asked === null) return most;
  const ms = Number(asked);
  if (Number.isInteger(ms) && ms >= 1) return Math.min(ms, most);
  throw new TenantryError("INVALID_ARGUMENT", "X-Timeout-Ms is not a number of milliseconds.", {
    hint: `Send a whole number from 1; the most is ${most}.`,
  });
}

/** Whether a pipeline is one of statements that only read, on a stream that is its own. */
function onlyReads(pipeline: unknown): boolean {
  const { baton, requests } = parsePipeline(pipeline);
  return (
    baton === null &&
    requests.every(
      (request) =>
        request.type === "close" ||
        (request.type === "execute" &&
          typeof request.stmt.sql === "string" &&
          inspectStatement(request.stmt.sql).kind === "read"),
    )
  );
}

/** Whether a request that was lost on its way may be run again without anybody noticing. */
function isRepeatable(
  method: string,
  path: string,
  body: string,
  idempotencyKey: string | undefined,
): boolean {
  if (method === "GET" || method === "HEAD") return true;
  const hrana = isHranaPath(path);
  // Streams know no keys.
  if (idempotencyKey !== undefined && !hrana) return true;
  if (method !== "POST" || !(hrana || /^\/(?:query|batch)(?:\?|$)/.test(path))) return false;
  try {
    const parsed: unknown = JSON.parse(body);
    if (hrana) return onlyReads(parsed);
    const statements = Array.isArray(parsed)
      ? parsed
      : ((parsed as { statements?: unknown }).statements ?? [parsed]);
    return (statements as { sql: string }[]).every(({ sql }) => inspectStatement(sql).needs === "read");
  } catch {
    // What cannot be read was refused already, or will be.
    return false;
  }
}
