// Owns that nothing acknowledged is lost when Litestream is killed, or the server, or both machines' worth of it:
// the replica, elsewhere, has every write of a tenant that is clean, and of a replicated one at any moment.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished } from "vitest";
import { findLitestream } from "../src/backups/litestream-binary.ts";
import type { TenantRecord } from "../src/catalog/index.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import type { Tenantry } from "../src/tenantry.ts";
import {
  replicatedTenantry,
  restoredNotes,
  scratchFolder,
  until,
  withLitestream,
} from "./backups-litestream.ts";
import { writeFile, mkdir } from "node:fs/promises";

const CLI = join(import.meta.dirname, "../src/cli.ts");
const TENANTS = ["acme", "globex", "initech", "umbrella"];
const LAST_PAUSE_MS = 40;

const recordOf = async (tenantry: Tenantry, name: string): Promise<TenantRecord> => {
  const record = await tenantry.catalog.get(parseTenantId(name), { fresh: true });
  if (!record) throw new Error(`There is no ${name}.`);
  return record;
};

withLitestream(
  "Litestream is killed again and again while tenants are written to: all of it is in the replica",
  async () => {
    const dir = await scratchFolder();
    const tenantry = await replicatedTenantry(dir);
    const backups = await tenantry.backups({ pollMs: 20, settleIdleMs: 300 });
    const ids = TENANTS.map(parseTenantId);
    for (const id of ids) await tenantry.lifecycle.create(id);
    const written = new Map<string, string[]>(TENANTS.map((name) => [name, []]));
    for (let kill = 0; kill < 6; kill++) {
      const [pid] = await until("Litestream runs", () => {
        const { pids } = backups.status();
        return pids.length > 0 && pids;
      });
      for (let n = 0; n < 10; n++) {
        for (const name of TENANTS) {
          const body = `${kill}.${n}`;
          await tenantry.database(name).prepare("INSERT INTO notes (body) VALUES (?)").bind(body).run();
          written.get(name)?.push(body);
        }
        // At another point of its work each time.
        await new Promise((resolve) => void setTimeout(resolve, kill * 10));
      }
      if (pid !== undefined) process.kill(pid, "SIGKILL");
      await until("it was started again", () => backups.status().restarts > kill);
    }
    for (const name of TENANTS) {
      const clean = await until(`${name} is clean`, async () => {
        const record = await recordOf(tenantry, name);
        return record.backupState === "clean" && record;
      });
      expect(await restoredNotes(dir, clean), name).toEqual(written.get(name));
    }
  },
);

interface Server {
  readonly url: string;
  readonly process: ChildProcess;
}

/** A server process with executors, as it is started in earnest. */
async function serve(dir: string, ...more: string[]): Promise<Server> {
  const { path } = await findLitestream();
  const child = spawn(
    process.execPath,
    [
      CLI,
      "serve",
      "--json",
      "--port",
      "0",
      "--executors",
      "2",
      "--max-open",
      "4",
      "--log-level",
      "silent",
      ...more,
    ],
    {
      cwd: dir,
      env: {
        PATH: process.env["PATH"],
        NODE_NO_WARNINGS: "1",
        LITESTREAM_BIN: path,
        TENANTRY_DATA: join(dir, "data"),
        TENANTRY_MIGRATIONS: join(dir, "migrations"),
        TENANTRY_REPLICA: `file://${join(dir, "replica")}`,
      },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const [line] = (await once(lines, "line")) as [string];
  return { url: (JSON.parse(line) as { url: string }).url, process: child };
}

async function post(url: string, path: string, body: object): Promise<Response> {
  return fetch(`${url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

/** The processes of Litestream that replicate a folder. */
async function litestreamsOf(dir: string): Promise<number[]> {
  const { askReport } = await import("../src/backups/replication-gate.ts");
  const report = (await askReport(join(dir, "data"))) as { status: { pids: number[] } } | undefined;
  return report?.status.pids ?? [];
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

for (const durability of ["replicated", "normal"] as const) {
  withLitestream(
    `a server with durability ${durability} is killed in the middle of writes and evictions`,
    async () => {
      const dir = await scratchFolder();
      await mkdir(join(dir, "migrations"));
      const sql = "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT)";
      await writeFile(join(dir, "migrations", "0001_notes.sql"), sql);
      const server = await serve(dir, "--durability", durability);
      for (const id of TENANTS) expect((await post(server.url, "/admin/tenants", { id })).status).toBe(201);
      const acknowledged = new Map<string, string[]>(TENANTS.map((name) => [name, []]));
      const now = { killed: false };
      const writer = async (name: string): Promise<void> => {
        for (let n = 0; !now.killed; n++) {
          const body = { sql: "INSERT INTO notes (body) VALUES (?)", params: [String(n)] };
          const answer = await post(server.url, `/t/${name}/query`, body).catch(() => undefined);
          if (answer?.status === 200) acknowledged.get(name)?.push(String(n));
          else if (!now.killed) expect(answer?.status).toBe(200);
          await new Promise((resolve) => void setTimeout(resolve, LAST_PAUSE_MS * Math.random()));
        }
      };
      const writers = TENANTS.map(writer);
      await until("there were enough writes", () =>
        [...acknowledged.values()].every(({ length }) => length >= 15),
      );
      const pids = await until("Litestream runs", async () => {
        const found = await litestreamsOf(dir);
        return found.length > 0 && found;
      });
      now.killed = true;
      server.process.kill("SIGKILL");
      await Promise.all(writers);
      await until("Litestream has ended with it", () => !pids.some(isAlive));

      if (durability === "replicated") {
        // Elsewhere, of the replica alone.
        const elsewhere = await replicatedTenantry(dir, { data: join(dir, "data"), replica: undefined });
        for (const name of TENANTS) {
          const notes = await restoredNotes(dir, await recordOf(elsewhere, name));
          expect(notes, name).toEqual(expect.arrayContaining(acknowledged.get(name) ?? []));
        }
        await elsewhere.close();
      }
      // The next server brings what the last one had not sent.
      const next = await replicatedTenantry(dir);
      for (const name of TENANTS) {
        const { backupState } = await recordOf(next, name);
        const has = await next.database(name).prepare("SELECT body FROM notes ORDER BY id").raw<[string]>();
        if (backupState !== "clean") continue;
        expect(await restoredNotes(dir, await recordOf(next, name)), name).toEqual(has.map(([body]) => body));
      }
      await next.backups({ pollMs: 20, settleIdleMs: 0 });
      for (const name of TENANTS) {
        const clean = await until(`${name} is clean`, async () => {
          const record = await recordOf(next, name);
          return record.backupState === "clean" && record;
        });
        const has = await next.database(name).prepare("SELECT body FROM notes ORDER BY id").raw<[string]>();
        const notes = has.map(([body]) => body);
        expect(notes, name).toEqual(expect.arrayContaining(acknowledged.get(name) ?? []));
        expect(await restoredNotes(dir, clean), name).toEqual(notes);
      }
    },
  );
}
