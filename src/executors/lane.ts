// Owns one executor's place: the jobs in line for it, their time limits, and its replacement when it ends.
// Does not know which tenants belong to it, nor HTTP.
import { TenantryError } from "../tenantry-error.ts";
import { type EndReason, Executor } from "./executor.ts";
import type { ExecutorSettings } from "./executor-settings.ts";
import { FairQueue } from "./fair-queue.ts";
import type { FrameBody } from "./frames.ts";
import type { Ask, Figures } from "./messages.ts";

/** Jobs that an executor has at once. More of them save nothing, and what waits here waits in fair turns. */
export const DEFAULT_WINDOW = 64;
/** Milliseconds between two looks at the time limits. */
const LOOK_MS = 25;
/** Milliseconds in which an executor that runs no statement answers. */
const PONG_MS = 100;
/** Milliseconds until a crashed executor is started again; doubled with each crash up to the second. */
const FIRST_RESTART_MS = 50;
const MAX_RESTART_MS = 5_000;

/** A job, as a lane takes it. */
export interface Job {
  readonly tenant: string;
  /** Milliseconds that it may take, in line and running. */
  readonly timeoutMs: number;
  /** Whether running it twice is the same as running it once. Asked only when an executor was lost. */
  readonly repeatable: () => boolean;
  readonly make: (job: number, startBefore: number) => Ask;
  readonly body: FrameBody;
  onHttp?(
    status: number,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array,
    last: boolean,
    taken: Taken,
  ): void;
  onChunk?(body: Uint8Array, last: boolean): void;
  onValue?(body: Uint8Array): void;
  onError(error: TenantryError): void;
}

/** Tells the executor how much of an answer has been taken, or that nobody wants the rest. */
export interface Taken {
  more(bytes: number): void;
  forget(): void;
}

interface Running {
  readonly job: Job;
  readonly executor: Executor;
  /** Gives its place in the window back. */
  readonly leave: () => void;
  number: number;
  deadline: number;
  /** Its answer has begun: it cannot be run again, and is past its time limit. */
  answering: boolean;
}

/** What a lane tells its pool. */
export interface LaneEvents {
  /** A statement of the tenant ran past its time limit, and its executor was killed. */
  onKill(tenant: string): void;
  onEnd(reason: EndReason, detail: string): void;
  onFigures(figures: Figures): void;
}

/** One executor's place. */
export class Lane {
  readonly #settings: () => ExecutorSettings;
  readonly #events: LaneEvents;
  readonly #queue: FairQueue;
  readonly #running = new Set<Running>();
  #executor: Executor | undefined;
  #starting: Promise<Executor> | undefined;
  /** Why the last start failed; undefined after one that did not. */
  #failure: TenantryError | undefined;
  #crashes = 0;
  #queued = 0;
  #queueSeconds = 0;
  #startAt = 0;
  #offender: Running | undefined;
  #looking = false;
  #watch: ReturnType<typeof setInterval> | undefined;
  #closed = false;

  constructor(settings: () => ExecutorSettings, events: LaneEvents, window = DEFAULT_WINDOW) {
    this.#settings = settings;
    this.#events = events;
    this.#queue = new FairQueue(window);
  }

  get jobs(): number {
    return this.#running.size;
  }

  get waiting(): number {
    return this.#queue.waiting;
  }

  /** Jobs that had to wait, and for how long in sum. */
  get queueing(): { readonly queued: number; readonly seconds: number } {
    return { queued: this.#queued, seconds: this.#queueSeconds };
  }

  get pid(): number | undefined {
    return this.#executor?.pid;
  }

  /** Why no executor can be started here; undefined while one runs or none was asked for. */
  get failure(): TenantryError | undefined {
    return this.#executor ? undefined : this.#failure;
  }

  /** Starts the executor. @throws {TenantryError} why it could not */
  async start(): Promise<void> {
    await this.#usable();
  }

  /** Runs a job in its turn. */
  run(job: Job): void {
    let deadline: ReturnType<typeof setTimeout> | undefined;
    const entered = performance.now();
    const leaveLine = this.#queue.enter(job.tenant, () => {
      if (deadline !== undefined) {
        clearTimeout(deadline);
        this.#queueSeconds += (performance.now() - entered) / 1000;
      }
      this.#begin(job, false);
    });
    if (this.#queue.waiting === 0) return;
    this.#queued++;
    deadline = setTimeout(() => {
      leaveLine();
      job.onError(overloaded(job.tenant));
    }, job.timeoutMs);
  }

  /** An executor to pin a session to. Its jobs are given by {@link runOn}, past the line. */
  executor(): Promise<Executor> {
    return this.#usable();
  }

  /** Runs a job of a session on the executor that has it. Its time limit holds like any other's. */
  runOn(executor: Executor, job: Job): void {
    this.#give(executor, job, true, () => {});
  }

  /** Replaces the executor by a fresh one; the old one finishes what it has. */
  async recycle(): Promise<void> {
    const old = this.#executor;
    if (!old || this.#starting) return;
    this.#executor = undefined;
    try {
      await this.#usable();
      old.retire();
    } catch {
      // The old one is better than none.
      if (old.usable) this.#executor = old;
    }
  }

  /** Lets running jobs end, for `graceMs`, and then ends the executor. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true;
    clearInterval(this.#watch);
    // One that is being started is nobody's yet, and would outlive all others.
    await this.#starting?.catch(() => undefined);
    const executor = this.#executor;
    if (!executor) return;
    const ended = new Promise<void>((resolve) => (this.#onceEnded = resolve));
    executor.retire();
    const timer = setTimeout(() => executor.kill(), graceMs);
    await ended;
    clearTimeout(timer);
  }

  #onceEnded: (() => void) | undefined;

  #begin(job: Job, again: boolean): void {
    const executor = this.#executor;
    const leave = (): void => this.#queue.leave();
    if (executor?.usable) return this.#give(executor, job, again, leave);
    this.#usable().then(
      (started) => this.#give(started, job, again, leave),
      (error: TenantryError) => {
        leave();
        job.onError(error);
      },
    );
  }

  #give(executor: Executor, job: Job, again: boolean, leave: () => void): void {
    const running: Running = {
      job,
      executor,
      leave,
      number: 0,
      deadline: performance.now() + job.timeoutMs,
      answering: false,
    };
    const done = (): void => {
      this.#running.delete(running);
      leave();
    };
    const taken: Taken = {
      more: (bytes) => executor.follow(["more", running.number, bytes]),
      forget: () => {
        executor.forget(running.number);
        if (this.#running.has(running)) done();
      },
    };
    this.#running.add(running);
    this.#watch ??= setInterval(() => void this.#look(), LOOK_MS);
    running.number = executor.ask((number) => job.make(number, Date.now() + job.timeoutMs), job.body, {
      onHttp: (status, headers, body, last) => {
        running.answering = true;
        if (last) done();
        job.onHttp?.(status, headers, body, last, taken);
      },
      onChunk: (body, last) => {
        if (last) done();
        job.onChunk?.(body, last);
      },
      onValue: (body) => {
        executor.done(running.number);
        done();
        job.onValue?.(body);
      },
      onError: (error) => {
        done();
        job.onError(error);
      },
      onLost: () => {
        this.#running.delete(running);
        if (running === this.#offender) {
          leave();
          job.onError(timedOut(job));
        } else if (!again && !running.answering && job.repeatable()) {
          this.#begin(job, true);
        } else {
          leave();
          job.onError(unknownOutcome(job));
        }
      },
    });
  }

  /** Looks for a job past its time limit, and finds out whether its executor hangs. */
  async #look(): Promise<void> {
    if (this.#running.size === 0) {
      clearInterval(this.#watch);
      this.#watch = undefined;
      return;
    }
    if (this.#looking) return;
    const now = performance.now();
    const late = [...this.#running].find((running) => !running.answering && running.deadline <= now);
    if (!late) return;
    this.#looking = true;
    try {
      const { executor, job } = late;
      if (await executor.answers(PONG_MS)) {
        if (!this.#running.delete(late)) return;
        // It waits for something, such as another writer: nobody has to die for that.
        executor.forget(late.number);
        late.leave();
        job.onError(job.repeatable() ? timedOut(job) : unknownOutcome(job));
        return;
      }
      const tenant = executor.current();
      this.#offender = [...this.#running].find(
        (running) => running.executor === executor && running.job.tenant === tenant,
      );
      if (tenant !== "") this.#events.onKill(tenant);
      executor.kill();
    } finally {
      this.#looking = false;
    }
  }

  #usable(): Promise<Executor> {
    if (this.#executor?.usable) return Promise.resolve(this.#executor);
    if (this.#closed) return Promise.reject(new TenantryError("CLOSED", "The server is shutting down."));
    // After a failed start, nobody waits for the next one: it may fail as well.
    if (this.#failure && performance.now() < this.#startAt) return Promise.reject(this.#failure);
    return (this.#starting ??= this.#startExecutor().finally(() => (this.#starting = undefined)));
  }

  async #startExecutor(): Promise<Executor> {
    const waitMs = this.#startAt - performance.now();
    if (waitMs > 0 && !this.#failure) {
      const { promise, resolve } = Promise.withResolvers<void>();
      setTimeout(resolve, waitMs);
      await promise;
    }
    const executor: Executor = new Executor(this.#settings(), {
      onFigures: (figures) => this.#events.onFigures(figures),
      onEnd: (reason, detail) => this.#ended(executor, reason, detail),
    });
    try {
      await executor.ready;
    } catch (error) {
      this.#failure = failedToStart(error);
      throw this.#failure;
    }
    this.#failure = undefined;
    this.#executor = executor;
    return executor;
  }

  #ended(executor: Executor, reason: EndReason, detail: string): void {
    if (this.#executor === executor) this.#executor = undefined;
    this.#onceEnded?.();
    if (reason === "crashed") {
      this.#startAt = performance.now() + Math.min(FIRST_RESTART_MS * 2 ** this.#crashes, MAX_RESTART_MS);
      this.#crashes++;
    } else {
      this.#crashes = 0;
    }
    this.#events.onEnd(reason, detail);
    // At once, not with the next request: that one should not have to wait.
    if (reason !== "retired" && !this.#closed) void this.#usable().catch(() => {});
  }
}

function timedOut({ tenant, timeoutMs }: Job): TenantryError {
  return new TenantryError(
    "STATEMENT_TIMEOUT",
    `The statement ran for more than ${timeoutMs} ms and was ended.`,
    {
      tenant,
      hint: "Look at its plan with EXPLAIN QUERY PLAN; add an index or a LIMIT.",
    },
  );
}

function unknownOutcome({ tenant }: Job): TenantryError {
  return new TenantryError(
    "OUTCOME_UNKNOWN",
    "The process that ran this ended before it had answered: it was done, or it was not.",
    {
      tenant,
      hint: "Look whether it was done before you send it again, or send writes with an Idempotency-Key.",
      retryAfterSeconds: 1,
    },
  );
}

function overloaded(tenant: string): TenantryError {
  return new TenantryError(
    "OVERLOADED",
    "The request waited for its turn until its time was up. Nothing of it was done.",
    {
      tenant,
      hint: "Try again in a moment.",
      retryAfterSeconds: 1,
    },
  );
}

function failedToStart(error: unknown): TenantryError {
  const reason = error instanceof Error ? error.message : String(error);
  return new TenantryError("EXECUTOR_FAILED", `No executor process can be started: ${reason}`, {
    hint: "The server's log has the details.",
    retryAfterSeconds: 5,
    cause: error,
  });
}
