// Owns the process in which replicas are synchronised (libsql-sync-process.ts): starting it when it is needed, giving
// it one replica after the other, and ending it when it takes too long. Does not decide when a replica is.
import { type ChildProcess, fork } from "node:child_process";
import type { Socket } from "node:net";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { RemoteFault } from "../remote/remote-fault.ts";
import { fromLibsql } from "./libsql-error.ts";
import type { SyncAnswer, SyncJob } from "./libsql-sync-process.ts";

/** Milliseconds after which a process that has nothing to do ends. */
const IDLE_MS = 60_000;

/** Synchronises the replicas of a driver. */
export class Synchroniser {
  readonly #timeoutMs: number;
  #turn: Promise<void> = Promise.resolve();
  #process: ChildProcess | undefined;
  #idle: NodeJS.Timeout | undefined;

  /** @param timeoutMs milliseconds that one synchronisation may take, without the wait for others */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** Brings a replica what its primary has, after those who asked before. @throws {RemoteFault} */
  run(job: SyncJob): Promise<void> {
    return this.between(() => this.#run(job));
  }

  /** Does something while no replica is synchronised. */
  between(fn: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(fn);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #run(job: SyncJob): Promise<void> {
    clearTimeout(this.#idle);
    const child = (this.#process ??= this.#start());
    const { promise, resolve, reject } = Promise.withResolvers<SyncAnswer>();
    const gone = (): void =>
      reject(new RemoteFault("unreachable", "was not synchronised: its process ended"));
    const timer = setTimeout(() => {
      reject(new RemoteFault("unreachable", `was not synchronised within ${this.#timeoutMs} ms`));
      this.#end(child);
    }, this.#timeoutMs);
    child.on("message", resolve).on("error", gone).on("exit", gone);
    // Nothing but somebody who waits keeps this process from ending.
    child.ref();
    child.channel?.ref();
    try {
      child.send(job, (error) => (error ? gone() : undefined));
      const { error } = await promise;
      if (error) throw fromLibsql(Object.assign(new Error(error.message), { code: error.code }));
    } finally {
      clearTimeout(timer);
      child.off("message", resolve).off("error", gone).off("exit", gone);
      child.unref();
      child.channel?.unref();
      this.#idle = setTimeout(() => this.#end(child), IDLE_MS).unref();
    }
  }

  #start(): ChildProcess {
    const program = new URL(`./libsql-sync-process${extname(import.meta.filename)}`, import.meta.url);
    const child = fork(fileURLToPath(program), {
      execArgv: ["--expose-gc"],
      // The library writes what it thinks to its output. The last is the lifeline, on which nothing is ever said.
      stdio: ["ignore", "ignore", "inherit", "ipc", "pipe"],
    });
    const ended = (): void => this.#end(child);
    child.on("error", ended).on("exit", ended);
    const lifeline = (child.stdio as ChildProcess["stdio"] | undefined)?.[4] as Socket | undefined;
    if (!lifeline) {
      throw new RemoteFault(
        "unreachable",
        "was not synchronised: the system has no process or no files left",
      );
    }
    lifeline.on("error", () => {}).unref();
    return child;
  }

  #end(child: ChildProcess): void {
    if (this.#process === child) this.#process = undefined;
    child.kill("SIGKILL");
  }
}
