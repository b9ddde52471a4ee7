// Owns one Litestream process: its folder, its start, its end, and that it never outlives this process.
// Does not know which databases it has.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Socket } from "node:net";
import { litestreamEnv } from "./litestream-binary.ts";
import { LitestreamClient } from "./litestream-client.ts";
import { forgetProcess, noteProcess, PRIVATE_FOLDER } from "./leftover-processes.ts";
import { LIFELINE_FD, litestreamConfig, type RetentionOptions } from "./litestream-config.ts";

/** Milliseconds until a process must answer on its socket. */
const START_TIMEOUT_MS = 15_000;
const READY_POLL_MS = 20;

/** Bytes of a socket's path that every system takes. */
const MAX_SOCKET_PATH_BYTES = 100;

/** Characters of Litestream's own words that are kept for people. */
const MAX_SAID = 500;

/** What a process is started with. */
export interface LitestreamProcessOptions extends RetentionOptions {
  /** The program. */
  readonly binary: string;
  /** A folder in which it is noted while it runs: see `leftover-processes.ts`. */
  readonly notes?: string | undefined;
  /** Told of every line that it logs, from warnings up. */
  readonly onLog?: ((line: string) => void) | undefined;
}

/** A Litestream that runs. */
export class LitestreamProcess {
  readonly pid: number;
  readonly client: LitestreamClient;
  /** Fulfils when the process is gone, with why. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  readonly #dir: string;
  readonly #notes: string | undefined;
  #closing: Promise<void> | undefined;

  /** Starts one. @throws why it does not answer, with what it said last */
  static async start({
    binary,
    notes,
    onLog,
    ...retention
  }: LitestreamProcessOptions): Promise<LitestreamProcess> {
    const dir = await privateFolder();
    const socketPath = join(dir, "s");
    const configPath = join(dir, "litestream.yml");
    await writeFile(configPath, litestreamConfig(socketPath, retention), { mode: 0o600 });
    const child = spawn(binary, ["replicate", "-config", configPath], {
      // In a group of its own: Ctrl-C in a terminal is for the server, which ends it when all is in the replica.
      detached: true,
      env: litestreamEnv(),
      stdio: ["ignore", "ignore", "pipe", "pipe"],
    });
    let said = "";
    if (child.stderr) {
      createInterface({ input: child.stderr }).on("line", (line) => {
        said = line.slice(0, MAX_SAID);
        onLog?.(said);
      });
    }
    // What has gone away cannot be written to, and nothing is.
    (child.stdio[LIFELINE_FD] as Socket | null)?.on("error", () => {});
    const ended = new Promise<string>((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("exit", (code, signal) => resolve(signal ?? `exit code ${String(code)}, ${said}`));
    });
    const client = new LitestreamClient(socketPath);
    const started = new LitestreamProcess(child, client, { dir, notes, ended });
    try {
      if (notes !== undefined && child.pid !== undefined) await noteProcess(notes, child.pid, configPath);
      await started.#untilReady();
      return started;
    } catch (error) {
      await started.close(0);
      throw error;
    }
  }

  /** Use {@link LitestreamProcess.start}. */
  private constructor(
    child: ChildProcess,
    client: LitestreamClient,
    {
      dir,
      notes,
      ended,
    }: { readonly dir: string; readonly notes: string | undefined; readonly ended: Promise<string> },
  ) {
    this.#notes = notes;
    this.#child = child;
    this.#dir = dir;
    this.client = client;
    this.pid = child.pid ?? 0;
    // Also where it ends by itself, its lifeline's reader has nothing left to wait for.
    this.ended = ended.finally(() => (child.stdio[LIFELINE_FD] as Socket | null)?.destroy());
  }

  /** Ends it: by itself within `graceMs`, in which it uploads what it has, then at once. Idempotent. */
  close(graceMs: number): Promise<void> {
    return (this.#closing ??= this.#end(graceMs));
  }

  async #end(graceMs: number): Promise<void> {
    const child = this.#child;
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      if (graceMs > 0) child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
      await this.ended;
      clearTimeout(timer);
    }
    this.client.close();
    await rm(this.#dir, { recursive: true, force: true });
    if (this.#notes !== undefined) await forgetProcess(this.#notes, this.pid);
  }

  /** A socket that cannot be bound is only a warning of Litestream's: asking is the only way to know. */
  async #untilReady(): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MS;
    let over: string | undefined;
    void this.ended.then((why) => (over = why));
    for (;;) {
      try {
        const { pid } = await this.client.info();
        if (pid === this.pid) return;
        throw new Error(`Another process, ${pid}, answers on Litestream's socket.`);
      } catch (error) {
        if (over !== undefined) throw new Error(`Litestream ended: ${over}`, { cause: error });
        if (performance.now() > deadline) {
          throw new Error("Litestream does not answer on its socket.", { cause: error });
        }
        await new Promise((resolve) => void setTimeout(resolve, READY_POLL_MS));
      }
    }
  }
}

async function privateFolder(): Promise<string> {
  // "XXXXXX" is what mkdtemp adds, "/s" the socket.
  const fits = Buffer.byteLength(join(tmpdir(), `${PRIVATE_FOLDER}XXXXXX`, "s")) <= MAX_SOCKET_PATH_BYTES;
  return mkdtemp(join(fits ? tmpdir() : "/tmp", PRIVATE_FOLDER));
}
