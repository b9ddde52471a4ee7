// Owns one executor that has been started and serves nobody yet: starting one takes half a second, and whoever has
// lost his should not have to wait for that. Knows no tenants and no jobs.
import { shuttingDown } from "../shutting-down.ts";
import { Executor } from "./executor.ts";
import type { ExecutorSettings } from "./executor-settings.ts";

/** Starts executors, one more than were asked for. */
export class SpareExecutor {
  readonly #settings: () => ExecutorSettings;
  readonly #starting = new Set<Executor>();
  #spare: Promise<Executor | undefined> | undefined;
  #idle: Executor | undefined;
  #closed = false;

  constructor(settings: () => ExecutorSettings) {
    this.#settings = settings;
  }

  /** Starts the spare one, if there is none. */
  prepare(): void {
    if (this.#closed || this.#spare) return;
    this.#spare = this.#start().then(
      (executor) => (this.#idle = executor),
      // Whoever needs one tries again, and hears why.
      () => undefined,
    );
  }

  /** An executor that takes jobs. @throws {TenantryError} why none can be started */
  async take(): Promise<Executor> {
    const spare = this.#spare;
    this.#spare = undefined;
    const prepared = await spare;
    if (prepared) this.#idle = undefined;
    const executor = prepared?.usable ? prepared : await this.#start();
    if (spare) this.prepare();
    return executor;
  }

  /** Ends what serves nobody. */
  async close(): Promise<void> {
    this.#closed = true;
    const unused = [...this.#starting, ...(this.#idle ? [this.#idle] : [])];
    for (const executor of unused) executor.kill();
    await Promise.all(unused.map(({ gone }) => gone));
  }

  async #start(): Promise<Executor> {
    if (this.#closed) throw shuttingDown();
    const executor = new Executor(this.#settings());
    this.#starting.add(executor);
    try {
      await executor.ready;
      return executor;
    } finally {
      this.#starting.delete(executor);
    }
  }
}
