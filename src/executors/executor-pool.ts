// Owns the executors: which tenant belongs to which, who runs apart, when one is replaced, and their figures.
// Does not know HTTP beyond handing an answer on.
import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { LRUCache } from "lru-cache";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import type { DatabaseRunner } from "../database/tenant-database.ts";
import type { EndReason } from "./executor.ts";
import type { ExecutorSettings } from "./executor-settings.ts";
import { jumpHash } from "./jump-hash.ts";
import { type Job, Lane, type Taken } from "./lane.ts";
import type { Figures, HttpAsk } from "./messages.ts";
import { remoteRunner } from "./remote-runner.ts";
import { Offenders } from "./offenders.ts";

export const DEFAULT_STATEMENT_TIMEOUT_MS = 10_000;
export const DEFAULT_EXECUTOR_MAX_RSS_BYTES = 1024 * 1024 * 1024;
/** Jobs over all executors that may be in line or running; more are turned away. */
export const DEFAULT_MAX_JOBS = 4_096;

/** The part of a second that one tenant's statements may run, second after second, among the others. */
const APART_SHARE_MS = 800;
/** Seconds in a row after which such a tenant runs apart. */
const APART_AFTER_SECONDS = 5;
/** Milliseconds that it then does. */
const APART_FOR_MS = 60_000;
const REMEMBERED_TENANTS = 100_000;
const STREAM_BUFFER_BYTES = 256 * 1024;

/** What a pool is made with. */
export interface ExecutorPoolOptions {
  /** Executors among which the tenants are divided, at least 1; one more is started for those that run apart. */
  readonly executors: number;
  readonly settings: Omit<ExecutorSettings, "progressFile">;
  /** Where executors note what they do. */
  readonly scratchDir: string;
  /** @default 10000 */
  readonly statementTimeoutMs?: number;
  /** @default 1073741824 */
  readonly maxRssBytes?: number;
  /** @default 4096 */
  readonly maxJobs?: number;
  /** Told of what an operator should know of. */
  readonly onEvent?: (event: PoolEvent) => void;
}

/** What happens to executors. */
export type PoolEvent =
  | { readonly what: "killed"; readonly executor: string; readonly tenant: string }
  | { readonly what: "ended"; readonly executor: string; readonly reason: EndReason; readonly detail: string }
  | { readonly what: "recycled"; readonly executor: string; readonly rssBytes: number }
  | { readonly what: "apart"; readonly tenant: string };

/** An answer to an HTTP request. */
export interface PooledAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | ReadableStream<Uint8Array>;
}

/** How an HTTP request is to be run. */
export interface HttpJobOptions {
  readonly timeoutMs: number;
  readonly repeatable: () => boolean;
}

interface Place {
  readonly name: string;
  readonly lane: Lane;
  figures: Figures | undefined;
}

/** Counters for metrics. */
export interface PoolStats {
  readonly kills: number;
  readonly restarts: number;
  readonly recycles: number;
  readonly throttled: number;
  readonly overloaded: number;
  /** Jobs that waited for their turn, and for how long in sum. */
  readonly queued: number;
  readonly queueSeconds: number;
  readonly executors: readonly {
    readonly name: string;
    readonly pid: number | undefined;
    readonly running: number;
    readonly waiting: number;
    readonly rssBytes: number;
    readonly open: number;
  }[];
}

/** Runs tenants' statements in processes that can be killed. */
export class ExecutorPool {
  readonly statementTimeoutMs: number;
  readonly #places: readonly Place[];
  readonly #apart: Place;
  readonly #scratchDir: string;
  readonly #maxRssBytes: number;
  readonly #maxJobs: number;
  readonly #onEvent: (event: PoolEvent) => void;
  readonly #offenders = new Offenders();
  readonly #home = new LRUCache<string, Place>({ max: REMEMBERED_TENANTS });
  /** Tenants that take a whole second, and for how many seconds in a row. */
  readonly #greedy = new Map<string, number>();
  readonly #apartUntil = new Map<string, number>();
  readonly #counts = { kills: 0, restarts: 0, recycles: 0, throttled: 0, overloaded: 0 };

  constructor(options: ExecutorPoolOptions) {
    const { executors, settings, scratchDir } = options;
    this.#scratchDir = scratchDir;
    this.statementTimeoutMs = options.statementTimeoutMs ?? DEFAULT_STATEMENT_TIMEOUT_MS;
    this.#maxRssBytes = options.maxRssBytes ?? DEFAULT_EXECUTOR_MAX_RSS_BYTES;
    this.#maxJobs = options.maxJobs ?? DEFAULT_MAX_JOBS;
    this.#onEvent = options.onEvent ?? (() => {});
    const place = (name: string): Place => {
      const made: Place = {
        name,
        figures: undefined,
        lane: new Lane(
          () => ({ ...settings, progressFile: join(scratchDir, `executor-${name}-${randomUUID()}`) }),
          {
            onKill: (tenant) => {
              this.#counts.kills++;
              this.#offenders.killed(tenant);
              this.#onEvent({ what: "killed", executor: name, tenant });
            },
            onEnd: (reason, detail) => {
              if (reason !== "retired") this.#counts.restarts++;
              this.#onEvent({ what: "ended", executor: name, reason, detail });
            },
            onFigures: (figures) => this.#hear(made, figures),
          },
        ),
      };
      return made;
    };
    this.#places = Array.from({ length: executors }, (_, index) => place(String(index)));
    this.#apart = place("apart");
  }

  /** Starts every executor. @throws {TenantryError} `EXECUTOR_FAILED` */
  async start(): Promise<void> {
    await mkdir(this.#scratchDir, { recursive: true });
    await Promise.all(this.#places.map(({ lane }) => lane.start()));
  }

  /** Runs an HTTP request on its tenant's executor. @throws {TenantryError} what became of it instead */
  http(
    ask: Omit<HttpAsk, "startBefore">,
    body: Uint8Array | string,
    options: HttpJobOptions,
  ): Promise<PooledAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<PooledAnswer>();
    let stream: AnswerStream | undefined;
    this.#run(
      {
        tenant: ask.tenant,
        timeoutMs: options.timeoutMs,
        repeatable: options.repeatable,
        make: (job, startBefore) => ["http", job, { ...ask, startBefore }],
        body,
        onHttp: (status, headers, first, last, taken) => {
          if (last) return resolve({ status, headers, body: first });
          stream = new AnswerStream(taken);
          resolve({ status, headers, body: stream.readable });
        },
        onChunk: (chunk, last) => {
          stream?.push(chunk, last);
        },
        onError: (error) => {
          stream?.fail(error);
          reject(error);
        },
      },
      reject,
    );
    return promise;
  }

  /** A tenant's database, on its executor. @param check called before each use; what it throws, the use does */
  runner(tenant: string, check: () => void = () => {}): DatabaseRunner {
    return remoteRunner(tenant, {
      lane: () => {
        check();
        return this.#placeOf(tenant).lane;
      },
      run: (job) => {
        check();
        this.#run(job, job.onError);
      },
      timeoutMs: this.statementTimeoutMs,
    });
  }

  /** The executor's own report, and what waits for it. */
  stats(): PoolStats {
    const queueing = [...this.#places, this.#apart].map(({ lane }) => lane.queueing);
    return {
      ...this.#counts,
      queued: queueing.reduce((sum, { queued }) => sum + queued, 0),
      queueSeconds: queueing.reduce((sum, { seconds }) => sum + seconds, 0),
      executors: [...this.#places, this.#apart].map(({ name, lane, figures }) => ({
        name,
        pid: lane.pid,
        running: lane.jobs,
        waiting: lane.waiting,
        rssBytes: figures?.rssBytes ?? 0,
        open: figures?.handles.open ?? 0,
      })),
    };
  }

  /** Why some executor cannot be started; undefined while all can. */
  get failure(): TenantryError | undefined {
    return this.#places.map(({ lane }) => lane.failure).find((failure) => failure !== undefined);
  }

  /** Lets running jobs end, for `graceMs`, and ends the executors. */
  async close(graceMs: number): Promise<void> {
    await Promise.all([...this.#places, this.#apart].map(({ lane }) => lane.close(graceMs)));
  }

  #run(job: Job, reject: (error: TenantryError) => void): void {
    try {
      this.#offenders.check(job.tenant);
    } catch (error) {
      if (!isTenantryError(error)) throw error;
      this.#counts.throttled++;
      return reject(error);
    }
    if (this.#jobs() >= this.#maxJobs) {
      this.#counts.overloaded++;
      return reject(
        new TenantryError("OVERLOADED", `The server has ${this.#maxJobs} requests to do already.`, {
          hint: "Try again in a moment.",
          retryAfterSeconds: 1,
        }),
      );
    }
    this.#placeOf(job.tenant).lane.run(job);
  }

  #jobs(): number {
    let jobs = this.#apart.lane.jobs + this.#apart.lane.waiting;
    for (const { lane } of this.#places) jobs += lane.jobs + lane.waiting;
    return jobs;
  }

  #placeOf(tenant: string): Place {
    if (this.#isApart(tenant)) return this.#apart;
    let place = this.#home.get(tenant);
    if (!place) {
      place = this.#places[jumpHash(tenant, this.#places.length)]!;
      this.#home.set(tenant, place);
    }
    return place;
  }

  #isApart(tenant: string): boolean {
    if (this.#offenders.isApart(tenant)) return true;
    if (this.#apartUntil.size === 0) return false;
    const until = this.#apartUntil.get(tenant);
    if (until === undefined) return false;
    if (until > performance.now()) return true;
    this.#apartUntil.delete(tenant);
    return false;
  }

  #hear(place: Place, figures: Figures): void {
    place.figures = figures;
    if (figures.rssBytes > this.#maxRssBytes) {
      this.#counts.recycles++;
      this.#onEvent({ what: "recycled", executor: place.name, rssBytes: figures.rssBytes });
      void place.lane.recycle();
    }
    if (place === this.#apart) return;
    for (const [tenant, ms] of figures.busy) {
      if (ms < APART_SHARE_MS) continue;
      const seconds = (this.#greedy.get(tenant) ?? 0) + 1;
      this.#greedy.set(tenant, seconds);
      if (seconds < APART_AFTER_SECONDS) continue;
      this.#greedy.delete(tenant);
      this.#apartUntil.set(tenant, performance.now() + APART_FOR_MS);
      this.#onEvent({ what: "apart", tenant });
    }
    for (const tenant of this.#greedy.keys()) {
      if (this.#home.get(tenant) !== place) continue;
      if (!figures.busy.some(([busy, ms]) => busy === tenant && ms >= APART_SHARE_MS))
        this.#greedy.delete(tenant);
    }
  }
}

/** The rest of an answer, asked for as fast as its reader takes it. */
class AnswerStream {
  readonly readable: ReadableStream<Uint8Array>;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #received = 0;
  #reported = 0;

  constructor(taken: Taken) {
    this.readable = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: ({ desiredSize }) => {
          const consumed = this.#received - (STREAM_BUFFER_BYTES - (desiredSize ?? 0));
          if (consumed <= this.#reported) return;
          taken.more(consumed - this.#reported);
          this.#reported = consumed;
        },
        cancel: () => {
          this.#controller = undefined;
          taken.forget();
        },
      },
      new ByteLengthQueuingStrategy({ highWaterMark: STREAM_BUFFER_BYTES }),
    );
  }

  push(chunk: Uint8Array, last: boolean): void {
    this.#received += chunk.byteLength;
    this.#controller?.enqueue(chunk);
    if (last) this.#controller?.close();
  }

  fail(error: unknown): void {
    this.#controller?.error(error);
  }
}
