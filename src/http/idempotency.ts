// Owns writes that may be sent twice: the answer to an Idempotency-Key is kept in the tenant's own database, in
// the transaction that did the work, so that there is never the one without the other.
// Does not know what the work is.
import type { Context, MiddlewareHandler } from "hono";
import type { DatabaseRunner } from "../database/tenant-database.ts";
import { onceMismatch } from "../drivers/once-mismatch.ts";
import type { OnceKey, SqlRunner } from "../drivers/driver.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import type { TenantryEnv } from "./env.ts";
import { OnceRunner } from "./once-runner.ts";
import { readText } from "./read-body.ts";
import { tenantPath } from "./tenant-path.ts";

/** Milliseconds for which an answer is kept. */
export const IDEMPOTENCY_KEPT_MS = 24 * 60 * 60 * 1000;
export const MAX_IDEMPOTENCY_KEY_LENGTH = 255;

/** Answers that are removed with each new one, when their day is over. */
const REMOVED_AT_ONCE = 10;

const CREATE_SQL = [
  `CREATE TABLE IF NOT EXISTS _tenantry_idempotency (
  key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER NOT NULL, headers TEXT NOT NULL, body TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID`,
  "CREATE INDEX IF NOT EXISTS _tenantry_idempotency_at ON _tenantry_idempotency (at)",
];
const FIND_SQL = "SELECT request, status, headers, body FROM _tenantry_idempotency WHERE key = ? AND at >= ?";
const KEEP_SQL =
  "INSERT OR REPLACE INTO _tenantry_idempotency (key, request, status, headers, body, at) VALUES (?, ?, ?, ?, ?, ?)";
const FORGET_SQL = `DELETE FROM _tenantry_idempotency WHERE key IN
  (SELECT key FROM _tenantry_idempotency WHERE at < ? LIMIT ${REMOVED_AT_ONCE})`;

/** Ends the transaction of a request that has been answered with an error: the answer stands, its work does not. */
class Refused extends Error {}

/**
 * Does a write with an `Idempotency-Key` once, however often it is sent, and answers each time the same. An
 * error is not kept: the next try is a new one.
 */
export const idempotency: MiddlewareHandler<TenantryEnv> = async (c, next) => {
  const { method } = c.req;
  if (method === "GET" || method === "HEAD") return next();
  const key = c.req.header("idempotency-key");
  if (key === undefined || !mayWrite(c)) return next();
  if (key === "" || key.length > MAX_IDEMPOTENCY_KEY_LENGTH) {
    throw new TenantryError("INVALID_ARGUMENT", "The Idempotency-Key is empty or too long.", {
      hint: `Send 1 to ${MAX_IDEMPOTENCY_KEY_LENGTH} characters, such as a UUID.`,
    });
  }
  const request = await fingerprint(c);
  const runner = c.get("runner") as DatabaseRunner;
  if (c.get("once")) return doOnce(c, next, { key, request, keptMs: IDEMPOTENCY_KEPT_MS });
  try {
    await runner.transaction("write", async (tx) => {
      const kept = await find(tx, key);
      if (kept) {
        if (kept.request !== request) throw onceMismatch();
        // An answer without a body has none again: some statuses allow none.
        c.res = new Response(kept.body === "" ? null : kept.body, {
          status: kept.status,
          headers: {
            ...(JSON.parse(kept.headers) as Record<string, string>),
            "idempotency-replayed": "true",
          },
        });
        return;
      }
      c.set("runner", tx);
      await next();
      if (c.error || c.res.status >= 400) throw new Refused();
      await keep(tx, key, request, c.res);
    });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
  } finally {
    c.set("runner", runner);
  }
};

/**
 * Where a database has no transaction to answer in, it keeps what the one write of a request gave: the answer is made
 * of that again.
 */
async function doOnce(c: Context<TenantryEnv>, next: () => Promise<void>, once: OnceKey): Promise<void> {
  const runner = c.get("runner");
  const writer = new OnceRunner(runner, once);
  c.set("runner", writer);
  try {
    await next();
    if (writer.replayed) c.header("idempotency-replayed", "true");
  } finally {
    c.set("runner", runner);
  }
}

interface Kept {
  readonly request: string;
  readonly status: number;
  readonly headers: string;
  readonly body: string;
}

async function find(tx: SqlRunner, key: string): Promise<Kept | undefined> {
  const read = (): ReturnType<SqlRunner["run"]> =>
    tx.run({ sql: FIND_SQL, params: [key, Date.now() - IDEMPOTENCY_KEPT_MS] }, { first: true });
  try {
    const { rows } = await read();
    return rows[0] as Kept | undefined;
  } catch (error) {
    if (!isTenantryError(error, "SQL_ERROR") || !error.message.includes("no such table")) throw error;
    // The tenant's first key ever.
    for (const sql of CREATE_SQL) await tx.run({ sql, params: [] });
    return undefined;
  }
}

async function keep(tx: SqlRunner, key: string, request: string, response: Response): Promise<void> {
  const now = Date.now();
  const headers = JSON.stringify(Object.fromEntries(response.headers));
  await tx.run({
    sql: KEEP_SQL,
    params: [key, request, response.status, headers, await textOf(response), now],
  });
  await tx.run({ sql: FORGET_SQL, params: [now - IDEMPOTENCY_KEPT_MS] });
}

/** The body, which can still be sent afterwards. An executor's answers hold it as it is. */
function textOf(response: Response): string | Promise<string> {
  const { body } = response as { body: unknown };
  if (body === null || typeof body === "string") return body ?? "";
  return response.clone().text();
}

/** What was asked: the same key with another request is a mistake, and says so. */
async function fingerprint(c: Context<TenantryEnv>): Promise<string> {
  const body = await readText(c.req, c.get("limits").maxBodyBytes);
  const { path } = tenantPath(c.req.url, c.get("tenant"));
  const bytes = new TextEncoder().encode(`${c.req.method} ${path}\n${body}`);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Who may only read changes nothing, and keeps nothing. */
function mayWrite(c: Context<TenantryEnv>): boolean {
  try {
    c.get("authorize")("write");
    return true;
  } catch (error) {
    if (isTenantryError(error)) return false;
    throw error;
  }
}
