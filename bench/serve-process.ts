// Owns a `tenantry serve` that is measured: its process, and the processor time that it and its executors used.
// Does not know what it is asked.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";

/** Microseconds of a clock tick in /proc: 100 ticks a second on every Linux that Node runs on. */
const TICK_MICROS = 10_000;
/** Bytes of a page in /proc, on the processors that Node is built for but for a few ARM kernels. */
const PAGE_BYTES = 4096;

/** What the server is started with. */
export interface ServeOrder {
  readonly data: string;
  readonly migrations: string;
  /** 0 for SQL in the server's own process. */
  readonly executors: number;
  /** More of the command line. */
  readonly args?: readonly string[];
  /** Flags of Node's. */
  readonly nodeFlags?: readonly string[];
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

  static async start({
    data,
    migrations,
    executors,
    args = [],
    nodeFlags = [],
  }: ServeOrder): Promise<ServeProcess> {
    const child = spawn(
      process.execPath,
      [
        ...nodeFlags,
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
    return this.#sums("micros");
  }

  /** Resident memory now, in bytes; 0 where there is no /proc. */
  rss(): { readonly main: number; readonly executors: number } {
    return this.#sums("rssBytes");
  }

  /** The value of that name in `/metrics`. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const line = text.split("\n").find((one) => one.startsWith(`${name} `));
    if (line === undefined) throw new Error(`There is no metric ${name}.`);
    return Number(line.slice(name.length + 1));
  }

  #sums(figure: "micros" | "rssBytes"): { main: number; executors: number } {
    const main = this.#child.pid!;
    const all = processes();
    const executors = all.filter(({ parent }) => parent === main);
    return {
      main: all.find(({ pid }) => pid === main)?.[figure] ?? 0,
      executors: executors.reduce((sum, one) => sum + one[figure], 0),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill();
    await once(this.#child, "exit");
  }
}

function processes(): { pid: number; parent: number; micros: number; rssBytes: number }[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, "utf8");
        // The name may hold anything, and ends with the last bracket.
        const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        const micros = (Number(fields[11]) + Number(fields[12])) * TICK_MICROS;
        const rssBytes = Number(fields[21]) * PAGE_BYTES;
        return [{ pid: Number(name), parent: Number(fields[1]), micros, rssBytes }];
      } catch {
        // It has ended since it was listed.
        return [];
      }
    });
}
