// Owns an embedded replica: which of its database's statements run in its file and which at its primary, and when it
// is synchronised. Does not know how either is called (libsql-connection.ts), nor how one synchronises
// (libsql-replica-source.ts, libsql-synchroniser.ts).
import { setTimeout as sleep } from "node:timers/promises";
import { isTenantryError, type TenantryError } from "../../tenantry-error.ts";
import { faultError, RemoteFault } from "../remote/remote-fault.ts";
import type { LibsqlCalls, LibsqlConnection } from "./libsql-connection.ts";
import type { LibsqlRunner, LibsqlStatement, LibsqlTransactionLike } from "./libsql-library.ts";
import type { ReplicaSource } from "./libsql-replica-source.ts";

/** What a {@link LibsqlReplica} is made with. */
export interface LibsqlReplicaOptions {
  /** The replica's file. */
  readonly here: LibsqlConnection;
  readonly primary: LibsqlConnection;
  readonly source: ReplicaSource;
  /** Milliseconds that a statement waits for a synchronisation, or for the file. */
  readonly maxWaitMs: number;
  /** Milliseconds between two questions for news. @default none are asked */
  readonly syncIntervalMs?: number | undefined;
}

/** Asks a primary whether it is there. */
const NOTHING: LibsqlStatement = { sql: "SELECT 1", args: [] };

/** Milliseconds between two looks at a file that is locked. */
const LOCKED_WAIT_MS = 10;

/**
 * A libSQL database by its replica: what only reads runs in the file, everything else at the primary, as if there
 * was no replica. The library can do both by one client, but that stops the whole process while it waits, calls a
 * write failed that was done, and sends reads away once a transaction could not begin.
 */
export class LibsqlReplica implements LibsqlCalls {
  readonly name: string;
  readonly local = false;
  readonly #options: LibsqlReplicaOptions;
  #ready: Promise<void> | undefined;
  /** Writes of this replica that were done, and how many of them are known to be here. */
  #written = 0;
  #brought = 0;
  /** Whether the last synchronisation failed. */
  #failed = false;
  /** The synchronisation that runs, and the one that waits for it. */
  #syncing: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: LibsqlReplicaOptions) {
    this.name = options.primary.name;
    this.#options = options;
  }

  async call<T>(writes: boolean, fn: (client: LibsqlRunner) => Promise<T>): Promise<T> {
    const { primary } = this.#options;
    await this.#begin();
    if (writes) return this.#followed(() => primary.call(true, fn));
    // Whoever has written reads it, though it could not be brought here: at the primary.
    if (this.#brought < this.#written) await this.#inTime(this.#synchronise());
    return this.#brought < this.#written ? primary.call(false, fn) : this.#read(fn);
  }

  async begin(mode: "write" | "deferred"): Promise<LibsqlTransactionLike> {
    await this.#begin();
    const inner = await this.#options.primary.begin(mode);
    return {
      execute: (statement) => inner.execute(statement),
      batch: (statements) => inner.batch(statements),
      commit: () => this.#followed(() => inner.commit()),
      close: () => inner.close(),
    };
  }

  explain(error: unknown, writes: boolean): TenantryError {
    return this.#options.primary.explain(error, writes);
  }

  /** What is being synchronised is waited for, so that nobody writes to the file any more. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#options.here.close();
    this.#options.primary.close();
    await this.#inTime(Promise.allSettled([this.#ready, this.#syncing]));
  }

  /** Who synchronises locks the file for a moment, such as to end its log. */
  async #read<T>(fn: (client: LibsqlRunner) => Promise<T>): Promise<T> {
    const { here, maxWaitMs } = this.#options;
    for (const until = performance.now() + maxWaitMs; ; await sleep(LOCKED_WAIT_MS)) {
      try {
        return await here.call(false, fn);
      } catch (error) {
        if (!isTenantryError(error, "DATABASE_BUSY") || performance.now() > until) throw error;
      }
    }
  }

  #begin(): Promise<void> {
    if (this.#ready) return this.#ready;
    const ready = this.#first()
      .catch((error: unknown) => {
        this.#ready = undefined;
        throw error instanceof RemoteFault ? faultError(error, this.name, false) : error;
      })
      .then(() => this.#wait());
    return (this.#ready = ready);
  }

  /** Synchronises for the first time. A replica of before can be read without its primary. */
  async #first(): Promise<void> {
    const { source, primary } = this.#options;
    try {
      // Where it does not answer by HTTP the library tries gRPC, for seconds, and leaves an empty database.
      if ((await source.protocol()) === "grpc")
        await primary.call(false, (client) => client.execute(NOTHING));
      await source.synchronise();
    } catch (error) {
      if (!isAway(error) || !(await source.isHere())) throw error;
    }
  }

  /** Does a write, and brings it here. It is done whatever becomes of that. */
  async #followed<T>(write: () => Promise<T>): Promise<T> {
    try {
      const result = await write();
      this.#written++;
      await this.#inTime(this.#synchronise());
      return result;
    } catch (error) {
      if (this.explain(error, true).code === "OUTCOME_UNKNOWN") this.#written++;
      throw error;
    }
  }

  async #inTime(done: Promise<unknown>): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#options.maxWaitMs);
    await Promise.race([done, late]);
    clearTimeout(timer);
  }

  /** Brings what is at the primary by now: one run for all who ask before it begins. Never rejects. */
  #synchronise(): Promise<void> {
    if (this.#next) return this.#next;
    const next = this.#syncing.then(async () => {
      this.#next = undefined;
      if (this.#closed) return;
      await this.#bring();
    });
    return (this.#next = this.#syncing = next);
  }

  async #bring(): Promise<void> {
    const { source } = this.#options;
    const written = this.#written;
    try {
      // A request that has a time limit first: a primary that does not answer holds up other replicas.
      if (this.#failed) await source.hasNews();
      await source.synchronise();
      this.#brought = written;
      this.#failed = false;
    } catch {
      this.#failed = true;
    }
  }

  #wait(): void {
    const { syncIntervalMs, source } = this.#options;
    if (syncIntervalMs === undefined || this.#closed) return;
    this.#timer = setTimeout(() => {
      source
        .hasNews()
        .then((news) => (news ? this.#synchronise() : undefined))
        // A primary that is away is asked again after the interval.
        .catch(() => undefined)
        .finally(() => this.#wait());
    }, syncIntervalMs);
    this.#timer.unref();
  }
}

function isAway(error: unknown): boolean {
  if (error instanceof RemoteFault) return error.kind === "unreachable" || error.kind === "throttled";
  return isTenantryError(error, "DATABASE_UNREACHABLE") || isTenantryError(error, "DATABASE_THROTTLED");
}
