// Owns a `tenantry serve` that is measured: its process, and the processor time that it and its executors used.
// Does not know what it is asked.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";

/** Microseconds of a clock tick in /proc: 100 ticks a second on every Linux that Node runs on. */
const TICK_MICROS = 10_000;

/** What the server is started with. */
export interface ServeOrder {
  readonly data: string;
  readonly migrations: string;
  /** 0 for SQL in the server's own process. */
  readonly executors: number;
  /** More of the command line. */
  readonly args?: readonly string[];
}

/** Microseconds of processor time so far; 0 where there is no /proc. */
export interface CpuMicros {
  readonly main: number;
  readonly executors: number;
}

/** The command as anybody runs it. Disposing of it ends the process. */
export class ServeProcess implements AsyncDisposable {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
  }

  static async start({ data, migrations, executors, args = [] }: ServeOrder): Promise<ServeProcess> {
    const child = spawn(
      process.execPath,
      [
        join(import.meta.dirname, "../src/cli.ts"),
        "serve",
        "--json",
        "--port=0",
        `--data=${data}`,
        `--migrations=${migrations}`,
        `--executors=${executors}`,
        ...args,
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    for await (const line of createInterface({ input: child.stdout! })) {
      return new ServeProcess(child, (JSON.parse(line) as { url: string }).url);
    }
    throw new Error("The server ended before it could serve.");
  }

  /** The processor time so far. */
  cpu(): CpuMicros {
    const main = this.#child.pid!;
    const executors = processes().filter(({ parent }) => parent === main);
    return {
      main: processes().find(({ pid }) => pid === main)?.micros ?? 0,
      executors: executors.reduce((sum, { micros }) => sum + micros, 0),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill();
    await once(this.#child, "exit");
  }
}

function processes(): { pid: number; parent: number; micros: number }[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, "utf8");
        // The name may hold anything, and ends with the last bracket.
        const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        const micros = (Number(fields[11]) + Number(fields[12])) * TICK_MICROS;
        return [{ pid: Number(name), parent: Number(fields[1]), micros }];
      } catch {
        // It has ended since it was listed.
        return [];
      }
    });
}
