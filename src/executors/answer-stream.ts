// Owns the rest of a large answer on its way to its reader: asked for as fast as it is taken, and dropped when nobody
// takes it. The executor's side is answer-sender.ts.
import { MAX_TIMER_MS } from "../fifo-lock.ts";
import { TenantryError } from "../tenantry-error.ts";
import { ANSWER_WINDOW_BYTES } from "./answer-sender.ts";
import type { Taken } from "./job.ts";

/** Bytes that are taken until the executor is told: it has as many again to send meanwhile. */
const REPORTED_BYTES = ANSWER_WINDOW_BYTES / 2;

/** How an {@link AnswerStream} ends. */
export interface AnswerStreamOptions {
  /** Milliseconds in which the reader must take something. */
  readonly stallMs: number;
  /** The stream has ended, one way or another. Called once. */
  readonly onEnd: () => void;
}

/** The rest of an answer. */
export class AnswerStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly #taken: Taken;
  readonly #options: AnswerStreamOptions;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #received = 0;
  #consumed = 0;
  #reported = 0;
  #stall: ReturnType<typeof setTimeout> | undefined;
  #allHere = false;

  constructor(taken: Taken, options: AnswerStreamOptions) {
    this.#taken = taken;
    this.#options = options;
    this.readable = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: ({ desiredSize }) => this.#report(desiredSize ?? 0),
        cancel: () => {
          taken.forget();
          this.#end();
        },
      },
      new ByteLengthQueuingStrategy({ highWaterMark: ANSWER_WINDOW_BYTES }),
    );
    this.#watch();
  }

  push(chunk: Uint8Array, last: boolean): void {
    if (!this.#controller) return;
    this.#received += chunk.byteLength;
    if (chunk.byteLength > 0) this.#controller.enqueue(chunk);
    if (!last) return;
    this.#controller.close();
    this.#end();
  }

  fail(error: unknown): void {
    this.#controller?.error(error);
    this.#end();
  }

  #report(desiredSize: number): void {
    const consumed = this.#received - (ANSWER_WINDOW_BYTES - desiredSize);
    if (consumed <= this.#consumed) return;
    this.#consumed = consumed;
    this.#watch();
    if (consumed - this.#reported < REPORTED_BYTES) return;
    this.#taken.more(consumed - this.#reported);
    this.#reported = consumed;
  }

  #watch(): void {
    clearTimeout(this.#stall);
    this.#stall = setTimeout(
      () => {
        this.#taken.forget();
        this.fail(new TenantryError("CLOSED", "The answer was not read."));
      },
      Math.min(this.#options.stallMs, MAX_TIMER_MS),
    );
  }

  #end(): void {
    if (this.#allHere) return;
    this.#allHere = true;
    this.#controller = undefined;
    clearTimeout(this.#stall);
    this.#options.onEnd();
  }
}
