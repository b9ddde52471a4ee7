// Owns sending answers in pieces, no faster than their receivers take them.
// Does not know what is in them.
import type { LightAnswer } from "./light-http.ts";
import type { Say } from "./messages.ts";

/**
 * Bytes of an answer that travel unasked; the rest waits until the receiver has taken some, and until whatever the
 * executor is busy with then has ended.
 */
export const ANSWER_WINDOW_BYTES = 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;

const NO_BYTES = new Uint8Array();

/** Sends answers. What fits into the window leaves as one frame. */
export class AnswerSender {
  readonly #say: (message: Say, body: string | Uint8Array) => void;
  /** Of each answer under way: bytes that may leave, and who waits for more. */
  readonly #windows = new Map<number, { bytes: number; wake: () => void }>();

  constructor(say: (message: Say, body: string | Uint8Array) => void) {
    this.#say = say;
  }

  async send(job: number, { status, headers, body }: LightAnswer): Promise<void> {
    if (body instanceof ReadableStream) return this.#sendStream(job, status, headers, body);
    // A character is one byte at least: a longer text cannot fit, and need not be measured.
    if (body.length <= CHUNK_BYTES) return this.#say(["http", job, status, headers, true], body);
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    const window = { bytes: ANSWER_WINDOW_BYTES, wake: (): void => {} };
    this.#windows.set(job, window);
    this.#say(["http", job, status, { ...headers, "content-length": String(bytes.byteLength) }, false], "");
    try {
      for (let at = 0; at < bytes.byteLength; at += CHUNK_BYTES) {
        const chunk = bytes.subarray(at, at + CHUNK_BYTES);
        while (window.bytes < chunk.byteLength) {
          const { promise, resolve } = Promise.withResolvers<void>();
          window.wake = resolve;
          await promise;
        }
        if (!this.#windows.has(job)) return;
        window.bytes -= chunk.byteLength;
        this.#say(["chunk", job, at + CHUNK_BYTES >= bytes.byteLength], chunk);
      }
    } finally {
      this.#windows.delete(job);
    }
  }

  /** Sends a body whose parts come one after another, asked for as the receiver takes them. */
  async #sendStream(
    job: number,
    status: number,
    headers: Readonly<Record<string, string>>,
    body: ReadableStream<Uint8Array>,
  ): Promise<void> {
    const window = { bytes: ANSWER_WINDOW_BYTES, wake: (): void => {} };
    this.#windows.set(job, window);
    this.#say(["http", job, status, headers, false], "");
    const reader = body.getReader();
    try {
      // What it is told of while it waits, it finds out when it looks.
      while (this.#windows.has(job)) {
        while (window.bytes <= 0) {
          const { promise, resolve } = Promise.withResolvers<void>();
          window.wake = resolve;
          await promise;
        }
        const { done, value } = await reader.read();
        if (!this.#windows.has(job)) return;
        if (done) return this.#say(["chunk", job, true], NO_BYTES);
        window.bytes -= value.byteLength;
        for (let at = 0; at < value.byteLength; at += CHUNK_BYTES) {
          this.#say(["chunk", job, false], value.subarray(at, at + CHUNK_BYTES));
        }
      }
    } finally {
      this.#windows.delete(job);
      // Whoever makes the parts need not go on for nobody. After the last there is nothing to end.
      await reader.cancel().catch(() => {});
    }
  }

  /** The receiver has taken that many bytes. */
  more(job: number, bytes: number): void {
    const window = this.#windows.get(job);
    if (!window) return;
    window.bytes += bytes;
    window.wake();
  }

  /** The receiver has gone. */
  forget(job: number): void {
    const window = this.#windows.get(job);
    if (!window) return;
    this.#windows.delete(job);
    window.bytes = Number.POSITIVE_INFINITY;
    window.wake();
  }
}
