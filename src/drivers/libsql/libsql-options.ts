// Owns the options of the libSQL driver: what they are, their defaults, and where a tenant's database is by them.
// Connects to nothing.
import * as v from "valibot";
import { checkOptions } from "../../check-options.ts";
import { TenantryError } from "../../tenantry-error.ts";
import { DEFAULT_MAX_RETRIES } from "../remote/remote-calls.ts";
import type { RemoteProvisioner } from "../remote/remote-provisioner.ts";

export const DEFAULT_REQUEST_TIMEOUT_MS = 10_000;
export const DEFAULT_SYNC_TIMEOUT_MS = 60_000;
export const DEFAULT_LIBSQL_TRANSACTION_TIMEOUT_MS = 5_000;
export const DEFAULT_MAX_ANSWER_BYTES = 64 * 1024 * 1024;
export const DEFAULT_MAX_CONCURRENT_REQUESTS = 20;

/** Stands for the tenant in a template. */
const TENANT = "{tenant}";

/** What is asked for a database's token. */
export interface TokenRequest {
  /** Whether the last token was refused: then another one is wanted. */
  readonly renew: boolean;
}

/** Options of `libsqlDriver`. */
export interface LibsqlDriverOptions {
  /**
   * The database of a tenant: a template with `{tenant}` in it, or a function. `libsql:`, `https:`, `http:`,
   * `wss:` and `ws:` are remote, `file:` is a libSQL file of this machine. A token does not belong in it.
   */
  readonly url: string | ((name: string) => string | Promise<string>);
  /** The driver's name in the catalog. @default "libsql" */
  readonly name?: string | undefined;
  /** The token of a database, or a function that gives it, and another one where that was refused. */
  readonly authToken?:
    | string
    | ((name: string, request: TokenRequest) => string | Promise<string>)
    | undefined;
  /**
   * The primary, a template or a function as `url` is: the database is then an embedded replica, read from the
   * file that `url` names, and written to the primary.
   */
  readonly syncUrl?: string | ((name: string) => string | Promise<string>) | undefined;
  /** Milliseconds between two synchronisations of a replica, at least 1000. @default only at opening and after writes */
  readonly syncIntervalMs?: number | undefined;
  /** Milliseconds that one synchronisation of a replica may take, its first included. @default 60000 */
  readonly syncTimeoutMs?: number | undefined;
  /** Makes and removes databases with their tenants: `tursoProvisioner()`. @default they are there already */
  readonly provisioner?: RemoteProvisioner | undefined;
  /** Milliseconds that one request may take. @default 10000 */
  readonly requestTimeoutMs?: number | undefined;
  /** Milliseconds that an interactive transaction may take. @default 5000 */
  readonly transactionTimeoutMs?: number | undefined;
  /** How often a request is sent again where that is safe. @default 2 */
  readonly maxRetries?: number | undefined;
  /** Bytes of one answer. @default 67108864 */
  readonly maxAnswerBytes?: number | undefined;
  /** Requests of one database at once. @default 20 */
  readonly maxConcurrentRequests?: number | undefined;
  /** Databases open at once: a budget of their own, beside that of files. @default 512 */
  readonly maxOpen?: number | undefined;
}

const place = v.union(
  [v.string(), v.custom<(name: string) => string | Promise<string>>(isFunction)],
  "is a URL or a function",
);
const count = v.pipe(v.number(), v.integer("is a whole number"), v.minValue(1, "is at least 1"));

const OPTIONS = v.strictObject({
  url: place,
  name: v.optional(v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]*$/, "is lower-case letters, digits and -"))),
  authToken: v.optional(v.union([v.string(), v.custom<never>(isFunction)], "is a text or a function")),
  syncUrl: v.optional(place),
  syncIntervalMs: v.optional(v.pipe(v.number(), v.minValue(1000, "is at least 1000"))),
  syncTimeoutMs: v.optional(count),
  provisioner: v.optional(v.custom<RemoteProvisioner>((value) => typeof value === "object")),
  requestTimeoutMs: v.optional(count),
  transactionTimeoutMs: v.optional(count),
  maxRetries: v.optional(
    v.pipe(v.number(), v.integer("is a whole number"), v.minValue(0, "is not negative")),
  ),
  maxAnswerBytes: v.optional(count),
  maxConcurrentRequests: v.optional(count),
  maxOpen: v.optional(count),
});

/** The options with their defaults. */
export interface LibsqlSettings extends LibsqlDriverOptions {
  readonly syncTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly transactionTimeoutMs: number;
  readonly maxRetries: number;
  readonly maxAnswerBytes: number;
  readonly maxConcurrentRequests: number;
}

/** @throws {TenantryError} `INVALID_OPTION` */
export function libsqlSettings(given: LibsqlDriverOptions): LibsqlSettings {
  const options = checkOptions(OPTIONS, given) as LibsqlDriverOptions;
  for (const place of [options.url, options.syncUrl]) {
    if (typeof place !== "string") continue;
    if (!place.includes(TENANT)) {
      throw invalid(
        `${JSON.stringify(withoutQuery(place))} has no ${TENANT} in it`,
        "All tenants would share one database.",
      );
    }
    assertPlace(place);
  }
  if (options.syncUrl !== undefined && typeof options.url === "string" && !options.url.startsWith("file:")) {
    throw noFile();
  }
  if (typeof options.syncUrl === "string") assertPrimary(options.syncUrl);
  return {
    ...options,
    syncTimeoutMs: options.syncTimeoutMs ?? DEFAULT_SYNC_TIMEOUT_MS,
    requestTimeoutMs: options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS,
    transactionTimeoutMs: options.transactionTimeoutMs ?? DEFAULT_LIBSQL_TRANSACTION_TIMEOUT_MS,
    maxRetries: options.maxRetries ?? DEFAULT_MAX_RETRIES,
    maxAnswerBytes: options.maxAnswerBytes ?? DEFAULT_MAX_ANSWER_BYTES,
    maxConcurrentRequests: options.maxConcurrentRequests ?? DEFAULT_MAX_CONCURRENT_REQUESTS,
  };
}

/** The URL of a database by a template or a function. @throws {TenantryError} `INVALID_OPTION` */
export async function placeOf(place: LibsqlDriverOptions["url"], name: string): Promise<string> {
  const url = await urlOf(place, name);
  return url.startsWith("file:") ? url : withSlash(url);
}

/** The URL of a replica's primary. The native library puts `/info` and others behind it as it is. */
export async function primaryOf(place: LibsqlDriverOptions["url"], name: string): Promise<string> {
  const url = await urlOf(place, name);
  assertPrimary(url);
  return url.replace(/\/+$/, "");
}

function assertPrimary(url: string): void {
  if (/^(?:libsql|https?):[^?]*$/.test(url)) return;
  throw invalid(
    `${JSON.stringify(withoutQuery(url))} is no primary to synchronise with`,
    "A syncUrl begins with libsql:, https: or http:, and has no query.",
  );
}

/** The error for a replica that is to lie somewhere else than in a file. */
export function noFile(): TenantryError {
  return invalid("a replica's url is not a file", 'Give url: "file:./replicas/{tenant}.db" beside syncUrl.');
}

async function urlOf(place: LibsqlDriverOptions["url"], name: string): Promise<string> {
  const url = typeof place === "string" ? place.replaceAll(TENANT, name) : await place(name);
  assertPlace(url);
  return url;
}

function assertPlace(url: string): void {
  if (!/^(?:libsql|https?|wss?|file):/.test(url)) {
    throw invalid(
      `${JSON.stringify(withoutQuery(url))} is no URL of libSQL`,
      "It begins with libsql:, https:, http:, wss:, ws: or file:.",
    );
  }
  if (/[?&]authToken=/i.test(url)) {
    throw invalid("the URL has a token in it", "Give it as authToken: URLs end up in logs.");
  }
}

/** The client drops the last part of a path that does not end so. */
function withSlash(url: string): string {
  const [, before = "", query = ""] = /^([^?]*)(.*)$/s.exec(url) ?? [];
  return before.endsWith("/") ? url : `${before}/${query}`;
}

function withoutQuery(url: string): string {
  return url.replace(/\?.*$/s, "");
}

function isFunction(value: unknown): boolean {
  return typeof value === "function";
}

function invalid(what: string, hint: string): TenantryError {
  return new TenantryError("INVALID_OPTION", `The libSQL driver: ${what}.`, { hint });
}
