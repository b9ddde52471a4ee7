// Owns the process in which work on whole databases is done: it may take minutes, and no time limit ends it.
// Does not know what the work is: the executor does it, as it would be done here.
import { deserialize, serialize } from "node:v8";
import { FifoLock, MAX_TIMER_MS } from "../fifo-lock.ts";
import { shuttingDown } from "../shutting-down.ts";
import { TenantryError } from "../tenantry-error.ts";
import type { Executor } from "./executor.ts";
import type { ChoreName } from "./messages.ts";
import type { SpareExecutor } from "./spare-executor.ts";

/** Chores done at once; the others wait. */
const AT_ONCE = 4;
/** Milliseconds after the last one until the process is ended. */
const IDLE_MS = 30_000;

/** Does chores, in a process that there is while there are some. */
export class Chores {
  readonly #spare: SpareExecutor;
  readonly #line = new FifoLock({
    permits: AT_ONCE,
    timeoutMs: MAX_TIMER_MS,
    onTimeout: () => new TenantryError("OVERLOADED", "Too much other work on whole databases is waiting."),
  });
  #executor: Promise<Executor> | undefined;
  #running = 0;
  #pid: number | undefined;
  #idle: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(spare: SpareExecutor) {
    this.#spare = spare;
  }

  /** Chores that are being done. */
  get running(): number {
    return this.#running;
  }

  /** The process that there was last. */
  get pid(): number | undefined {
    return this.#pid;
  }

  /** Lets what runs end, for `graceMs`, and ends the process. What waits is refused. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true;
    this.#line.refuseAll(shuttingDown());
    clearTimeout(this.#idle);
    const executor = await this.#executor?.catch(() => undefined);
    if (!executor) return;
    executor.retire();
    const timer = setTimeout(() => executor.kill(), graceMs);
    await executor.gone;
    clearTimeout(timer);
  }

  /**
   * Does one, in its turn.
   * @throws {TenantryError} what it throws there; `OUTCOME_UNKNOWN` where the process ended before it had said
   */
  async run(name: ChoreName, args: readonly unknown[]): Promise<unknown> {
    if (this.#closed) throw shuttingDown();
    const release = await this.#line.acquire();
    clearTimeout(this.#idle);
    this.#running++;
    try {
      return await ask(await this.#usable(), name, args);
    } finally {
      release();
      if (--this.#running === 0 && !this.#closed) {
        this.#idle = setTimeout(() => void this.#retire(), IDLE_MS);
        this.#idle.unref();
      }
    }
  }

  /** One for all who ask in the same moment, also where the last has ended. */
  #usable(): Promise<Executor> {
    const next = async (before: Promise<Executor> | undefined): Promise<Executor> => {
      const executor = await before?.catch(() => undefined);
      return executor?.usable ? executor : this.#start();
    };
    return (this.#executor = next(this.#executor));
  }

  async #start(): Promise<Executor> {
    const executor = await this.#spare.take();
    executor.serve({ onFigures: () => {}, onEnd: () => {} });
    this.#pid = executor.pid;
    return executor;
  }

  async #retire(): Promise<void> {
    const executor = await this.#executor?.catch(() => undefined);
    if (this.#running > 0) return;
    this.#executor = undefined;
    executor?.retire();
  }
}

function ask(executor: Executor, name: ChoreName, args: readonly unknown[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const number = executor.ask((job) => ["chore", job, name], serialize(args), {
      onValue: (body) => {
        executor.done(number);
        resolve(deserialize(body));
      },
      onError: reject,
      onLost: () => reject(lost()),
    });
  });
}

function lost(): TenantryError {
  return new TenantryError(
    "OUTCOME_UNKNOWN",
    "The process that did it ended: it was done as a whole, or not at all.",
    { hint: "Look whether it was done before you do it again." },
  );
}
