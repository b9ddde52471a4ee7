// Owns the one executor that serves a lane: its start, its replacement when it ends or has grown, and its end.
// Does not know jobs.
import { shuttingDown } from "../shutting-down.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import type { EndReason, Executor } from "./executor.ts";
import type { Figures } from "./messages.ts";
import type { SpareExecutor } from "./spare-executor.ts";

/** Milliseconds until a crashed executor is started again; doubled with each further crash up to the second. */
const FIRST_RESTART_MS = 50;
const MAX_RESTART_MS = 5_000;
/** Milliseconds that an executor has to live for its crash to be the first one again. */
const STEADY_MS = 60_000;
/** Milliseconds that an executor serves before its memory is held against it. */
const YOUNG_MS = 3_000;

/** What a place tells. */
export interface PlaceEvents {
  /** The executor is gone, and its jobs have not been told yet. */
  onEnd(executor: Executor, reason: EndReason, detail: string): void;
  /** No executor could be started; it is tried again. */
  onFailure(detail: string): void;
  onFigures(figures: Figures): void;
}

/** One executor's place. */
export class ExecutorPlace {
  readonly #spare: SpareExecutor;
  readonly #events: PlaceEvents;
  /** Also those that finish what they have. */
  readonly #alive = new Set<Executor>();
  #executor: Executor | undefined;
  #startedAt = 0;
  #starting: Promise<Executor> | undefined;
  #failure: TenantryError | undefined;
  #crashes = 0;
  #startAt = 0;
  #wake: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(spare: SpareExecutor, events: PlaceEvents) {
    this.#spare = spare;
    this.#events = events;
  }

  /** The executor, if there is one that takes jobs. */
  get current(): Executor | undefined {
    return this.#executor?.usable ? this.#executor : undefined;
  }

  /** Why no executor can be started; undefined while one runs or none was asked for. */
  get failure(): TenantryError | undefined {
    return this.current ? undefined : this.#failure;
  }

  /**
   * An executor that takes jobs, once there is one. After a failed start nobody waits for the next, which may fail
   * as well: it is tried again and again meanwhile.
   * @throws {TenantryError} `EXECUTOR_FAILED`, `CLOSED`
   */
  usable(): Promise<Executor> {
    const { current } = this;
    if (current) return Promise.resolve(current);
    if (this.#closing) return Promise.reject(shuttingDown());
    return this.#failure ? Promise.reject(this.#failure) : this.#start();
  }

  /** Replaces the executor by a fresh one; the old one finishes what it has. @returns whether it was old enough */
  recycle(): boolean {
    const old = this.current;
    if (!old || this.#starting || this.#closing || performance.now() - this.#startedAt < YOUNG_MS)
      return false;
    this.#start().then(
      () => old.retire(),
      () => {
        // The old one is better than none, and nobody has to know.
        if (this.current) this.#failure = undefined;
      },
    );
    return true;
  }

  /** Lets executors finish what they have, for `graceMs`, and ends them. Idempotent. */
  close(graceMs: number): Promise<void> {
    return (this.#closing ??= this.#close(graceMs));
  }

  async #close(graceMs: number): Promise<void> {
    this.#wake?.();
    await this.#starting?.catch(() => {});
    for (const executor of this.#alive) executor.retire();
    const timer = setTimeout(() => {
      for (const executor of this.#alive) executor.kill();
    }, graceMs);
    await Promise.all([...this.#alive].map(({ gone }) => gone));
    clearTimeout(timer);
  }

  #start(): Promise<Executor> {
    return (this.#starting ??= this.#startExecutor().finally(() => (this.#starting = undefined)));
  }

  async #startExecutor(): Promise<Executor> {
    const waitMs = this.#startAt - performance.now();
    if (waitMs > 0) await this.#sleep(waitMs);
    if (this.#closing) throw shuttingDown();
    try {
      const executor = await this.#spare.take();
      executor.serve({
        onFigures: (figures) => {
          if (executor === this.#executor) this.#events.onFigures(figures);
        },
        onEnd: (reason, detail) => this.#ended(executor, reason, detail),
      });
      this.#alive.add(executor);
      if (this.#closing) executor.retire();
      this.#failure = undefined;
      this.#startedAt = performance.now();
      return (this.#executor = executor);
    } catch (error) {
      if (this.#closing) throw shuttingDown();
      this.#backOff();
      this.#failure = failedToStart(error);
      this.#events.onFailure(error instanceof Error ? error.message : String(error));
      if (!this.#executor) void this.#restart();
      throw this.#failure;
    }
  }

  #ended(executor: Executor, reason: EndReason, detail: string): void {
    this.#alive.delete(executor);
    const served = executor === this.#executor;
    if (served) {
      this.#executor = undefined;
      if (performance.now() - this.#startedAt >= STEADY_MS) this.#crashes = 0;
      if (reason === "crashed") this.#backOff();
    }
    // At once, not with the next request: that one should not have to wait.
    if (served) void this.#restart();
    this.#events.onEnd(executor, reason, detail);
  }

  #backOff(): void {
    this.#startAt = performance.now() + Math.min(FIRST_RESTART_MS * 2 ** this.#crashes, MAX_RESTART_MS);
    this.#crashes++;
  }

  /** Starts again, once the start that is under way has ended. A start that fails does so by itself. */
  async #restart(): Promise<void> {
    if (this.#starting) await this.#starting.catch(() => {});
    if (!this.#executor && !this.#closing) await this.#start().catch(() => {});
  }

  /** Waits for that long, or until this place is closed. */
  async #sleep(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(resolve, ms);
    await promise;
    clearTimeout(timer);
  }
}

/** What callers are told: the reason may name files of this machine, and is the operator's to see. */
function failedToStart(cause: unknown): TenantryError {
  const code = isTenantryError(cause) && cause.code !== "EXECUTOR_FAILED" ? ` (${cause.code})` : "";
  return new TenantryError("EXECUTOR_FAILED", `No executor process can be started${code}.`, {
    hint: "The server's log has the details.",
    retryAfterSeconds: 5,
    cause,
  });
}
