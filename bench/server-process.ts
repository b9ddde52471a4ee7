// Owns a measured server's process: starting it, asking it, ending it.
// Does not know what it serves.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { NODE_FLAGS } from "../src/executors/executor.ts";
import type { ServerOrder, ServerReport } from "./server.ts";

/** A server in a process of its own. Disposing of it ends the process. */
export class ServerProcess implements AsyncDisposable {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
  }

  static async start(order: ServerOrder): Promise<ServerProcess> {
    const child = fork(join(import.meta.dirname, "server.ts"), { execArgv: [...NODE_FLAGS] });
    child.send(order);
    const { url } = await reportOf(child);
    return new ServerProcess(child, url);
  }

  /** What it has used so far. */
  async report(): Promise<ServerReport> {
    this.#child.send("report");
    return reportOf(this.#child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill();
    await once(this.#child, "exit");
  }
}

async function reportOf(child: ChildProcess): Promise<ServerReport> {
  const died = new AbortController();
  const onExit = (): void => died.abort(new Error("The server's process has ended."));
  child.once("exit", onExit);
  try {
    const [report] = await once(child, "message", { signal: died.signal });
    return report as ServerReport;
  } finally {
    child.off("exit", onExit);
  }
}
