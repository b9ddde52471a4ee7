// Owns the sockets' streams that an executor has: one stays here while its transaction is open, and no longer.
// Runs nothing itself.
import type { CalledStream, StreamHost } from "./stream-host.ts";
import { cursorBody } from "./cursor-body.ts";
import { printError, shownError } from "./shown-error.ts";
import type { LightAnswer } from "../executors/light-http.ts";
import { type StreamAsk, STREAM_OPEN } from "../executors/messages.ts";

/** Streams by the numbers that the main process gave them. */
export class ExecutorStreams {
  readonly #host: StreamHost;
  readonly #streams = new Map<number, CalledStream>();

  constructor(host: StreamHost) {
    this.#host = host;
  }

  /** Whether transactions are open. */
  get busy(): boolean {
    return this.#streams.size > 0;
  }

  /** Answers a request. @throws {TenantryError} what ends its stream */
  async answer(ask: StreamAsk, body: string): Promise<LightAnswer> {
    const number = ask.stream;
    const stream = this.#streams.get(number) ?? this.#host();
    // From now on it can be closed.
    this.#streams.set(number, stream);
    const rest = (): boolean => {
      if (stream.open) return false;
      if (this.#streams.get(number) === stream) this.#streams.delete(number);
      return true;
    };
    try {
      const request: unknown = JSON.parse(body);
      if (!ask.cursor) {
        const text = await stream.run(ask, request);
        return { status: 200, headers: rest() ? {} : { [STREAM_OPEN]: "" }, body: text };
      }
      const entries = await stream.cursor(ask, request);
      return {
        status: 200,
        headers: {},
        body: cursorBody(entries, {
          before: "",
          after: () => (rest() ? "" : `${STREAM_OPEN}\n`),
          shown: (error) => {
            rest();
            return shownError({ method: "cursor", path: ask.tenant }, error, printError);
          },
        }),
      };
    } catch (error) {
      rest();
      throw error;
    }
  }

  /** Ends a stream, also while it is asked something. */
  close(number: number): void {
    const stream = this.#streams.get(number);
    this.#streams.delete(number);
    stream?.close();
  }
}
