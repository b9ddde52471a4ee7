// Owns Cloudflare's API of D1 as this room calls it: the official client, its token, its time limit, what is tried
// again, and what its errors mean. Knows no tenants.
import { TenantryError } from "../../tenantry-error.ts";
import { d1Error } from "../d1-error.ts";
import { fromD1 } from "../d1-sql-error.ts";
import { RemoteCalls } from "../remote/remote-calls.ts";
import { faultError, faultOfFetch, faultOfStatus, RemoteFault } from "../remote/remote-fault.ts";

/** A statement, or several of them as one transaction. */
export type RestQuery =
  | { readonly sql: string; readonly params: readonly string[] }
  | { readonly batch: readonly { readonly sql: string; readonly params: readonly string[] }[] };

/** The part of the client that is used. */
export interface D1Api {
  create(params: Record<string, unknown>): Promise<{ uuid?: string }>;
  list(params: Record<string, unknown>): Promise<{ result: { uuid?: string; name?: string }[] }>;
  delete(id: string, params: Record<string, unknown>): Promise<unknown>;
  query(id: string, params: Record<string, unknown>): Promise<{ result: unknown[] }>;
  raw(id: string, params: Record<string, unknown>): Promise<{ result: unknown[] }>;
  export(id: string, params: Record<string, unknown>): Promise<Record<string, unknown>>;
  import(id: string, params: Record<string, unknown>): Promise<Record<string, unknown>>;
  readonly timeTravel: {
    getBookmark(id: string, params: Record<string, unknown>): Promise<{ bookmark?: string }>;
    restore(
      id: string,
      params: Record<string, unknown>,
    ): Promise<{ bookmark?: string; previous_bookmark?: string }>;
  };
}

/** What {@link RestApi} is made with. */
export interface RestApiOptions {
  readonly accountId: string;
  readonly apiToken: string | ((request: { readonly renew: boolean }) => string | Promise<string>);
  readonly baseUrl: string | undefined;
  readonly requestTimeoutMs: number;
  readonly maxRetries: number;
}

/** D1's API of one account. */
export class RestApi {
  readonly accountId: string;
  readonly #options: RestApiOptions;
  readonly #calls: RemoteCalls;
  #client: Promise<D1Api> | undefined;
  #token: Promise<string> | undefined;

  constructor(options: RestApiOptions) {
    this.accountId = options.accountId;
    this.#options = options;
    this.#calls = new RemoteCalls(options.maxRetries);
  }

  /**
   * Calls the API, again where that is safe.
   * @param name the tenant's, for errors
   * @param writes whether it may have been done when it fails
   * @throws {TenantryError} `DATABASE_UNREACHABLE`, `DATABASE_REFUSED`, `DATABASE_THROTTLED`, `DATABASE_MISSING`,
   * `OUTCOME_UNKNOWN`, and those of SQL
   */
  async call<T>(name: string, writes: boolean, fn: (d1: D1Api) => Promise<T>): Promise<T> {
    try {
      return await this.#calls.run(writes, async () => {
        const d1 = await (this.#client ??= this.#load());
        try {
          return await fn(d1);
        } catch (error) {
          throw meaningOf(error);
        }
      });
    } catch (error) {
      throw error instanceof RemoteFault ? faultError(error, name, writes) : error;
    }
  }

  async #load(): Promise<D1Api> {
    const { default: Cloudflare } = await loadCloudflare();
    const client = new Cloudflare({
      // Replaced in every request, by a fresh one where it has been refused.
      apiToken: "-",
      baseURL: this.#options.baseUrl,
      // What is safe to send again is decided here, not by the method.
      maxRetries: 0,
      timeout: this.#options.requestTimeoutMs + 1_000,
      fetch: (input: string, init: RequestInit) => this.#fetch(input, init),
    });
    return client.d1.database;
  }

  async #fetch(input: string, init: RequestInit): Promise<Response> {
    let response = await this.#send(input, init, false);
    if (response.status === 401 && typeof this.#options.apiToken === "function") {
      await response.body?.cancel();
      // Refused before anything was done.
      response = await this.#send(input, init, true);
    }
    const fault = faultOfStatus(response);
    if (!fault) return response;
    await response.body?.cancel();
    throw fault;
  }

  async #send(input: string, init: RequestInit, renew: boolean): Promise<Response> {
    const { apiToken, requestTimeoutMs } = this.#options;
    if (renew || this.#token === undefined) {
      this.#token = Promise.resolve(typeof apiToken === "function" ? apiToken({ renew }) : apiToken);
      this.#token.catch(() => (this.#token = undefined));
    }
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${await this.#token}`);
    try {
      return await fetch(input, { ...init, headers, signal: AbortSignal.timeout(requestTimeoutMs) });
    } catch (error) {
      throw faultOfFetch(error, requestTimeoutMs);
    }
  }
}

/** What the client threw: a fault of the way, an error of SQL in D1's words, or what the API refused. */
function meaningOf(error: unknown): RemoteFault | TenantryError {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    if (at instanceof RemoteFault || at instanceof TenantryError) return at;
  }
  const [first] = errorsOf(error);
  if (first === undefined) {
    return new RemoteFault("unreachable", "gave an answer that is not one of D1's", {
      mayHaveRun: true,
      cause: error,
    });
  }
  const known = fromD1(new Error(first.message));
  if (known.code !== "INTERNAL") return known;
  // An answer of 400: nothing was done.
  return d1Error("SQL_ERROR", first.message, { cause: error });
}

/** Cloudflare's own list of what is wrong. */
export function errorsOf(error: unknown): { readonly code: number; readonly message: string }[] {
  if (!(error instanceof Error) || !("errors" in error) || !Array.isArray(error.errors)) return [];
  return error.errors.filter((one) => typeof one?.message === "string");
}

/** The part of the module that is used. */
interface CloudflareModule {
  readonly default: new (options: Record<string, unknown>) => { readonly d1: { readonly database: D1Api } };
}

async function loadCloudflare(): Promise<CloudflareModule> {
  try {
    return (await import("cloudflare")) as unknown as CloudflareModule;
  } catch (cause) {
    throw new TenantryError("UNSUPPORTED", "D1 by REST needs the package cloudflare.", {
      hint: "npm install cloudflare",
      cause,
    });
  }
}
