// Owns one executor's line: the jobs that wait for it, those that it has, and what becomes of them when it is lost.
// Does not know which tenants belong to it, nor HTTP; executor-place.ts replaces the executor.
import { MAX_TIMER_MS } from "../fifo-lock.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import type { EndReason, Executor, JobEvents } from "./executor.ts";
import { ExecutorPlace } from "./executor-place.ts";
import { FairQueue } from "./fair-queue.ts";
import type { Job, Running, Taken } from "./job.ts";
import { JobTable } from "./job-table.ts";
import { judge } from "./late-jobs.ts";
import { lostAgain, overloaded, unknownOutcome } from "./lost-job.ts";
import type { Ask, Figures } from "./messages.ts";
import type { SpareExecutor } from "./spare-executor.ts";

/** Jobs that an executor has at once. More of them save nothing, and what waits here waits in fair turns. */
export const DEFAULT_WINDOW = 80;
/** How many of them may be of one tenant: its writers, which wait for one another, leave room for the others. */
export const DEFAULT_SHARE = 64;
/** Milliseconds between two looks at the time limits. */
const LOOK_MS = 25;

/** A job that is here, in line or under way. */
interface Entry {
  readonly job: Job;
  deadline: number;
  readonly enteredAt: number;
  /** It was lost once, and is run for the second time. */
  again: boolean;
  /** Ends it when its time is up before an executor has it. */
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** What a lane tells its pool. */
export interface LaneEvents {
  /** A statement of the tenant ran past its time limit, and its executor is killed. */
  onKill(tenant: string): void;
  /** An executor crashed, and a statement of the tenant was the last that it began. */
  onSuspect(tenant: string): void;
  /** A job of a tenant that was blamed: it is to be run again, apart from the others. */
  onApart(job: Job): void;
  onEnd(reason: EndReason, detail: string): void;
  /** No executor could be started; it is tried again. */
  onFailure(detail: string): void;
  onFigures(figures: Figures): void;
}

/** One executor's line. */
export class Lane {
  readonly #place: ExecutorPlace;
  readonly #events: LaneEvents;
  readonly #queue: FairQueue<Entry>;
  readonly #hangMs: number;
  readonly #running = new JobTable<Running>();
  #queued = 0;
  #queueSeconds = 0;
  /** Who was blamed for the end of an executor, last. */
  #blamed: { readonly executor: Executor; readonly tenant: string } | undefined;
  #looking = false;
  #watch: ReturnType<typeof setInterval> | undefined;

  /** @param hangMs how long an executor may be silent before it is killed though no statement of it is late */
  constructor(spare: SpareExecutor, events: LaneEvents, { hangMs }: { readonly hangMs: number }) {
    this.#events = events;
    this.#hangMs = hangMs;
    this.#queue = new FairQueue({ window: DEFAULT_WINDOW, share: DEFAULT_SHARE }, (entry) =>
      this.#begin(entry),
    );
    this.#place = new ExecutorPlace(spare, {
      onFigures: (figures) => events.onFigures(figures),
      onEnd: (executor, reason, detail) => this.#ended(executor, reason, detail),
      onFailure: (detail) => events.onFailure(detail),
    });
  }

  /** Jobs that an executor has, or that have their turn. */
  get jobs(): number {
    return Math.max(this.#queue.running, this.#running.size);
  }

  get waiting(): number {
    return this.#queue.waiting;
  }

  /** Jobs that had to wait, and for how long in sum. */
  get queueing(): { readonly queued: number; readonly seconds: number } {
    return { queued: this.#queued, seconds: this.#queueSeconds };
  }

  get pid(): number | undefined {
    return this.#place.current?.pid;
  }

  get failure(): TenantryError | undefined {
    return this.#place.failure;
  }

  /** Starts the executor. @throws {TenantryError} `EXECUTOR_FAILED`, `CLOSED` */
  async start(): Promise<void> {
    try {
      await this.#place.usable();
    } catch (error) {
      // Whoever starts executors is told what their callers are not.
      if (!isTenantryError(error, "EXECUTOR_FAILED") || !isTenantryError(error.cause)) throw error;
      const { message, hint } = error.cause;
      throw new TenantryError("EXECUTOR_FAILED", `No executor process can be started: ${message}`, {
        ...(hint !== undefined && { hint }),
        cause: error.cause,
      });
    }
  }

  /** Runs a job in its turn. @param again whether it is run for the second time */
  run(job: Job, again = false): void {
    const now = performance.now();
    const entry: Entry = {
      job,
      deadline: now + job.timeoutMs,
      enteredAt: now,
      again,
      timer: undefined,
    };
    if (this.#queue.enter(job.tenant, entry)) return;
    this.#queued++;
    this.#limit(entry, () => this.#queue.remove(job.tenant, entry));
  }

  /** Takes the jobs of a tenant out of the line. */
  takeWaiting(tenant: string): readonly Job[] {
    return this.#queue.takeAll(tenant).map((entry) => {
      unlimit(entry);
      return entry.job;
    });
  }

  /** An executor to pin a session to. Its jobs are given by {@link runOn}, past the line. */
  executor(): Promise<Executor> {
    return this.#place.usable();
  }

  /** Runs a job of a session on the executor that has it. Its time limit holds like any other's. */
  runOn(executor: Executor, job: Job): void {
    const now = performance.now();
    const entry = { job, deadline: now + job.timeoutMs, enteredAt: now, again: true, timer: undefined };
    this.#give(executor, entry, () => {}, true);
  }

  /** Replaces the executor by a fresh one; the old one finishes what it has. @returns whether it does */
  recycle(): boolean {
    return this.#place.recycle();
  }

  /** Lets running jobs end, for `graceMs`, and then ends the executor. */
  close(graceMs: number): Promise<void> {
    return this.#place.close(graceMs);
  }

  #begin(entry: Entry): void {
    if (entry.timer !== undefined) {
      unlimit(entry);
      this.#queueSeconds += (performance.now() - entry.enteredAt) / 1000;
    }
    const leave = (): void => this.#queue.leave(entry.job.tenant);
    const { current } = this.#place;
    if (current) return this.#give(current, entry, leave);
    let waits = true;
    this.#limit(entry, () => {
      waits = false;
      leave();
    });
    this.#place.usable().then(
      (executor) => {
        if (!waits) return;
        unlimit(entry);
        this.#give(executor, entry, leave);
      },
      (error: TenantryError) => {
        if (!waits) return;
        unlimit(entry);
        leave();
        entry.job.onError(entry.again && error.code !== "CLOSED" ? lostAgain(entry.job) : error);
      },
    );
  }

  /** Answers a job that no executor has got in time. */
  #limit(entry: Entry, giveUp: () => void): void {
    const { job } = entry;
    entry.timer = setTimeout(
      () => {
        giveUp();
        job.onError(entry.again ? lostAgain(job) : overloaded(job));
      },
      Math.min(entry.deadline - performance.now(), MAX_TIMER_MS),
    );
  }

  #give(executor: Executor, entry: Entry, leave: () => void, urgent = false): void {
    const { job } = entry;
    const remainingMs = Math.max(0, entry.deadline - performance.now());
    let left = false;
    const leaveOnce = (): void => {
      if (left) return;
      left = true;
      leave();
    };
    const done = (): void => {
      this.#running.delete(running.entry);
      leaveOnce();
    };
    const taken: Taken = {
      pin: { lane: this, executor },
      more: (bytes) => executor.follow(["more", running.number, bytes]),
      forget: () => {
        executor.forget(running.number);
        done();
      },
    };
    this.#watch ??= setInterval(() => void this.#look(), LOOK_MS);
    const events: JobEvents = {
      onHttp: (status, headers, body, last) => {
        running.answering = true;
        if (last) done();
        // The rest takes as long as its reader likes; others need not wait for that.
        else leaveOnce();
        job.onHttp?.(status, headers, body, last, taken);
      },
      onChunk: (body, last) => {
        if (last) done();
        job.onChunk?.(body, last);
      },
      onValue: (body) => {
        executor.done(number);
        done();
        job.onValue?.(body);
      },
      onError: (error) => {
        done();
        job.onError(error);
      },
      onLost: (sent) => {
        this.#running.delete(running.entry);
        if (running.verdict) {
          leaveOnce();
          job.onError(running.verdict);
        } else if ((sent || entry.again) && (running.answering || !job.repeatable())) {
          leaveOnce();
          job.onError(unknownOutcome(job));
        } else if (entry.again) {
          leaveOnce();
          job.onError(lostAgain(job));
        } else if (this.#blamed?.executor === executor && this.#blamed.tenant === job.tenant) {
          leaveOnce();
          this.#events.onApart(job);
        } else {
          entry.again = sent;
          entry.deadline = performance.now() + job.timeoutMs;
          this.#begin(entry);
        }
      },
    };
    const make = (given: number): Ask => job.make(given, Date.now() + remainingMs);
    const number = executor.ask(make, job.body, events, urgent);
    const running: Running = {
      entry: 0,
      job,
      executor,
      number,
      deadline: entry.deadline,
      leave: leaveOnce,
      answering: false,
      verdict: undefined,
    };
    running.entry = this.#running.add(running);
    job.onGiven?.(taken.pin);
  }

  /** Looks for a job past its time limit, and ends it, or the executor that hangs. */
  async #look(): Promise<void> {
    if (this.#running.size === 0) {
      clearInterval(this.#watch);
      this.#watch = undefined;
      return;
    }
    if (this.#looking) return;
    const now = performance.now();
    const late = this.#all().find(
      ({ executor, answering, deadline }) => !executor.killed && !answering && deadline <= now,
    );
    if (!late) return;
    this.#looking = true;
    const { executor } = late;
    try {
      const { blamed, kill, given } = await judge(executor, () => this.#all(), this.#hangMs);
      for (const [running, verdict] of given) this.#giveUp(running, verdict);
      if (!kill) return;
      if (blamed !== "") {
        this.#blamed = { executor, tenant: blamed };
        this.#events.onKill(blamed);
      }
      executor.kill();
    } finally {
      this.#looking = false;
    }
  }

  #all(): Running[] {
    return this.#running.newestFirst().map(([, running]) => running);
  }

  #giveUp(running: Running, verdict: TenantryError): void {
    running.executor.forget(running.number);
    this.#running.delete(running.entry);
    running.leave();
    running.job.onError(verdict);
  }

  #ended(executor: Executor, reason: EndReason, detail: string): void {
    const { name } = executor.current();
    const isHere = this.#all().some((one) => one.executor === executor && one.job.tenant === name);
    if (reason === "crashed" && isHere) {
      this.#blamed = { executor, tenant: name };
      this.#events.onSuspect(name);
    }
    this.#events.onEnd(reason, detail);
  }
}

function unlimit(entry: Entry): void {
  clearTimeout(entry.timer);
  entry.timer = undefined;
}
