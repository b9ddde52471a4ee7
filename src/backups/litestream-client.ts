// Owns talking to one Litestream process over its control socket.
// Decides nothing: what an answer means for a tenant is the hot set's business.
import { Agent, request } from "node:http";
import { text } from "node:stream/consumers";
import { litestreamWords } from "./litestream-words.ts";

/** Milliseconds that an answer may take beyond what the call itself may. */
const ANSWER_SLACK_MS = 5_000;
/** Milliseconds of a call that does nothing with the replica. */
const CALL_TIMEOUT_MS = 10_000;

/** Where a database is: here, and in the replica. Litestream numbers transactions from 1. */
export interface SyncAnswer {
  readonly txid: number;
  readonly replicatedTxid: number;
}

/** A database that a process has. */
export interface ListedDatabase {
  readonly path: string;
  /** When its log and the replica last agreed, in milliseconds since 1970; 0 for never. */
  readonly syncedAt: number;
}

/** Litestream says no, or nothing. */
export class LitestreamError extends Error {
  override readonly name = "LitestreamError";
  /** The HTTP status; 0 where there was no answer. */
  readonly status: number;

  constructor(status: number, message: string, cause?: unknown) {
    // A replica's URL may hold a password.
    super(message.replace(/:\/\/[^/@\s]*@/g, "://***@"), cause === undefined ? undefined : { cause });
    this.status = status;
  }
}

/** The control socket of one process. Every call rejects with a {@link LitestreamError}. */
export class LitestreamClient {
  readonly #socketPath: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** What the process says of itself. */
  async info(): Promise<{ readonly pid: number; readonly version: string }> {
    return (await this.#call("GET", "/info", undefined, CALL_TIMEOUT_MS)) as { pid: number; version: string };
  }

  /** The databases that it has. */
  async list(): Promise<ListedDatabase[]> {
    const { databases } = (await this.#call("GET", "/list", undefined, CALL_TIMEOUT_MS)) as {
      databases: { path: string; last_sync_at?: string }[];
    };
    return databases.map(({ path, last_sync_at: at }) => ({ path, syncedAt: at ? Date.parse(at) : 0 }));
  }

  /** Gives it a database. A changed URL of one that it has is not taken: {@link unregister} first. */
  async register(path: string, replicaUrl: string): Promise<void> {
    await this.#call("POST", "/register", { path, replica_url: replicaUrl }, CALL_TIMEOUT_MS);
  }

  /**
   * Takes a database away. It is gone from the process whatever the answer is: a rejection says that its last
   * transactions may not be in the replica.
   */
  async unregister(path: string, timeoutMs: number): Promise<void> {
    await this.#call("POST", "/unregister", { path, timeout: seconds(timeoutMs) }, timeoutMs);
  }

  /** Brings what is committed now into the replica. */
  async sync(path: string, timeoutMs: number): Promise<SyncAnswer> {
    const body = { path, wait: true, timeout: seconds(timeoutMs) };
    const answer = (await this.#call("POST", "/sync", body, timeoutMs)) as {
      txid: number;
      replicated_txid: number;
    };
    return { txid: answer.txid, replicatedTxid: answer.replicated_txid };
  }

  close(): void {
    this.#agent.destroy();
  }

  async #call(method: string, path: string, body: object | undefined, timeoutMs: number): Promise<unknown> {
    const { status, answer } = await this.#send(method, path, body, timeoutMs + ANSWER_SLACK_MS);
    let value: unknown;
    try {
      value = JSON.parse(answer);
    } catch (error) {
      throw new LitestreamError(status, `Litestream answered ${path} with ${status} and no JSON.`, error);
    }
    if (status === 200) return value;
    const { error } = value as { error?: unknown };
    throw new LitestreamError(
      status,
      `Litestream answered ${path} with ${status}: ${litestreamWords(String(error))}`,
    );
  }

  #send(
    method: string,
    path: string,
    body: object | undefined,
    timeoutMs: number,
  ): Promise<{ readonly status: number; readonly answer: string }> {
    return new Promise((resolve, reject) => {
      const failed = (error: unknown): void =>
        reject(new LitestreamError(0, `Litestream did not answer ${path}: ${String(error)}`, error));
      const sent = request(
        {
          socketPath: this.#socketPath,
          agent: this.#agent,
          method,
          path,
          headers: { "content-type": "application/json" },
          signal: AbortSignal.timeout(Math.ceil(timeoutMs)),
        },
        (response) =>
          void text(response).then((answer) => resolve({ status: response.statusCode ?? 0, answer }), failed),
      );
      sent.on("error", failed);
      sent.end(body && JSON.stringify(body));
    });
  }
}

/** Litestream takes whole seconds, and takes none for its own 30. */
function seconds(ms: number): number {
  return Math.max(1, Math.round(ms / 1000));
}
