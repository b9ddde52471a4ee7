// Owns a second process on a data folder: what it is told to do, what it says, and its end.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { onTestFinished } from "vitest";
import type { Acts } from "../fixtures/other-process/main.ts";

const PROGRAM = new URL("../fixtures/other-process/main.ts", import.meta.url);

interface Said {
  readonly at?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly code?: string; readonly message: string };
}

/** A process that does one thing at a time. It ends with the test. */
export class OtherProcess {
  /** What it said to be at, in order. */
  readonly passed: unknown[] = [];
  readonly #child: ChildProcess;
  #answered: ((said: Said) => void) | undefined;
  #arrived: (() => void) | undefined;

  constructor(data: string, options: object = {}) {
    this.#child = fork(PROGRAM, [data, JSON.stringify(options)]);
    this.#child.on("message", (said: Said) => {
      if (!("at" in said)) return this.#answered?.(said);
      this.passed.push(said.at);
      this.#arrived?.();
    });
    onTestFinished(() => this.kill());
  }

  /** Does it, and gives what it gave. @throws an error with the code of what it threw */
  async do<Act extends keyof Acts>(
    act: Act,
    ...args: Parameters<Acts[Act]>
  ): Promise<Awaited<ReturnType<Acts[Act]>>> {
    const said = new Promise<Said>((resolve) => (this.#answered = resolve));
    this.#child.send([act, ...args]);
    const { result, error } = await said;
    if (error) throw Object.assign(new Error(error.message), error);
    return result as Awaited<ReturnType<Acts[Act]>>;
  }

  /** Does it until it has said a number of times where it is. */
  async doUntil<Act extends keyof Acts>(
    act: Act,
    times: number,
    ...args: Parameters<Acts[Act]>
  ): Promise<void> {
    this.#child.send([act, ...args]);
    while (this.passed.length < times) await new Promise<void>((resolve) => (this.#arrived = resolve));
  }

  /** Ends it at once, wherever it is. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }
}
