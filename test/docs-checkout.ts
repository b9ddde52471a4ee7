// Owns a newcomer's checkout in a folder of its own: `npm start` serves its sample tenants on a free port,
// and what the documentation says to type is run there by a shell.
// Its sources are the repository's own, by links; its data and migrations are not.
import { execFile, spawn } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { chmod, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ROOT } from "./docs-blocks.ts";

/** Where the documentation's server listens. */
const DOCUMENTED = "127.0.0.1:8787";

/** What is typed, and what happens here: npm itself is slow, and its first commands have been run already. */
const COMMANDS: Readonly<Record<string, string>> = {
  npm: `case "$*" in
    "run -s tenantry -- "*) shift 4; exec node src/cli.ts "$@" ;;
    ci | start | test) ;;
    *) echo "docs: unknown npm command: $*" >&2; exit 2 ;;
  esac`,
  npx: `case "$1" in tenantry) shift; exec node src/cli.ts "$@" ;; esac
  echo "docs: unknown npx command: $*" >&2; exit 2`,
  tenantry: `exec node src/cli.ts "$@"`,
  // An answer of 400 or more fails.
  curl: `exec "$CURL" --fail-with-body --silent --show-error --max-time 30 "$@"`,
};

/** What a run printed. */
export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A checkout whose server runs. */
export interface Checkout extends AsyncDisposable {
  readonly dir: string;
  /** Runs a script with bash, which ends at the first failure. The documented address is the server's. */
  shell(script: string): Promise<Run>;
  /** Runs a module, whose name says whether it is TypeScript. */
  node(name: string, source: string): Promise<Run>;
}

/** What `import` of each entry of the package is, in the sources: `tenantry/hono` → `…/src/hono.ts`. */
export function entries(exports: Record<string, unknown>): Map<string, string> {
  const found = new Map<string, string>();
  for (const [name, target] of Object.entries(exports)) {
    const file = (target as { default?: string }).default;
    if (file?.startsWith("./dist/") !== true) continue;
    found.set(name.replace(/^\./, "tenantry"), join(ROOT, file.replace("dist", "src").replace(/js$/, "ts")));
  }
  return found;
}

/** Makes a checkout, and starts its server as a newcomer does. */
export async function checkout(imports: ReadonlyMap<string, string>): Promise<Checkout> {
  const dir = mkdtempSync(join(tmpdir(), "tenantry-docs-"));
  for (const name of ["package.json", "src", "node_modules"]) symlinkSync(join(ROOT, name), join(dir, name));
  // A page may show how a migration is added.
  cpSync(join(ROOT, "migrations"), join(dir, "migrations"), { recursive: true });
  const bin = mkdtempSync(join(tmpdir(), "tenantry-bin-"));
  for (const [name, script] of Object.entries(COMMANDS)) {
    await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(bin, name), 0o755);
  }
  const hooks = join(bin, "resolve.mjs");
  writeFileSync(
    hooks,
    `import { registerHooks } from "node:module";
     import { pathToFileURL } from "node:url";
     const entries = new Map(${JSON.stringify([...imports])});
     registerHooks({
       resolve: (name, context, next) =>
         entries.has(name) ? { url: pathToFileURL(entries.get(name)).href, shortCircuit: true } : next(name, context),
     });`,
  );

  // A group of its own: npm does not hand on every signal.
  const server = spawn("npm", ["start"], {
    cwd: dir,
    env: { ...process.env, TENANTRY_PORT: "0" },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const ended = new Promise<void>((resolve) => server.once("close", () => resolve()));
  let complaints = "";
  server.stderr.on("data", (data: Buffer) => (complaints += data.toString()));
  const stop = async (): Promise<void> => {
    if (server.exitCode === null && server.pid !== undefined) process.kill(-server.pid, "SIGTERM");
    await ended;
    for (const folder of [dir, bin]) rmSync(folder, { recursive: true, force: true });
  };
  const address = await addressOf(server.stdout);
  if (address === undefined) {
    await stop();
    throw new Error(`npm start did not serve: ${complaints}`);
  }

  const env = {
    ...process.env,
    PATH: `${bin}:${process.env["PATH"]}`,
    CURL: await which("curl"),
    // A page shows what a person sees in a terminal of usual width, without colours.
    NO_COLOR: "1",
    COLUMNS: "100",
  };
  const run = (command: string, args: readonly string[]): Promise<Run> =>
    new Promise((resolve) => {
      execFile(command, args, { cwd: dir, env, maxBuffer: 64 * 2 ** 20 }, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : null;
        resolve({ code, stdout, stderr });
      });
    });
  return {
    dir,
    shell: (script) => run("bash", ["-euo", "pipefail", "-c", script.replaceAll(DOCUMENTED, address)]),
    node: async (name, source) => {
      await writeFile(join(dir, name), source.replaceAll(DOCUMENTED, address));
      return run(process.execPath, ["--import", hooks, name]);
    },
    [Symbol.asyncDispose]: stop,
  };
}

/** Host and port of the line that says that the server serves; undefined when it ends without one. */
async function addressOf(stdout: NodeJS.ReadableStream): Promise<string | undefined> {
  for await (const line of createInterface({ input: stdout })) {
    const [, address] = /^Tenantry serves 3 tenants .* at http:\/\/(\S+)$/.exec(line) ?? [];
    if (address !== undefined) return address;
  }
  return undefined;
}

function which(command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile("sh", ["-c", `command -v ${command}`], (error, stdout) =>
      error ? reject(error) : resolve(stdout.trim()),
    );
  });
}
