// Owns the options of the HTTP application: their defaults, and refusing what makes no sense.
// Applies none of them: app.ts does.
import * as v from "valibot";
import type { VerificationKey } from "../auth/verification-key.ts";
import { checkOptions } from "../check-options.ts";
import { newBatonKey } from "../hrana/baton.ts";
import { DEFAULT_MAX_SQL_BYTES } from "../sql/guard.ts";
import type { RequestLimits } from "./env.ts";
import { type OnInternalError, printError } from "./shown-error.ts";
import type { ResolveTenantOptions } from "./resolve-tenant.ts";

export const DEFAULT_MAX_ROWS = 100_000;
export const DEFAULT_MAX_RESPONSE_BYTES = 32 * 1024 * 1024;
export const DEFAULT_MAX_BODY_BYTES = 16 * 1024 * 1024;
/** SQLite's own limit, as better-sqlite3 is built. */
export const DEFAULT_MAX_PARAMETERS = 32_766;
export const DEFAULT_MAX_BATCH_STATEMENTS = 1_000;
export const DEFAULT_MAX_IN_FLIGHT = 256;

/** Options of the HTTP application that are the operator's to choose. Unknown ones are refused. */
export interface AppOptions
  extends Partial<RequestLimits>, Pick<ResolveTenantOptions, "baseDomains" | "exceptHosts"> {
  /** Rows in an answer. @default 100000 */
  readonly maxRows?: number;
  /** Bytes of the values in an answer. @default 33554432 */
  readonly maxResponseBytes?: number;
  /** Bytes of a request's body. @default 16777216 */
  readonly maxBodyBytes?: number;
  /** Keys that tokens may be signed with. @default none */
  readonly publicKeys?: readonly VerificationKey[];
  /** Origins of web pages that may call this server. @default none */
  readonly corsOrigins?: readonly string[];
  /** Bytes of one statement's text. @default 100000 */
  readonly maxSqlBytes?: number;
  /** Parameters of one statement. @default 32766 */
  readonly maxParameters?: number;
  /** Statements of one batch. @default 1000 */
  readonly maxBatchStatements?: number;
  /** Requests of one tenant that run at once. @default 256 */
  readonly maxInFlight?: number;
  /** Requests of one tenant a second; 0 for no limit. @default 0 */
  readonly maxRequestsPerSecond?: number;
  /**
   * Base64 of 32 bytes with which the batons of Hrana streams are signed. Executors get the server's.
   * @default random at every start
   */
  readonly batonKey?: string;
  /** Told of errors that are nobody's but ours. @default they are printed to stderr */
  readonly onInternalError?: OnInternalError;
}

const count = v.optional(
  v.pipe(v.number(), v.safeInteger("is a whole number"), v.minValue(1, "is at least 1")),
);
const ORIGIN = /^https?:\/\/[^/?#\s*]+$/;
const names = v.optional(v.array(v.string("holds names")));

const OPTIONS = v.strictObject({
  maxRows: count,
  maxResponseBytes: count,
  maxBodyBytes: count,
  maxSqlBytes: count,
  maxParameters: count,
  maxBatchStatements: count,
  maxInFlight: count,
  maxRequestsPerSecond: v.optional(
    v.pipe(v.number(), v.safeInteger("is a whole number"), v.minValue(0, "is not negative")),
  ),
  batonKey: v.optional(v.string("is text")),
  baseDomains: names,
  exceptHosts: names,
  corsOrigins: v.optional(
    v.array(v.pipe(v.string(), v.regex(ORIGIN, "is an origin such as https://app.example.com"))),
  ),
  publicKeys: v.optional(
    v.array(v.custom<VerificationKey>((key) => typeof key === "object" && key !== null)),
  ),
  onInternalError: v.optional(v.custom<OnInternalError>((told) => typeof told === "function")),
});

/** The options with their defaults. */
export type AppSettings = Required<AppOptions>;

/** @throws {TenantryError} `INVALID_OPTION` */
export function appSettings(given: AppOptions): AppSettings {
  const options = checkOptions(OPTIONS, given);
  return {
    maxRows: options.maxRows ?? DEFAULT_MAX_ROWS,
    maxResponseBytes: options.maxResponseBytes ?? DEFAULT_MAX_RESPONSE_BYTES,
    maxBodyBytes: options.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES,
    maxSqlBytes: options.maxSqlBytes ?? DEFAULT_MAX_SQL_BYTES,
    maxParameters: options.maxParameters ?? DEFAULT_MAX_PARAMETERS,
    maxBatchStatements: options.maxBatchStatements ?? DEFAULT_MAX_BATCH_STATEMENTS,
    maxInFlight: options.maxInFlight ?? DEFAULT_MAX_IN_FLIGHT,
    maxRequestsPerSecond: options.maxRequestsPerSecond ?? 0,
    batonKey: options.batonKey ?? newBatonKey(),
    baseDomains: options.baseDomains ?? [],
    exceptHosts: options.exceptHosts ?? [],
    corsOrigins: options.corsOrigins ?? [],
    publicKeys: options.publicKeys ?? [],
    onInternalError: options.onInternalError ?? printError,
  };
}
