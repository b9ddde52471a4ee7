// Owns what travels between a Worker and a tenant's object: the calls, and answers that keep an error whole.
// RPC itself would leave a thrown error's message and lose its code.
import { type ErrorCode, TenantryError } from "../../tenantry-error.ts";
import type { ExecResult, RunOptions, Script, Statement } from "../driver.ts";
import type { RawResult } from "./object-sql.ts";

/** What an object answers: a value, or why there is none. */
export type Answer<T> = { readonly value: T } | { readonly error: SentError } | { readonly stale: true };

/** A TenantryError on its way. */
export interface SentError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly sqliteCode?: string;
  readonly retryAfterSeconds?: number;
}

/** What an object says of its database. */
export interface OpenedObject {
  /** Names this database until it is stopped, restored or removed: a call with another one is `stale`. */
  readonly token: string;
  readonly sizeBytes: number;
  /** The hash of the migrations that were applied last; empty before the first. */
  readonly schemaHash: string;
}

/** One statement of several that travel together. */
export interface ObjectCall {
  readonly statement: Statement;
  readonly options: RunOptions | undefined;
}

/** The calls of a tenant's object, all of them by RPC. */
export interface TenantObjectRpc {
  /** Undefined where there is no database. */
  open(): Promise<Answer<OpenedObject | undefined>>;
  run(token: string, statement: Statement, options?: RunOptions): Promise<Answer<RawResult>>;
  /**
   * Runs statements each by itself, in order: as many answers as there is room for in one, at least one. Those
   * without an answer have not been run.
   */
  each(token: string, calls: readonly ObjectCall[]): Promise<Answer<readonly Answer<RawResult>[]>>;
  batch(token: string, statements: readonly Statement[], options?: RunOptions): Promise<Answer<RawResult[]>>;
  exec(token: string, sql: string): Promise<Answer<ExecResult>>;
  script(token: string, script: Script): Promise<Answer<boolean>>;
  /** Applies what is pending; the value is a `MigrationResult`. */
  migrate(token: string, set: unknown): Promise<Answer<unknown>>;
  /** Makes an empty database in place of the one that `expected` names; undefined where there is to be none. */
  create(expected: string | undefined): Promise<Answer<OpenedObject>>;
  /** Takes every token back; undefined where there is no database. */
  stop(): Promise<Answer<string | undefined>>;
  /** Removes the database that `token` names, or any where it is undefined. */
  remove(token: string | undefined): Promise<Answer<boolean>>;
  /** Where the database is in time; at `at`, in milliseconds since 1970, or now. */
  bookmark(token: string, at?: number): Promise<Answer<string>>;
  /** Brings the database back to a bookmark. Gives the bookmark that undoes it; the object begins anew after it. */
  restore(token: string, bookmark: string): Promise<Answer<string>>;
}

/** `error` for the way; what is no TenantryError stays a throw, and breaks the stub. */
export function sent({ code, message, hint, sqliteCode, retryAfterSeconds }: TenantryError): SentError {
  return {
    code,
    message,
    ...(hint !== undefined && { hint }),
    ...(sqliteCode !== undefined && { sqliteCode }),
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  };
}

/** The error that was sent. D1's errors have their message as the cause, too. */
export function received({ code, message, ...details }: SentError): TenantryError {
  const said = /^D1_[A-Z_]+: (.*)$/s.exec(message)?.[1];
  return new TenantryError(
    code,
    message,
    said === undefined ? details : { ...details, cause: new Error(said) },
  );
}
