// Owns asking the server that replicates a data folder, from any process on that folder, to bring a tenant's
// writes into the replica: a socket that only this user can open, and a note in the folder that says where.
import { createServer, request, type Server } from "node:http";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json, text } from "node:stream/consumers";
import { parseTenantId, type TenantId } from "../tenant-id.ts";

/** Milliseconds that a report may take. */
const REPORT_TIMEOUT_MS = 5_000;

/** Milliseconds of an answer beyond those. */
const ANSWER_SLACK_MS = 1_000;

/** Where the note is, in the data folder. */
const NOTE = "replication.json";

/** When a server acknowledges a write: the option `durability` of `createTenantry()`. */
export type Durability = "normal" | "full" | "replicated";

/** What the gate's other side does. */
export interface GateKeeper {
  /** Brings what is committed of a tenant into the replica, within `timeoutMs`, and gives its number there. */
  replicated(id: TenantId, timeoutMs: number): Promise<number>;
  /** How the replication stands, as JSON can say it. */
  report(): unknown;
}

/** What answers the other processes. */
export class ReplicationGate {
  readonly #server: Server;
  readonly #dir: string;
  readonly #note: string;

  /** Opens the gate of a data folder. */
  static async open(dataDir: string, keeper: GateKeeper, durability: Durability): Promise<ReplicationGate> {
    // Not in the data folder: a socket's path is short.
    const dir = await mkdtemp(join(tmpdir(), "tenantry-gate-"));
    const socketPath = join(dir, "s");
    const server = createServer((asked, answer) => {
      const work = async (): Promise<unknown> => {
        if (asked.url === "/report") return keeper.report();
        const { tenant, timeoutMs } = (await json(asked)) as { tenant: string; timeoutMs: number };
        return { txid: await keeper.replicated(parseTenantId(tenant), timeoutMs) };
      };
      work().then(
        (value) => answer.end(JSON.stringify(value)),
        (error: unknown) => answer.writeHead(503).end(error instanceof Error ? error.message : String(error)),
      );
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(socketPath, resolve);
    });
    server.unref();
    const note = join(dataDir, NOTE);
    await writeFile(`${note}.${process.pid}`, JSON.stringify({ socketPath, pid: process.pid, durability }), {
      mode: 0o600,
    });
    await rename(`${note}.${process.pid}`, note);
    return new ReplicationGate(server, dir, note);
  }

  /** Use {@link ReplicationGate.open}. */
  private constructor(server: Server, dir: string, note: string) {
    this.#server = server;
    this.#dir = dir;
    this.#note = note;
  }

  async close(): Promise<void> {
    await rm(this.#note, { force: true });
    this.#server.close();
    this.#server.closeAllConnections();
    await rm(this.#dir, { recursive: true, force: true });
  }
}

/**
 * Brings what is committed of a tenant into the replica, and gives its number there.
 * @throws where no server could do it in `timeoutMs`
 */
export async function askReplicated(dataDir: string, id: TenantId, timeoutMs: number): Promise<number> {
  const answer = await ask(dataDir, "/replicated", { tenant: id, timeoutMs }, timeoutMs);
  return (answer as { txid: number }).txid;
}

/** What the server that replicates a data folder reports; undefined where there is none. */
export async function askReport(dataDir: string): Promise<unknown> {
  try {
    return await ask(dataDir, "/report", {}, REPORT_TIMEOUT_MS);
  } catch (error) {
    // No note, or the note of a server that has been killed.
    if (isNoServer(error)) return undefined;
    throw error;
  }
}

/** The rule of the server that replicates a data folder; undefined where there is none. A server that hangs has one. */
export async function durabilityOfServer(dataDir: string): Promise<Durability | undefined> {
  try {
    const { pid, durability } = await readNote(dataDir);
    // The note of a server that has been killed is still there.
    process.kill(pid, 0);
    return durability;
  } catch (error) {
    if (isNoServer(error)) return undefined;
    throw error;
  }
}

const ABSENT: ReadonlySet<string> = new Set(["ENOENT", "ECONNREFUSED", "ESRCH"]);

/** Whether nobody replicates the folder: there is no note, or it is that of a server that has been killed. */
export function isNoServer(error: unknown): boolean {
  return error instanceof Error && "code" in error && ABSENT.has(String(error.code));
}

interface NoteText {
  readonly socketPath: string;
  readonly pid: number;
  readonly durability: Durability;
}

async function readNote(dataDir: string): Promise<NoteText> {
  return JSON.parse(await readFile(join(dataDir, NOTE), "utf8")) as NoteText;
}

async function ask(dataDir: string, path: string, body: object, timeoutMs: number): Promise<unknown> {
  // Read each time: the server may be another by now.
  const { socketPath } = await readNote(dataDir);
  const signal = AbortSignal.timeout(Math.ceil(timeoutMs) + ANSWER_SLACK_MS);
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method: "POST", path, agent: false, signal }, (answer) => {
      if (answer.statusCode === 200) void json(answer).then(resolve, reject);
      else void text(answer).then((why) => reject(new Error(why)), reject);
    });
    sent.on("error", reject);
    sent.end(JSON.stringify(body));
  });
}
