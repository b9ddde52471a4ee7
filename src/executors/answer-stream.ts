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
  /** Undefined once it has ended. */
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** What has come, and has not been asked for. */
  readonly #chunks: Uint8Array[] = [];
  /** Whether the reader waits for some. */
  #wanted = false;
  /** Whether nothing more is to come. */
  #complete = false;
  /** Bytes that were taken, and of which the executor does not know yet. */
  #unreported = 0;
  #stall: ReturnType<typeof setTimeout> | undefined;

  constructor(taken: Taken, options: AnswerStreamOptions) {
    this.#taken = taken;
    this.#options = options;
    this.readable = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: (controller) => {
          this.#wanted = true;
          this.#give(controller);
        },
        cancel: () => {
          taken.forget();
          this.#end();
        },
      },
      // What the stream itself would hold would be nobody's: neither taken nor waiting.
      { highWaterMark: 0 },
    );
    this.#watch();
  }

  push(chunk: Uint8Array, last: boolean): void {
    if (!this.#controller) return;
    if (chunk.byteLength > 0) this.#chunks.push(chunk);
    this.#complete = last;
    this.#give(this.#controller);
  }

  fail(error: unknown): void {
    this.#controller?.error(error);
    this.#end();
  }

  /** Gives the reader what it waits for, if that is there. */
  #give(controller: ReadableStreamDefaultController<Uint8Array>): void {
    const chunk = this.#wanted ? this.#chunks.shift() : undefined;
    if (chunk) {
      this.#wanted = false;
      controller.enqueue(chunk);
      this.#report(chunk.byteLength);
    }
    if (!this.#complete || this.#chunks.length > 0) return;
    controller.close();
    this.#end();
  }

  #report(bytes: number): void {
    this.#watch();
    this.#unreported += bytes;
    if (this.#complete || this.#unreported < REPORTED_BYTES) return;
    this.#taken.more(this.#unreported);
    this.#unreported = 0;
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
    if (!this.#controller) return;
    this.#controller = undefined;
    this.#chunks.length = 0;
    clearTimeout(this.#stall);
    this.#options.onEnd();
  }
}
