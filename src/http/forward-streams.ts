// Owns streams whose statements run in executors: where the next request of each has to go.
// Does not know what is asked.
import type { ExecutorPool, PooledAnswer } from "../executors/executor-pool.ts";
import type { Pin } from "../executors/job.ts";
import { STREAM_OPEN } from "../executors/messages.ts";
import type { EntryReader } from "../hrana/hosted-stream.ts";
import { StatementError } from "../hrana/hrana-error.ts";
import { parseStreamRequest } from "../hrana/stream-request.ts";
import { inspectStatement } from "../sql/inspect-statement.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import type { CalledStream, StreamCaller, StreamHost } from "./stream-host.ts";

type ResponseBody = ConstructorParameters<typeof Response>[0];

/** Makes streams whose statements run in the executors of `pool`. */
export function forwardedStreams(pool: ExecutorPool): StreamHost {
  let number = 0;
  return () => new ForwardedStream(pool, ++number);
}

/** It belongs to an executor only while its transaction is open: otherwise nothing of it is there. */
class ForwardedStream implements CalledStream {
  readonly #pool: ExecutorPool;
  readonly #number: number;
  /** Where its transaction is open. */
  #pin: Pin | undefined;
  /** Where its request is. */
  #asked: Pin | undefined;
  #closed = false;

  constructor(pool: ExecutorPool, number: number) {
    this.#pool = pool;
    this.#number = number;
  }

  get open(): boolean {
    return this.#pin !== undefined;
  }

  async run(caller: StreamCaller, request: unknown): Promise<string | Uint8Array> {
    try {
      const { headers, body, pin } = await this.#ask(caller, request, false);
      const text = body instanceof ReadableStream ? await new Response(body as ResponseBody).text() : body;
      this.#stays(headers[STREAM_OPEN] === undefined ? undefined : pin);
      return text;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  async cursor(caller: StreamCaller, batch: unknown): Promise<EntryReader> {
    try {
      const { body, pin } = await this.#ask(caller, batch, true);
      // Until its last line says that no transaction is open, one may be.
      this.#stays(pin);
      return new LineReader(body, () => this.#stays(undefined));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    this.#closed = true;
    const pin = this.#pin ?? this.#asked;
    this.#pin = this.#asked = undefined;
    pin?.executor.follow(["close_stream", 0, this.#number]);
  }

  async #ask(caller: StreamCaller, request: unknown, cursor: boolean): Promise<PooledAnswer> {
    if (this.#closed) throw new StatementError("STREAM_CLOSED", "The stream was closed");
    const pin = this.#pin;
    if (pin?.executor.ended) throw lost();
    const { tenant, incarnation, scope, timeoutMs } = caller;
    const ask = { stream: this.#number, tenant, incarnation, scope, timeoutMs: null, cursor };
    return this.#pool.stream(ask, JSON.stringify(request), {
      timeoutMs: timeoutMs ?? this.#pool.statementTimeoutMs,
      repeatable: () => pin === undefined && !cursor && onlyReads(request),
      pin,
      onGiven: (given) => {
        this.#asked = given;
      },
    });
  }

  #stays(pin: Pin | undefined): void {
    this.#asked = undefined;
    if (!this.#closed) this.#pin = pin;
    else pin?.executor.follow(["close_stream", 0, this.#number]);
  }
}

function lost(): TenantryError {
  return new TenantryError(
    "STREAM_EXPIRED",
    "The process that held the transaction ended, and it was rolled back.",
    { hint: "Open a new stream, and begin the transaction again.", retryAfterSeconds: 1 },
  );
}

/** Whether a request may be run again without anybody noticing. */
function onlyReads(request: unknown): boolean {
  try {
    const parsed = parseStreamRequest(request);
    return (
      parsed.type === "execute" &&
      typeof parsed.stmt.sql === "string" &&
      inspectStatement(parsed.stmt.sql).kind === "read"
    );
  } catch (error) {
    // What cannot be read was refused already, or will be.
    if (isTenantryError(error)) return false;
    throw error;
  }
}

/** Reads lines as they come. */
class LineReader implements EntryReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  readonly #onRest: () => void;
  #begun = "";
  #open = false;

  /** @param onRest told at the end where no transaction is open */
  constructor(body: PooledAnswer["body"], onRest: () => void) {
    this.#reader = (
      body instanceof ReadableStream
        ? body
        : (new Response(body as ResponseBody).body as ReadableStream<Uint8Array>)
    ).getReader();
    this.#onRest = onRest;
  }

  async next(): Promise<readonly string[] | undefined> {
    for (;;) {
      const { value, done } = await this.#reader.read();
      if (done) {
        if (!this.#open) this.#onRest();
        return undefined;
      }
      const lines = (this.#begun + this.#decoder.decode(value, { stream: true })).split("\n");
      this.#begun = lines.pop() as string;
      if (lines.at(-1) === STREAM_OPEN) {
        this.#open = true;
        lines.pop();
      }
      if (lines.length > 0) return lines;
    }
  }

  /** Its stream counts as open then: nobody has said that it is not. */
  close(): void {
    // Whoever closes it wants nothing more of it, and nobody is left to be told.
    this.#reader.cancel().catch(() => {});
  }
}
