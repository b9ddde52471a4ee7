// Owns the client of one libSQL database: making it, making it anew when its token is refused, and one call of it
// with its faults and retries. Knows no statements, nor replicas (libsql-replica.ts).
import { FifoLock } from "../../fifo-lock.ts";
import { isTenantryError, TenantryError } from "../../tenantry-error.ts";
import type { RemoteCalls } from "../remote/remote-calls.ts";
import { faultError, RemoteFault } from "../remote/remote-fault.ts";
import { fromLibsql } from "./libsql-error.ts";
import type { LibsqlClient, LibsqlRunner, LibsqlTransactionLike } from "./libsql-library.ts";

/** Milliseconds that a write of a file waits for other writers of this process. */
const WRITE_TIMEOUT_MS = 5_000;

/** What a {@link LibsqlConnection} is made with. */
export interface LibsqlConnectionOptions {
  /** The database's name, for errors. */
  readonly name: string;
  /** Makes a client; `renew` asks for another token than the last. */
  readonly connect: (renew: boolean) => Promise<LibsqlClient>;
  /** Whether `connect(true)` could help where a token is refused, and not only `fetch` renews it. */
  readonly renewable: boolean;
  readonly calls: RemoteCalls;
  /** Milliseconds that a call may take, where no `fetch` of ours sees to it; 0 for any time. */
  readonly callTimeoutMs: number;
  /** Whether the database is a file of this machine. */
  readonly local: boolean;
}

/** A libSQL database as something that can be called: itself, or a replica of it. */
export interface LibsqlCalls {
  /** The database's name, for errors. */
  readonly name: string;
  /** Whether what writes runs in a file of this machine. */
  readonly local: boolean;
  /**
   * Calls it, again where that is safe.
   * @param writes whether it may have written when it fails
   * @throws {TenantryError} `DATABASE_UNREACHABLE`, `DATABASE_REFUSED`, `DATABASE_THROTTLED`, `DATABASE_MISSING`,
   * `OUTCOME_UNKNOWN`, and those of SQL
   */
  call<T>(writes: boolean, fn: (client: LibsqlRunner) => Promise<T>): Promise<T>;
  /** Begins a transaction, which is the caller's to end. @throws {TenantryError} as {@link call} does */
  begin(mode: "write" | "deferred"): Promise<LibsqlTransactionLike>;
  /** What a failed call that was not made here stands for. */
  explain(error: unknown, writes: boolean): TenantryError;
  close(): void | Promise<void>;
}

/** {@link LibsqlCalls} of a database by a client of its own. */
export class LibsqlConnection implements LibsqlCalls {
  readonly name: string;
  readonly local: boolean;
  readonly #options: LibsqlConnectionOptions;
  /** The line of those who write to a file: they would meet its lock, which cannot be waited for here. */
  readonly #writers: FifoLock | undefined;
  #client: LibsqlClient | undefined;
  #closed = false;

  constructor(options: LibsqlConnectionOptions) {
    this.name = options.name;
    this.local = options.local;
    this.#options = options;
    if (options.local) this.#writers = new FifoLock({ timeoutMs: WRITE_TIMEOUT_MS, onTimeout: busy });
  }

  async call<T>(writes: boolean, fn: (client: LibsqlRunner) => Promise<T>): Promise<T> {
    const release = writes ? await this.#writers?.acquire() : undefined;
    try {
      return await this.#call(writes, fn);
    } finally {
      release?.();
    }
  }

  async begin(mode: "write" | "deferred"): Promise<LibsqlTransactionLike> {
    const release = mode === "write" ? await this.#writers?.acquire() : undefined;
    try {
      const tx = await this.#call(false, (client) => client.transaction(mode));
      if (!release) return tx;
      return {
        execute: (statement) => tx.execute(statement),
        batch: (statements) => tx.batch(statements),
        commit: () => tx.commit().finally(release),
        close: () => {
          tx.close();
          release();
        },
      };
    } catch (error) {
      release?.();
      throw error;
    }
  }

  explain(error: unknown, writes: boolean): TenantryError {
    const found = fromLibsql(error);
    return found instanceof RemoteFault ? faultError(found, this.name, writes) : found;
  }

  close(): void {
    this.#closed = true;
    this.#client?.close();
    this.#client = undefined;
  }

  async #call<T>(writes: boolean, fn: (client: LibsqlClient) => Promise<T>): Promise<T> {
    try {
      return await this.#options.calls.run(writes, () => this.#once(fn));
    } catch (error) {
      throw error instanceof RemoteFault ? faultError(error, this.name, writes) : error;
    }
  }

  async #once<T>(fn: (client: LibsqlClient) => Promise<T>): Promise<T> {
    try {
      return await this.#try(fn, false);
    } catch (error) {
      if (!(error instanceof RemoteFault) || error.kind !== "refused" || !this.#options.renewable)
        throw error;
      // Refused before anything was done.
      return await this.#try(fn, true);
    }
  }

  async #try<T>(fn: (client: LibsqlClient) => Promise<T>, renew: boolean): Promise<T> {
    try {
      const client = await this.#open(renew);
      return await this.#inTime(fn(client));
    } catch (error) {
      const found = fromLibsql(error);
      // A client whose connection is gone does not always make a new one.
      if (found instanceof RemoteFault || isTenantryError(found, "CLOSED")) this.#forget();
      if (isTenantryError(found, "CLOSED") && !this.#closed) {
        throw new RemoteFault("unreachable", "closed the connection", { mayHaveRun: true, cause: error });
      }
      throw found;
    }
  }

  async #open(renew: boolean): Promise<LibsqlClient> {
    if (this.#closed) throw new TenantryError("CLOSED", "The database handle is closed.");
    if (this.#client && !renew) return this.#client;
    this.#forget();
    const client = await this.#options.connect(renew);
    if (this.#closed) client.close();
    this.#client = client;
    return client;
  }

  #forget(): void {
    if (this.local) return;
    this.#client?.close();
    this.#client = undefined;
  }

  async #inTime<T>(call: Promise<T>): Promise<T> {
    const { callTimeoutMs } = this.#options;
    if (callTimeoutMs === 0) return call;
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(
      () =>
        reject(
          new RemoteFault("unreachable", `did not answer within ${callTimeoutMs} ms`, { mayHaveRun: true }),
        ),
      callTimeoutMs,
    );
    try {
      return await Promise.race([call, late]);
    } finally {
      clearTimeout(timer);
      // Nobody waits for it any more, whatever becomes of it.
      call.catch(() => undefined);
    }
  }
}

function busy(): TenantryError {
  return new TenantryError("DATABASE_BUSY", "Another transaction of this tenant is still writing.", {
    hint: "Try again; keep transactions short.",
    retryAfterSeconds: 1,
  });
}
