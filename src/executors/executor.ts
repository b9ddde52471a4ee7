// Owns the main process's side of one executor: its process, the jobs that are with it, and its end.
// Does not choose which tenants it gets, nor what becomes of jobs that it did not finish: the lane does.
import { type ChildProcess, spawn } from "node:child_process";
import type { Duplex } from "node:stream";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { TenantryError } from "../tenantry-error.ts";
import type { ExecutorSettings } from "./executor-settings.ts";
import { Channel, type MessageBody } from "./channel.ts";
import { JobTable } from "./job-table.ts";
import { type Ask, type Figures, fromPlain, PROTOCOL_VERSION, type Say } from "./messages.ts";
import { type Progress, readProgress, removeProgress } from "./progress-file.ts";

/** Milliseconds that a new process has until it must have said hello. */
export const DEFAULT_START_TIMEOUT_MS = 30_000;

/**
 * What an executor opens lives for as long as a few hundred requests last, too long for one scavenge. Node answers
 * by letting the space for new objects grow to 130 MB, and the old one to four times what lives in it; with these
 * bounds they stay at 24 MB and at twice (decisions/072).
 */
export const NODE_FLAGS: readonly string[] = [
  "--max-semi-space-size=8",
  "--max-old-space-size=1024",
  "--heap-growing-percent=100",
];

/** The messages that are jobs; the others are about one. */
const JOBS: ReadonlySet<Ask[0]> = new Set(["http", "stream", "sql", "begin", "tx"]);

/** What an executor tells a job. */
export interface JobEvents {
  /** The answer's head, and the first part of its body. */
  onHttp?(status: number, headers: Readonly<Record<string, string>>, body: MessageBody, last: boolean): void;
  onChunk?(body: Uint8Array, last: boolean): void;
  onValue?(body: Uint8Array): void;
  onError(error: TenantryError): void;
  /** The process ended before the job did. @param sent whether the job had left; if not, nothing of it was done */
  onLost(sent: boolean): void;
}

/** Why an executor ended. */
export type EndReason = "retired" | "killed" | "crashed";

/** What an executor tells its place. */
export interface ExecutorEvents {
  onFigures(figures: Figures): void;
  /** The process is gone; its jobs are told next that they are lost. */
  onEnd(reason: EndReason, detail: string): void;
}

/** One executor process. */
export class Executor {
  readonly #child: ChildProcess;
  readonly #channel: Channel<Ask, Say>;
  readonly #progressFile: string;
  readonly #jobs = new JobTable<JobEvents>();
  #events: ExecutorEvents | undefined;
  /** Fulfils when it can take jobs. */
  readonly ready: Promise<void>;
  /** Fulfils when the process is gone. */
  readonly gone: Promise<void>;
  readonly #isGone: () => void;
  #rejectReady: (error: unknown) => void;
  #ended = false;
  #killed = false;
  #retiring = false;
  #broken: TenantryError | undefined;
  #heardAt = performance.now();
  #pong: (() => void) | undefined;
  #lastWords: Progress = { name: "", ms: 0 };

  /** @throws where the system gives no process at all */
  constructor(settings: ExecutorSettings) {
    this.#progressFile = settings.progressFile;
    const started = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    this.ready = started.promise;
    this.gone = gone.promise;
    this.#isGone = gone.resolve;
    this.#rejectReady = started.reject;
    // Whoever only waits for its end does not look at its start.
    this.ready.catch(() => {});

    const entry = fileURLToPath(new URL(`./executor-entry${extname(import.meta.filename)}`, import.meta.url));
    // Options of Node's are not handed on: one such as --eval would run something else than an executor.
    this.#child = spawn(process.execPath, [...NODE_FLAGS, entry], {
      // Settings, output, errors, the channel, and the lifeline, on which nothing is ever said.
      stdio: ["pipe", "inherit", "inherit", "pipe", "pipe"],
    });
    const [stdin, , , channel, lifeline] = this.#child.stdio;
    if (!stdin || !channel || !lifeline) {
      this.#child.once("error", () => {});
      throw new TenantryError("EXECUTOR_FAILED", "The system has no process or no files left.");
    }
    // What ends in the middle of it resets its pipes; that it has ended is said by "close".
    for (const pipe of [stdin, channel, lifeline]) pipe.on("error", () => {});
    (stdin as Duplex).end(JSON.stringify(settings));
    const timer = setTimeout(() => this.kill(), settings.startTimeoutMs ?? DEFAULT_START_TIMEOUT_MS);
    const onMessage = (message: Say, body: MessageBody): void => {
      this.#heardAt = performance.now();
      if (message[0] === "hello") {
        clearTimeout(timer);
        if (message[1] === PROTOCOL_VERSION) started.resolve();
        else this.kill();
      } else if (message[0] === "broken") {
        this.#broken = fromPlain(message[1]);
      } else {
        this.#hear(message, body);
      }
    };
    this.#channel = new Channel(channel as Duplex, { onMessage, side: "ask" });
    this.#child.once("error", (error) => this.#end(`could not start: ${error.message}`));
    // Not "exit": what it had said before may still be on its way.
    this.#child.once("close", (code, signal) => {
      clearTimeout(timer);
      this.#end(signal ?? `exit code ${code}`);
    });
  }

  /** Tells `events` from now on. @throws {TenantryError} `EXECUTOR_FAILED` when it has ended already */
  serve(events: ExecutorEvents): void {
    if (this.#ended) throw ended("unused");
    this.#events = events;
  }

  /** Jobs that it has and has not finished. */
  get jobs(): number {
    return this.#jobs.size;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Whether jobs may be given to it. */
  get usable(): boolean {
    return !this.#ended && !this.#retiring && !this.#killed;
  }

  /** Whether its process is gone, and with it what it held open. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether it has been killed; that it is gone is heard a moment later. */
  get killed(): boolean {
    return this.#killed;
  }

  /** Milliseconds since it last said something. Once a second it does, unless something holds its event loop. */
  get silentMs(): number {
    return performance.now() - this.#heardAt;
  }

  /**
   * Gives it a job. @returns its number, for {@link follow} and {@link forget}
   * @param urgent that others may be waiting for
   */
  ask(make: (job: number) => Ask, body: MessageBody, events: JobEvents, urgent = false): number {
    if (this.#ended) {
      queueMicrotask(() => events.onLost(false));
      return 0;
    }
    const job = this.#jobs.add(events);
    this.#channel.send(make(job), body, urgent);
    return job;
  }

  /** Says more about a job that it has. */
  follow(message: Ask): void {
    if (!this.#ended) this.#channel.send(message);
  }

  /** Nobody waits for the job any more. */
  forget(job: number): void {
    if (this.#jobs.delete(job)) this.follow(["forget", job]);
  }

  /** The database whose statement it began last, also when it is gone. */
  current(): Progress {
    return this.#ended ? this.#lastWords : readProgress(this.#progressFile);
  }

  /** Whether it answers within `timeoutMs`: it does not while a statement runs. */
  async answers(timeoutMs: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#pong = () => resolve(true);
    const timer = setTimeout(() => resolve(false), timeoutMs);
    this.follow(["ping", 0]);
    const answered = await promise;
    clearTimeout(timer);
    this.#pong = undefined;
    return answered;
  }

  /** Lets it finish what it has; it takes no more. */
  retire(): void {
    if (this.#retiring || this.#ended) return;
    this.#retiring = true;
    this.follow(["retire"]);
  }

  /** Ends it now, whatever it does. SQLite's write-ahead log survives that. */
  kill(): void {
    this.#killed = true;
    this.#child.kill("SIGKILL");
  }

  #hear(
    message: Exclude<Say, readonly ["hello", ...unknown[]] | readonly ["broken", ...unknown[]]>,
    body: MessageBody,
  ): void {
    if (message[0] === "figures") return this.#events?.onFigures(message[1]);
    if (message[0] === "pong") return this.#pong?.();
    const [kind, job] = message;
    const events = this.#jobs.get(job);
    if (!events) return;
    switch (kind) {
      case "http": {
        const [, , status, headers, last] = message;
        if (last) this.#jobs.delete(job);
        return events.onHttp?.(status, headers, body, last);
      }
      case "chunk":
        if (message[2]) this.#jobs.delete(job);
        return events.onChunk?.(body as Uint8Array, message[2]);
      case "value":
        return events.onValue?.(body as Uint8Array);
      case "error":
        this.#jobs.delete(job);
        return events.onError(fromPlain(message[2]));
    }
  }

  /** A job whose value has come, and that has nothing more to say. */
  done(job: number): void {
    this.#jobs.delete(job);
  }

  #end(detail: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#lastWords = readProgress(this.#progressFile);
    removeProgress(this.#progressFile);
    this.#rejectReady(this.#broken ?? ended(detail));
    // The newest first: a statement of a transaction knows better than the transaction why it is lost.
    const jobs = this.#jobs.newestFirst();
    const unsent = new Set(this.#channel.unsent.flatMap(([kind, job]) => (JOBS.has(kind) ? [job] : [])));
    for (const [job] of jobs) this.#jobs.delete(job);
    const reason = this.#retiring ? "retired" : this.#killed ? "killed" : "crashed";
    this.#events?.onEnd(reason, this.#broken?.message ?? detail);
    for (const [job, events] of jobs) events.onLost(!unsent.has(job));
    this.#isGone();
  }
}

function ended(detail: string): TenantryError {
  return new TenantryError("EXECUTOR_FAILED", `An executor process ended: ${detail}.`);
}
