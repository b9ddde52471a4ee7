// Owns the executors: which tenant belongs to which, who runs apart, when one is replaced, and their figures.
// Does not know HTTP beyond handing an answer on.
import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import type { DatabaseRunner } from "../database/tenant-database.ts";
import { newBatonKey } from "../hrana/baton.ts";
import { addedFigures, type StatementFigures } from "../drivers/statement-figures.ts";
import type { HandleCacheStats } from "../handle-cache/handles.ts";
import {
  DEFAULT_EXECUTOR_MAX_RSS_BYTES,
  DEFAULT_MAX_JOBS,
  DEFAULT_STATEMENT_TIMEOUT_MS,
  type ExecutorPoolOptions,
  type PoolEvent,
} from "./executor-pool-options.ts";
import { GreedyTenants } from "./greedy-tenants.ts";
import { HandleTotals } from "./handle-totals.ts";
import { jumpHash } from "./jump-hash.ts";
import type { Job, Pin } from "./job.ts";
import { Lane } from "./lane.ts";
import { Chores } from "./chores.ts";
import type { ChoreName, Figures, HttpAsk, StreamAsk } from "./messages.ts";
import { askFigures, remoteRunner } from "./remote-runner.ts";
import { Offenders } from "./offenders.ts";
import { AnswerStream } from "./answer-stream.ts";
import { SpareExecutor } from "./spare-executor.ts";
import { UnreadAnswers } from "./unread-answers.ts";
import { RecentMap } from "../recent-map.ts";

const REMEMBERED_TENANTS = 100_000;
/** The least that an executor may be silent before it is killed though no statement of it is late, in ms. */
const LEAST_HANG_MS = 2_500;
/** An answer to an HTTP request. */
export interface PooledAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | ReadableStream<Uint8Array>;
  /** Where it comes from. */
  readonly pin: Pin;
}

/** How an HTTP request is to be run. */
export interface HttpJobOptions {
  readonly timeoutMs: number;
  readonly repeatable: () => boolean;
  /**
   * Whether it goes on with something that others may be waiting for the end of, such as a transaction: in line
   * behind them it would wait for them as they do for it.
   * @default false
   */
  readonly goesOn?: boolean;
}

/** How a request of a stream is to be run. */
export interface StreamJobOptions extends HttpJobOptions {
  /** The executor that has its transaction; undefined where none is open. */
  readonly pin: Pin | undefined;
  /** Told which executor has got the request. */
  readonly onGiven: (pin: Pin) => void;
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
  /** Work on whole databases that is being done. */
  readonly chores: number;
  readonly choresPid: number | undefined;
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
  /** What all its executors sign the batons of streams with: who takes another's place knows that they were its. */
  readonly batonKey: string;
  readonly #spare: SpareExecutor;
  readonly #places: readonly Place[];
  readonly #apart: Place;
  readonly #chores: Chores;
  readonly #scratchDir: string;
  readonly #maxRssBytes: number;
  readonly #maxJobs: number;
  readonly #onEvent: (event: PoolEvent) => void;
  readonly #offenders: Offenders;
  readonly #unread = new UnreadAnswers();
  readonly #handles = new HandleTotals();
  readonly #home = new RecentMap<string, Place>({ maxEntries: REMEMBERED_TENANTS });
  readonly #greedy = new GreedyTenants();
  readonly #counts = { kills: 0, restarts: 0, recycles: 0, throttled: 0, overloaded: 0 };

  constructor(options: ExecutorPoolOptions) {
    const { executors, scratchDir } = options;
    this.#scratchDir = scratchDir;
    this.batonKey = options.settings.app.batonKey ?? newBatonKey();
    const settings = { ...options.settings, app: { ...options.settings.app, batonKey: this.batonKey } };
    this.statementTimeoutMs = options.statementTimeoutMs ?? DEFAULT_STATEMENT_TIMEOUT_MS;
    this.#maxRssBytes = options.maxRssBytes ?? DEFAULT_EXECUTOR_MAX_RSS_BYTES;
    this.#maxJobs = options.maxJobs ?? DEFAULT_MAX_JOBS;
    this.#onEvent = options.onEvent ?? (() => {});
    this.#offenders = new Offenders(options.offenders);
    this.#spare = new SpareExecutor(() => ({
      ...settings,
      progressFile: join(scratchDir, `executor-${randomUUID()}`),
    }));
    const hangMs = Math.max(LEAST_HANG_MS, this.statementTimeoutMs);
    const place = (name: string): Place => {
      const made: Place = {
        name,
        figures: undefined,
        lane: new Lane(
          this.#spare,
          {
            onKill: (tenant) => {
              this.#counts.kills++;
              this.#onEvent({ what: "killed", executor: name, tenant });
              const forMs = this.#offenders.killed(tenant);
              if (forMs > 0) this.#onEvent({ what: "throttled", tenant, forMs });
              for (const job of made.lane.takeWaiting(tenant)) this.#run(job);
            },
            onSuspect: (tenant) => this.#offenders.suspected(tenant),
            onApart: (job) => {
              if (this.#admit(job)) this.#apart.lane.run(job, true);
            },
            onEnd: (reason, detail) => {
              if (reason !== "retired") this.#counts.restarts++;
              // Whoever was killed for is back in a moment.
              if (reason === "killed") void this.#apart.lane.start().catch(() => {});
              this.#onEvent({ what: "ended", executor: name, reason, detail });
            },
            onFailure: (detail) => this.#onEvent({ what: "failed", executor: name, detail }),
            onFigures: (figures) => this.#hear(made, figures),
          },
          { hangMs },
        ),
      };
      return made;
    };
    this.#places = Array.from({ length: executors }, (_, index) => place(String(index)));
    this.#apart = place("apart");
    this.#chores = new Chores(this.#spare);
  }

  /** Starts every executor. @throws {TenantryError} `EXECUTOR_FAILED` */
  async start(): Promise<void> {
    await mkdir(this.#scratchDir, { recursive: true });
    await Promise.all(this.#places.map(({ lane }) => lane.start()));
    this.#spare.prepare();
  }

  /** Runs an HTTP request on its tenant's executor. @throws {TenantryError} what became of it instead */
  http(
    ask: Omit<HttpAsk, "startBefore">,
    body: Uint8Array | string,
    options: HttpJobOptions,
  ): Promise<PooledAnswer> {
    const make: Job["make"] = (job, startBefore) => ["http", job, { ...ask, startBefore }];
    return this.#answer(ask.tenant, make, body, options);
  }

  /**
   * Runs a request of a stream on its tenant's executor, or on the one that has its transaction.
   * @throws {TenantryError} what became of it instead
   */
  stream(
    ask: Omit<StreamAsk, "startBefore">,
    body: string,
    options: StreamJobOptions,
  ): Promise<PooledAnswer> {
    const make: Job["make"] = (job, startBefore) => ["stream", job, { ...ask, startBefore }];
    return this.#answer(ask.tenant, make, body, options);
  }

  /**
   * A tenant's database, on its executor.
   * @param check called before each use; what it throws, the use does
   * @param timeoutMs the tenant's own time limit, where it has one
   */
  runner(
    tenant: string,
    check: () => void = () => {},
    timeoutMs: () => number | null | undefined = () => undefined,
  ): DatabaseRunner {
    return remoteRunner(tenant, {
      lane: () => {
        check();
        this.#refuse(tenant);
        return this.#placeOf(tenant).lane;
      },
      run: (job) => {
        check();
        this.#run(job);
      },
      timeoutMs: () => timeoutMs() ?? this.statementTimeoutMs,
    });
  }

  /** What a tenant's statements came to, in the executors that have run some. */
  async figures(tenant: string): Promise<StatementFigures | undefined> {
    return addedFigures((await this.#askAll(tenant, "figures")) as (StatementFigures | undefined)[]);
  }

  /** Forgets a tenant's statements one by one; what they came to in all stays. */
  async forgetStatements(tenant: string): Promise<void> {
    await this.#askAll(tenant, "forget");
  }

  #askAll(tenant: string, kind: "figures" | "forget"): Promise<unknown[]> {
    const lanes = new Set([
      this.#homeOf(tenant).lane,
      ...(this.#apart.lane.pid === undefined ? [] : [this.#apart.lane]),
    ]);
    const timeoutMs = (): number => this.statementTimeoutMs;
    return Promise.all(
      [...lanes].map((lane) => askFigures(tenant, kind, { run: (job) => lane.run(job), timeoutMs })),
    );
  }

  /**
   * Does work on a whole database, in a process in which no request waits for it. It has no time limit.
   * @throws {TenantryError} what the work throws, and `OUTCOME_UNKNOWN`
   */
  chore(name: ChoreName, args: readonly unknown[]): Promise<unknown> {
    return this.#chores.run(name, args);
  }

  /** The executor's own report, and what waits for it. */
  stats(): PoolStats {
    const queueing = [...this.#places, this.#apart].map(({ lane }) => lane.queueing);
    return {
      ...this.#counts,
      queued: queueing.reduce((sum, { queued }) => sum + queued, 0),
      queueSeconds: queueing.reduce((sum, { seconds }) => sum + seconds, 0),
      chores: this.#chores.running,
      choresPid: this.#chores.pid,
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

  /** The handles of this process and of all its executors, so far as they have told. */
  handles(own: HandleCacheStats): HandleCacheStats {
    return this.#handles.with(own);
  }

  /** Why some executor cannot be started; undefined while all can. */
  get failure(): TenantryError | undefined {
    return this.#places.map(({ lane }) => lane.failure).find((failure) => failure !== undefined);
  }

  /** Lets running jobs end, for `graceMs`, and ends the executors. */
  async close(graceMs: number): Promise<void> {
    await Promise.all([
      this.#spare.close(),
      this.#chores.close(graceMs),
      ...[...this.#places, this.#apart].map(({ lane }) => lane.close(graceMs)),
    ]);
  }

  #answer(
    tenant: string,
    make: Job["make"],
    body: Uint8Array | string,
    { timeoutMs, repeatable, goesOn, pin, onGiven }: HttpJobOptions & Partial<StreamJobOptions>,
  ): Promise<PooledAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<PooledAnswer>();
    const tooMany = this.#unread.refusal(tenant);
    if (tooMany) {
      reject(tooMany);
      return promise;
    }
    let stream: AnswerStream | undefined;
    const job: Job = {
      tenant,
      timeoutMs,
      repeatable,
      make,
      body,
      ...(onGiven && { onGiven }),
      onHttp: (status, headers, first, last, taken) => {
        if (last) return resolve({ status, headers, body: first, pin: taken.pin });
        const read = this.#unread.begin(tenant);
        stream = new AnswerStream(taken, {
          stallMs: Math.max(this.statementTimeoutMs, timeoutMs),
          onEnd: read,
        });
        resolve({ status, headers, body: stream.readable, pin: taken.pin });
      },
      onChunk: (chunk, last) => stream?.push(chunk, last),
      onError: (error) => {
        stream?.fail(error);
        reject(error);
      },
    };
    if (!this.#admit(job)) return promise;
    if (pin) {
      pin.lane.runOn(pin.executor, job);
      return promise;
    }
    const { lane } = this.#placeOf(tenant);
    if (goesOn) lane.executor().then((executor) => lane.runOn(executor, job), job.onError);
    else lane.run(job);
    return promise;
  }

  #run(job: Job): void {
    if (this.#admit(job)) this.#placeOf(job.tenant).lane.run(job);
  }

  /** Whether the job may be run now; who asked for it has been told where not. */
  #admit({ tenant, onError }: Job): boolean {
    try {
      this.#refuse(tenant);
      return true;
    } catch (error) {
      if (!isTenantryError(error)) throw error;
      onError(error);
      return false;
    }
  }

  /** @throws {TenantryError} `TENANT_THROTTLED`, `OVERLOADED` */
  #refuse(tenant: string): void {
    try {
      this.#offenders.check(tenant);
    } catch (error) {
      this.#counts.throttled++;
      throw error;
    }
    if (this.#jobs() < this.#maxJobs) return;
    this.#counts.overloaded++;
    throw new TenantryError("OVERLOADED", `The server has ${this.#maxJobs} requests to do already.`, {
      hint: "Try again in a moment.",
      retryAfterSeconds: 1,
    });
  }

  #jobs(): number {
    let jobs = this.#apart.lane.jobs + this.#apart.lane.waiting;
    for (const { lane } of this.#places) jobs += lane.jobs + lane.waiting;
    return jobs;
  }

  #placeOf(tenant: string): Place {
    const isApart = this.#offenders.isApart(tenant) || this.#greedy.isApart(tenant);
    return isApart ? this.#apart : this.#homeOf(tenant);
  }

  #homeOf(tenant: string): Place {
    let place = this.#home.get(tenant);
    if (!place) {
      place = this.#places[jumpHash(tenant, this.#places.length)]!;
      this.#home.set(tenant, place);
    }
    return place;
  }

  #hear(place: Place, figures: Figures): void {
    place.figures = figures;
    this.#handles.hear(place.name, figures);
    if (figures.rssBytes > this.#maxRssBytes && place.lane.recycle()) {
      this.#counts.recycles++;
      this.#onEvent({ what: "recycled", executor: place.name, rssBytes: figures.rssBytes });
    }
    if (place === this.#apart) return;
    for (const tenant of this.#greedy.hear(place.name, figures.busy)) {
      this.#onEvent({ what: "apart", tenant });
    }
  }
}
