// Owns a run in which processes of a real server are killed under load, and the account of every write afterwards.
// Prints nothing; `kill-run.ts` and the tests do.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createTenantry } from "../src/tenantry.ts";
import { KillLoad, type Write } from "./kill-load.ts";

const SCHEMA = "CREATE TABLE writes (id INTEGER PRIMARY KEY, op TEXT NOT NULL, part INTEGER NOT NULL);";
/** How many kills of executors there are to one of the server's own process. */
const EXECUTORS_TO_SERVERS = 6;
/** Milliseconds in which a server must serve, and in which what it left behind must be gone. */
const PATIENCE_MS = 30_000;

/** What a run is made with. */
export interface KillingOptions {
  /** An empty folder. */
  readonly folder: string;
  readonly seconds: number;
  readonly kills: number;
  readonly tenants: number;
  readonly executors: number;
  /** Requests under way at once. */
  readonly clients: number;
  /** Told of each kill. */
  readonly onKill?: (what: "executor" | "server", pid: number) => void;
}

/** What a run found. All but the first five must be 0, or empty. */
export interface KillingReport {
  readonly kills: { readonly executors: number; readonly servers: number };
  /** How often each answer came. */
  readonly answers: Readonly<Record<string, number>>;
  readonly acknowledged: number;
  /** Writes whose outcome nobody was told; `unknownDone` of them are there. */
  readonly unknown: number;
  readonly unknownDone: number;
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  /** Batches of which only a part is there. */
  readonly torn: readonly string[];
  /** Writes that were refused, and are there. */
  readonly refusedDone: readonly string[];
  /** What was never written. */
  readonly invented: readonly string[];
  /** Tenants whose file is not sound, or cannot be read. */
  readonly unsound: readonly string[];
  /** Answers that no request should get. */
  readonly unexpected: readonly string[];
  /** Executors that outlived their server. */
  readonly orphans: number;
  /** What the server ended with when it was told to, under load. */
  readonly exitCode: number | null;
}

/** Whether nothing went wrong. */
export function isClean(report: KillingReport): boolean {
  const { lost, doubled, torn, refusedDone, invented, unsound, unexpected, orphans, exitCode } = report;
  const bad = [lost, doubled, torn, refusedDone, invented, unsound, unexpected];
  return bad.every(({ length }) => length === 0) && orphans === 0 && exitCode === 0;
}

/** Runs it. */
export async function killing(options: KillingOptions): Promise<KillingReport> {
  const { folder, seconds, kills, executors, clients, onKill = () => {} } = options;
  const migrations = join(folder, "migrations");
  const data = join(folder, "data");
  await mkdir(migrations, { recursive: true });
  await writeFile(join(migrations, "0001_writes.sql"), SCHEMA);
  const tenants = Array.from({ length: options.tenants }, (_, n) => `tenant-${n}`);

  const counts = { executors: 0, servers: 0 };
  let orphans = 0;
  let server = await KilledServer.start({ data, migrations, executors, port: 0 });
  const { port } = server;
  const load = new KillLoad({ url: `http://127.0.0.1:${port}`, tenants, clients });
  try {
    await load.createTenants();
    load.start();
    const pauseMs = (seconds * 1_000) / (kills + 1);
    for (let n = 1; n <= kills; n++) {
      await pause(pauseMs);
      const pids = await server.someExecutors();
      if (n % (EXECUTORS_TO_SERVERS + 1) === 0) {
        onKill("server", server.pid);
        await server.kill();
        counts.servers++;
        orphans += await remaining(pids);
        server = await KilledServer.start({ data, migrations, executors, port });
      } else {
        // In turn, whichever they are just then: also one that starts, and the one in reserve.
        const pid = pids[n % pids.length]!;
        onKill("executor", pid);
        end(pid);
        counts.executors++;
      }
    }
    await pause(pauseMs);
    const pids = server.executorPids();
    const exitCode = await server.stop();
    await load.stop();
    orphans += await remaining(pids);
    return {
      kills: counts,
      answers: Object.fromEntries(load.answers),
      ...(await account(data, migrations, tenants, load.writes)),
      unexpected: load.unexpected,
      orphans,
      exitCode,
    };
  } finally {
    await load.stop();
    await server.kill();
  }
}

type Account = Omit<KillingReport, "kills" | "answers" | "unexpected" | "orphans" | "exitCode">;

async function account(
  data: string,
  migrations: string,
  tenants: readonly string[],
  writes: readonly Write[],
): Promise<Account> {
  const found = {
    acknowledged: 0,
    unknown: 0,
    unknownDone: 0,
    lost: [] as string[],
    doubled: [] as string[],
    torn: [] as string[],
    refusedDone: [] as string[],
    invented: [] as string[],
    unsound: [] as string[],
  };
  await using tenantry = await createTenantry({ data, migrations });
  const there = new Map<string, number[]>();
  for (const tenant of tenants) {
    try {
      const db = tenantry.database(tenant);
      const check = await db.prepare("PRAGMA integrity_check").all<{ integrity_check: string }>();
      if (check.results.some(({ integrity_check: said }) => said !== "ok")) found.unsound.push(tenant);
      const rows = await db.prepare("SELECT op, part FROM writes").all<{ op: string; part: number }>();
      for (const { op, part } of rows.results) {
        const parts = there.get(op);
        if (parts) parts.push(part);
        else there.set(op, [part]);
      }
    } catch (error) {
      found.unsound.push(`${tenant}: ${String(error)}`);
    }
  }
  for (const { op, parts, outcome } of writes) {
    const done = there.get(op) ?? [];
    there.delete(op);
    if (new Set(done).size < done.length) found.doubled.push(op);
    if (done.length > 0 && new Set(done).size < parts) found.torn.push(op);
    if (outcome === "acknowledged") {
      found.acknowledged++;
      if (done.length === 0) found.lost.push(op);
    } else if (outcome === "refused") {
      if (done.length > 0) found.refusedDone.push(op);
    } else {
      found.unknown++;
      if (done.length > 0) found.unknownDone++;
    }
  }
  found.invented.push(...there.keys());
  return found;
}

interface ServerOptions {
  readonly data: string;
  readonly migrations: string;
  readonly executors: number;
  readonly port: number;
}

/** A server as an operator starts it. */
class KilledServer {
  readonly pid: number;
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;

  private constructor(child: ChildProcess, port: number, ended: Promise<number | null>) {
    this.#child = child;
    this.pid = child.pid!;
    this.port = port;
    this.#ended = ended;
  }

  static async start({ data, migrations, executors, port }: ServerOptions): Promise<KilledServer> {
    const cli = join(import.meta.dirname, "../src/cli.ts");
    const options = { data, migrations, executors, port, "log-level": "silent" };
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const child = spawn(process.execPath, [cli, "serve", ...args], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { PATH: process.env["PATH"] },
    });
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
    const lines = createInterface({ input: child.stdout });
    const line = await Promise.race([once(lines, "line"), ended]);
    const url = Array.isArray(line) ? /http:\/\/127\.0\.0\.1:(\d+)/.exec(String(line[0])) : null;
    if (!url) throw new Error("The server did not start.");
    return new KilledServer(child, Number(url[1]), ended);
  }

  /** Its child processes. */
  executorPids(): number[] {
    const rows = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n");
    return rows
      .map((row) => row.trim().split(/\s+/).map(Number))
      .filter(([, parent]) => parent === this.pid)
      .map(([pid]) => pid!)
      .filter(isAlive);
  }

  /** Its child processes, once there are any. */
  async someExecutors(): Promise<number[]> {
    for (;;) {
      const pids = this.executorPids();
      if (pids.length > 0) return pids;
      await pause(20);
    }
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  /** Ends it as an operator does. */
  async stop(): Promise<number | null> {
    this.#child.kill("SIGTERM");
    return this.#ended;
  }
}

/** How many of the processes do not end by themselves; they are ended then. */
async function remaining(pids: readonly number[]): Promise<number> {
  const deadline = performance.now() + PATIENCE_MS;
  while (pids.some(isAlive) && performance.now() < deadline) await pause(20);
  const left = pids.filter(isAlive);
  for (const pid of left) end(pid);
  return left.length;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch {
    return false;
  }
}

/** A dead process whose parent has not looked yet. In a container nobody may ever look. */
function isZombie(pid: number): boolean {
  try {
    return execFileSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).startsWith("Z");
  } catch {
    return true;
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself meanwhile.
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
