// Owns the load of a kill run: many tenants' reads and writes of every kind, and what became of each write.
// Knows nothing of processes.
import { randomUUID } from "node:crypto";
import { Agent, request } from "node:http";

/** A write, and what its caller was told. */
export interface Write {
  readonly op: string;
  /** Rows that it makes, all or none. */
  readonly parts: number;
  /** `refused`: told that nothing of it was done. */
  outcome: "acknowledged" | "refused" | "unknown";
}

/** What a load is made with. */
export interface KillLoadOptions {
  readonly url: string;
  readonly tenants: readonly string[];
  readonly clients: number;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Codes of answers that promise that nothing was done. */
const REFUSED: ReadonlySet<string> = new Set([
  "OVERLOADED",
  "EXECUTOR_FAILED",
  "TENANT_THROTTLED",
  "TOO_MANY_REQUESTS",
  "CACHE_EXHAUSTED",
  "DATABASE_BUSY",
  "CLOSED",
]);
/** Codes of answers after which nobody knows. */
const UNKNOWN: ReadonlySet<string> = new Set(["OUTCOME_UNKNOWN", "STATEMENT_TIMEOUT"]);
const PAUSE_MS = 50;
const HOSTILE = "hostile";
const ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

/** Clients that write and read until they are stopped. */
export class KillLoad {
  readonly writes: Write[] = [];
  readonly unexpected: string[] = [];
  /** How often each answer came: codes of errors, "200" and its like, "none" where the connection broke. */
  readonly answers = new Map<string, number>();
  readonly #options: KillLoadOptions;
  readonly #agent = new Agent({ keepAlive: true });
  #clients: Promise<unknown> | undefined;
  #stopping = false;

  constructor(options: KillLoadOptions) {
    this.#options = options;
  }

  /** Makes the tenants. */
  async createTenants(): Promise<void> {
    for (const id of [...this.#options.tenants, HOSTILE]) {
      const { status, body } = await this.#send("POST", "/admin/tenants", { id });
      if (status !== 201) throw new Error(body);
    }
  }

  start(): void {
    const clients = Array.from({ length: this.#options.clients }, () => this.#client());
    this.#clients = Promise.all([...clients, this.#hostileClient()]);
  }

  /** Lets each client end what it does, as far as the server answers. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#clients;
    this.#agent.destroy();
  }

  async #client(): Promise<void> {
    while (!this.#stopping) {
      const { tenants } = this.#options;
      const tenant = tenants[Math.floor(Math.random() * tenants.length)]!;
      const kind = Math.random();
      if (kind < 0.4) await this.#read(tenant);
      else await this.#write(tenant, kind);
    }
  }

  /** One who is in everybody's way, now and then. */
  async #hostileClient(): Promise<void> {
    while (!this.#stopping) {
      await this.#try("POST", `/t/${HOSTILE}/query`, { sql: ENDLESS }, { "x-timeout-ms": "300" });
      await pause(2_000);
    }
  }

  async #read(tenant: string): Promise<void> {
    const path = Math.random() < 0.5 ? `/t/${tenant}/rest/writes?limit=20&order=id.desc` : undefined;
    const answer = path
      ? await this.#try("GET", path)
      : await this.#try("POST", `/t/${tenant}/query`, { sql: "SELECT count(*) AS n FROM writes" });
    if (!answer) return pause(PAUSE_MS);
    if (answer.status === 200) return;
    const code = codeOf(answer);
    // A read has no outcome to be unknown; a disk that is slow for seconds can make it too late.
    if (!REFUSED.has(code) && code !== "STATEMENT_TIMEOUT")
      this.unexpected.push(`a read: ${answer.status} ${answer.body}`);
    await pause(PAUSE_MS);
  }

  async #write(tenant: string, kind: number): Promise<void> {
    const op = randomUUID();
    const parts = kind < 0.75 ? 1 : 3;
    const keyed = Math.random() < 0.5;
    const write: Write = { op, parts, outcome: "unknown" };
    this.writes.push(write);
    const [path, body] = requestOf(op, parts, kind);
    const headers: Record<string, string> = keyed ? { "idempotency-key": op } : {};
    for (let tried = 0; ; tried++) {
      const answer = await this.#try("POST", `/t/${tenant}${path}`, body, headers);
      if (answer && answer.status < 300) {
        write.outcome = "acknowledged";
        return;
      }
      const code = answer ? codeOf(answer) : "OUTCOME_UNKNOWN";
      if (!REFUSED.has(code) && !UNKNOWN.has(code)) {
        this.unexpected.push(`a write: ${answer?.status} ${answer?.body}`);
        return;
      }
      // A refusal after a try that may have been done says nothing about that one; and what is safe to send again
      // may have been done by an executor that was lost, before there was none.
      write.outcome = tried === 0 && REFUSED.has(code) && !keyed ? "refused" : "unknown";
      await pause(PAUSE_MS);
      if (!keyed || this.#stopping) return;
    }
  }

  /** An answer; undefined where there was none, as when the server is killed. */
  async #try(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer | undefined> {
    try {
      const answer = await this.#send(method, path, body, headers);
      this.#count(answer.status < 300 ? String(answer.status) : codeOf(answer));
      return answer;
    } catch {
      this.#count("none");
      return undefined;
    }
  }

  #count(answer: string): void {
    this.answers.set(answer, (this.answers.get(answer) ?? 0) + 1);
  }

  #send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const text = body === undefined ? "" : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const asking = request(
        this.#options.url + path,
        {
          agent: this.#agent,
          method,
          headers: {
            ...headers,
            ...(text && { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
          },
        },
        (incoming) => {
          let said = "";
          incoming.setEncoding("utf8");
          incoming.on("data", (chunk: string) => (said += chunk));
          incoming.on("error", reject);
          incoming.on("end", () => {
            if (incoming.complete) resolve({ status: incoming.statusCode ?? 0, body: said });
            else reject(new Error("The answer was broken off."));
          });
        },
      );
      asking.on("error", reject);
      asking.end(text);
    });
  }
}

function requestOf(op: string, parts: number, kind: number): [path: string, body: unknown] {
  const rows = Array.from({ length: parts }, (_, part) => ({ op, part }));
  if (kind < 0.5) return ["/rest/writes", rows];
  const statements = rows.map(({ part }) => ({
    sql: "INSERT INTO writes (op, part) VALUES (?, ?)",
    params: [op, part],
  }));
  return parts === 1 ? ["/query", statements[0]] : ["/batch", statements];
}

function codeOf({ body }: Answer): string {
  try {
    return (JSON.parse(body) as { code: string }).code;
  } catch {
    return "";
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
