// Owns what the main process and an executor say to each other, and the version of it.
// Does not send anything: channel.ts does.
import { TenantryError, type ErrorCode } from "../tenantry-error.ts";
import type { Scope } from "../auth/caller.ts";
import type { TransactionMode } from "../drivers/driver.ts";
import type { HandleCacheStats } from "../handle-cache/handles.ts";

/** Raised with every change below. Both sides come from one checkout; a mismatch is a broken installation. */
export const PROTOCOL_VERSION = 6;

/** What the main process asks. The number is the job's, unique for the executor's life. */
export type Ask =
  /** An HTTP request below a tenant's routes; the frame's body is the request's. */
  | readonly ["http", job: number, HttpAsk]
  /** A request of a socket's stream; the frame's body is the request's JSON. */
  | readonly ["stream", job: number, StreamAsk]
  /** The stream has ended: what is not committed is rolled back, whatever its request is doing. */
  | readonly ["close_stream", 0, stream: number]
  /** Statements by the portable contract; the frame's body is a {@link SqlAsk}, serialised. */
  | readonly ["sql", job: number, tenant: string, startBefore: number]
  /** Opens an interactive transaction; the answer says its number, which is this job's. */
  | readonly ["begin", job: number, tenant: string, mode: TransactionMode, timeoutMs: number | null]
  /** Statements in an open transaction. */
  | readonly ["tx", job: number, transaction: number]
  | readonly ["end", job: number, transaction: number, how: "commit" | "rollback"]
  /** Work on a whole database; the frame's body is its arguments, serialised. */
  | readonly ["chore", job: number, ChoreName]
  /** The receiver has taken that many bytes of an answer's body: more may be sent. */
  | readonly ["more", job: number, bytes: number]
  /** Nobody waits for the answer any more. */
  | readonly ["forget", job: number]
  /** Is anybody there? Answered at once, unless a statement holds the event loop. */
  | readonly ["ping", number]
  /** Finish what has begun, and end. */
  | readonly ["retire"];

/** Work that reads or writes a whole database, and holds an event loop for as long as that takes. */
export type ChoreName = "importFile" | "exportFile" | "fork" | "migrate";

/** An HTTP request as an executor gets it: resolved and authorised. */
export interface HttpAsk {
  readonly tenant: string;
  readonly incarnation: string;
  /** What the caller may do to the tenant. */
  readonly scope: Scope;
  readonly method: string;
  /** Below the tenant's own root: `/rest/customers?limit=1`. */
  readonly path: string;
  /** Where the tenant's root is, for links. */
  readonly base: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds since 1970 after which the job must not begin. */
  readonly startBefore: number;
}

/** A request of a stream as an executor gets it: resolved and authorised. */
export interface StreamAsk {
  /** Unique for the main process's life. */
  readonly stream: number;
  readonly tenant: string;
  readonly incarnation: string;
  readonly scope: Scope;
  readonly timeoutMs: null;
  /** Whether the body is a batch whose entries are to be read one by one. */
  readonly cursor: boolean;
  /** Milliseconds since 1970 after which the job must not begin. */
  readonly startBefore: number;
}

/**
 * What an executor says of a stream besides its answer: in a header, or behind a cursor's entries, that its
 * transaction is open, so that what comes next has to come to the same executor.
 */
export const STREAM_OPEN = "open";

/** Statements as an executor gets them. */
export interface SqlAsk {
  /** `figures` gives what is counted of the tenant's statements; `forget` forgets them one by one. */
  readonly kind: "run" | "batch" | "exec" | "figures" | "forget";
  readonly statements: readonly { readonly sql: string; readonly params: readonly unknown[] }[];
  readonly options: object | undefined;
}

/** What an executor says. */
export type Say =
  | readonly ["hello", version: number]
  /** It cannot work at all. */
  | readonly ["broken", PlainError]
  /** The answer to an HTTP request; the frame's body is the beginning of the answer's. */
  | readonly ["http", job: number, status: number, headers: Readonly<Record<string, string>>, last: boolean]
  /** More of an answer's body. */
  | readonly ["chunk", job: number, last: boolean]
  /** A result; the frame's body is the value, serialised. */
  | readonly ["value", job: number]
  | readonly ["error", job: number, PlainError]
  | readonly ["pong", number]
  | readonly ["figures", Figures];

/** What an executor tells about itself, once a second. */
export interface Figures {
  readonly pid: number;
  readonly rssBytes: number;
  readonly handles: HandleCacheStats;
  /** Milliseconds that statements of the busiest tenants ran in the last second. */
  readonly busy: readonly (readonly [tenant: string, ms: number])[];
}

/** A TenantryError on its way between processes. */
export interface PlainError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly tenant?: string;
  readonly retryAfterSeconds?: number;
  readonly sqliteCode?: string;
  /** What the error's cause said: code written for D1 reads it. */
  readonly causeMessage?: string;
}

/** The error as data. What is not a TenantryError stays in this process's log. */
export function toPlain(error: unknown): PlainError {
  if (!(error instanceof TenantryError)) {
    return { code: "INTERNAL", message: error instanceof Error ? error.message : String(error) };
  }
  const { code, message, hint, tenant, retryAfterSeconds, sqliteCode, cause } = error;
  return {
    code,
    message,
    ...(cause instanceof Error && { causeMessage: cause.message }),
    ...(hint !== undefined && { hint }),
    ...(tenant !== undefined && { tenant }),
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    ...(sqliteCode !== undefined && { sqliteCode }),
  };
}

/** The error that the data is of. */
export function fromPlain({ code, message, causeMessage, ...details }: PlainError): TenantryError {
  return new TenantryError(code, message, {
    ...details,
    ...(causeMessage !== undefined && { cause: new Error(causeMessage) }),
  });
}
