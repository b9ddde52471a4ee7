// Owns running the real command line in a process of its own, in a folder of its own.
// Asserts nothing.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(new URL("../src/cli.ts", import.meta.url));
/** Compiled code, which halves the time that a command takes to start. */
const COMPILED = fileURLToPath(new URL("../node_modules/.cache/tenantry-cli", import.meta.url));
const MIGRATIONS = fileURLToPath(new URL("../migrations", import.meta.url));

/** What a command left behind. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a command is run. */
export interface RunOptions {
  /** What it reads. @default nothing */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A folder of its own, and commands in it. */
export interface CliFolder extends AsyncDisposable {
  readonly dir: string;
  /** Starts a command. */
  start(args: readonly string[], options?: RunOptions): ChildProcess;
  /** Runs a command to its end. */
  run(args: readonly string[], options?: RunOptions): Promise<Ran>;
}

/** A new folder; `TENANTRY_DATA` is `data` in it, and the migrations are the sample's. */
export async function cliFolder(env: Readonly<Record<string, string>> = {}): Promise<CliFolder> {
  const dir = await mkdtemp(join(tmpdir(), "tenantry-cli-"));
  const start: CliFolder["start"] = (args, options = {}) =>
    spawn(process.execPath, [CLI, ...args], {
      cwd: dir,
      env: {
        PATH: process.env["PATH"],
        NODE_COMPILE_CACHE: COMPILED,
        NODE_NO_WARNINGS: "1",
        TENANTRY_DATA: join(dir, "data"),
        TENANTRY_MIGRATIONS: MIGRATIONS,
        ...env,
        ...options.env,
      },
    });
  return {
    dir,
    start,
    async run(args, options = {}) {
      const child = start(args, options);
      child.stdin?.end(options.input ?? "");
      const closed = Promise.withResolvers<number | null>();
      child.once("close", closed.resolve);
      const [stdout, stderr, code] = await Promise.all([
        text(child.stdout!),
        text(child.stderr!),
        closed.promise,
      ]);
      return { code, stdout, stderr };
    },
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}
