// Owns the place of one Litestream process: what it is to have, its restart when it ends, and its renewal.
// Does not choose what it has.
import type { LitestreamClient } from "./litestream-client.ts";
import { LitestreamProcess, type LitestreamProcessOptions } from "./litestream-process.ts";
import { inParallel } from "./in-parallel.ts";

/** Milliseconds until a process that has ended is started again; doubled with each further end. */
const FIRST_RESTART_MS = 100;
const LAST_RESTART_MS = 30_000;
/** Milliseconds that a process has to live for its end to count as the first again. */
const STEADY_MS = 60_000;
/** Databases that are registered at once where a process takes over those of its predecessor. */
const REGISTER_AT_ONCE = 8;
/** Registrations after which a process is replaced: it keeps figures of every database that it ever had. */
export const DEFAULT_MAX_REGISTRATIONS = 20_000;
/** Milliseconds that a process which is replaced gets to upload what it has. */
const RENEWAL_GRACE_MS = 10_000;

/** How a place has its process. */
export interface LitestreamPlaceOptions extends LitestreamProcessOptions {
  /** Databases that a process is given before it is replaced. @default 20000 */
  readonly maxRegistrations?: number | undefined;
}

/** What a place tells. */
export interface PlaceEvents {
  onEnd(pid: number, why: string): void;
  onStart(pid: number): void;
  onLog(line: string): void;
}

/** One process, and the databases that it is to have. */
export class LitestreamPlace {
  /** URLs by path. */
  readonly wanted = new Map<string, string>();
  /** When each was last found to agree with its replica, by path. */
  readonly syncedAt = new Map<string, number>();
  readonly #options: LitestreamProcessOptions;
  readonly #maxRegistrations: number;
  readonly #events: PlaceEvents;
  #process: LitestreamProcess | undefined;
  #starting: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ends = 0;
  #registrations = 0;
  #renewing: Promise<void> | undefined;
  #closed = false;

  constructor(
    { maxRegistrations = DEFAULT_MAX_REGISTRATIONS, ...options }: LitestreamPlaceOptions,
    events: PlaceEvents,
  ) {
    this.#maxRegistrations = maxRegistrations;
    this.#options = { ...options, onLog: (line) => events.onLog(line) };
    this.#events = events;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** @throws where the process does not start; it is tried again on its own */
  start(): Promise<void> {
    return (this.#starting ??= this.#start().finally(() => (this.#starting = undefined)));
  }

  /** The process's socket. @throws where none runs just now */
  get client(): LitestreamClient {
    if (!this.#process) throw new Error("Litestream is being started again.");
    return this.#process.client;
  }

  /** Gives the process a database, now and after each restart. */
  async register(path: string, url: string): Promise<void> {
    this.wanted.set(path, url);
    this.#registrations++;
    await this.client.register(path, url);
  }

  /** Takes a database away. */
  async unregister(path: string, timeoutMs: number): Promise<void> {
    this.wanted.delete(path);
    this.syncedAt.delete(path);
    // One that does not run has nothing.
    await this.#process?.client.unregister(path, timeoutMs);
  }

  /** Brings the process and {@link wanted} together, and renews one that has had many databases. */
  async reconcile(): Promise<void> {
    if (!this.#process || this.#renewing) return;
    const { client } = this.#process;
    const asked = new Set(this.wanted.keys());
    const listed = await client.list();
    const has = new Set(listed.map(({ path }) => path));
    for (const { path, syncedAt } of listed) {
      if (this.wanted.has(path)) this.syncedAt.set(path, syncedAt);
      // What was given to it between the question and the answer is nobody's mistake.
      else if (!asked.has(path)) await client.unregister(path, RENEWAL_GRACE_MS);
    }
    const lost = [...asked].filter((path) => !has.has(path) && this.wanted.has(path));
    await this.#registerAll(client, lost);
    if (this.#registrations > this.#maxRegistrations) this.#renewing = this.#renew();
  }

  /** Ends the process: see {@link LitestreamProcess.close}. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#starting?.catch(() => undefined);
    await this.#process?.close(graceMs);
  }

  async #start(): Promise<void> {
    if (this.#process || this.#closed) return;
    const process = await LitestreamProcess.start(this.#options);
    const startedAt = performance.now();
    this.#process = process;
    this.#registrations = this.wanted.size;
    this.#events.onStart(process.pid);
    void process.ended.then((why) => this.#ended(process, why, startedAt));
    await this.#registerAll(process.client, [...this.wanted.keys()]);
  }

  #ended(process: LitestreamProcess, why: string, startedAt: number): void {
    if (this.#process !== process) return;
    this.#process = undefined;
    void process.close(0);
    if (this.#closed || this.#renewing) return;
    this.#events.onEnd(process.pid, why);
    if (performance.now() - startedAt > STEADY_MS) this.#ends = 0;
    this.#startLater();
  }

  #startLater(): void {
    const waitMs = Math.min(FIRST_RESTART_MS * 2 ** this.#ends++, LAST_RESTART_MS);
    this.#timer = setTimeout(() => {
      this.start().catch((error: unknown) => {
        this.#events.onEnd(0, error instanceof Error ? error.message : String(error));
        this.#startLater();
      });
    }, waitMs);
  }

  async #registerAll(client: LitestreamClient, paths: readonly string[]): Promise<void> {
    await inParallel(REGISTER_AT_ONCE, paths, async (path) => {
      const url = this.wanted.get(path);
      if (url !== undefined) await client.register(path, url);
    });
  }

  async #renew(): Promise<void> {
    try {
      await this.#process?.close(RENEWAL_GRACE_MS);
      this.#process = undefined;
      await this.start();
    } catch {
      // It is tried again, later and later, as after any other end.
      this.#startLater();
    } finally {
      this.#renewing = undefined;
    }
  }
}
