// Owns one WebSocket of a Node server: what is read of it and when, whether its client is still there, and its end.
// Does not know what is said on it: the session does.
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { SocketLink, SocketSession } from "../hrana/socket-session.ts";
import type { AcceptedSocket } from "./hrana-sockets.ts";

/** Bytes that somebody may send before it is known who it is. */
export const MAX_HELLO_BYTES = 64 * 1024;

const CLOSE_NORMAL = 1000;
const CLOSE_UNSUPPORTED = 1003;
const CLOSE_POLICY = 1008;

/** Bytes of the reason in a close frame. */
const MAX_REASON_BYTES = 123;

/** What an {@link OpenSocket} is made with. */
export interface OpenSocketOptions {
  /** Milliseconds until it must have shown good credentials. */
  readonly helloTimeoutMs: number;
  /** Milliseconds that it may be open with nobody using it. */
  readonly idleMs: number;
  /** Its client has shown good credentials. */
  readonly onGreeted: () => void;
}

/** A WebSocket that is open. */
export class OpenSocket implements SocketLink {
  readonly session: SocketSession;
  readonly #ws: WebSocket;
  readonly #socket: Duplex;
  readonly #options: OpenSocketOptions;
  readonly #helloTimer: ReturnType<typeof setTimeout>;
  #greeted = false;
  #corked = false;
  /** Whether something has been heard since the last look. */
  #alive = true;
  #usedAt = performance.now();
  /** Bytes that the client had not taken at the last look. */
  #unsentBefore = 0;

  constructor(ws: WebSocket, socket: Duplex, accepted: AcceptedSocket, options: OpenSocketOptions) {
    this.#ws = ws;
    this.#socket = socket;
    this.#options = options;
    this.session = accepted.start(this);
    this.#helloTimer = setTimeout(
      () => this.end(CLOSE_POLICY, "Nobody has said hello."),
      options.helloTimeoutMs,
    );
    let strangersBytes = 0;
    const count = (chunk: Uint8Array): void => {
      strangersBytes += chunk.byteLength;
      if (strangersBytes > MAX_HELLO_BYTES) ws.terminate();
    };
    socket.on("data", count);
    ws.on("message", (data, isBinary) => {
      // What comes behind the first message waits until it is known who sends it.
      socket.removeListener("data", count);
      strangersBytes = Number.NEGATIVE_INFINITY;
      this.#alive = true;
      this.#usedAt = performance.now();
      if (isBinary) this.end(CLOSE_UNSUPPORTED, "Messages are text.");
      else this.session.message((data as Buffer).toString());
    });
    ws.on("pong", () => {
      this.#alive = true;
    });
    // It is closed next, with a code that says what was wrong.
    ws.on("error", () => {});
    ws.on("close", () => {
      clearTimeout(this.#helloTimer);
      this.session.closed();
    });
  }

  get unsentBytes(): number {
    return this.#ws.bufferedAmount;
  }

  send(text: string): void {
    if (!this.#greeted && this.session.greeted) {
      this.#greeted = true;
      clearTimeout(this.#helloTimer);
      this.#options.onGreeted();
    }
    if (!this.#corked) {
      // What one callback says leaves together: writing to a socket takes longer than many a statement.
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(this.#uncork);
    }
    this.#ws.send(text, this.#onSent);
  }

  pause(): void {
    this.#ws.pause();
  }

  resume(): void {
    this.#ws.resume();
  }

  close(code: number, reason: string): void {
    // The client's own close has to be read.
    this.#ws.resume();
    this.#ws.close(code, shortened(reason));
  }

  /** Ends it from this side. */
  end(code: number, reason: string): void {
    this.session.end(code, reason);
  }

  /** Ends it without a word. */
  terminate(): void {
    this.#ws.terminate();
  }

  /** Ends it where its client is not there, does not read, or does nothing. Called every now and then. */
  look(): void {
    const unsent = this.unsentBytes;
    const stuck = unsent > 0 && unsent >= this.#unsentBefore && this.#unsentBefore > 0;
    this.#unsentBefore = unsent;
    if (stuck) return this.terminate();
    // While nothing is read, no answer to a ping is either.
    if (this.#ws.isPaused || unsent > 0) return;
    if (!this.#alive) return this.terminate();
    if (this.session.idle && performance.now() - this.#usedAt > this.#options.idleMs) {
      return this.end(CLOSE_NORMAL, "Nobody has used it for long.");
    }
    this.#alive = false;
    this.#ws.ping();
  }

  readonly #uncork = (): void => {
    this.#corked = false;
    this.#socket.uncork();
  };

  readonly #onSent = (): void => {
    if (this.#ws.isPaused) this.session.drained();
  };
}

function shortened(reason: string): string {
  return new TextDecoder()
    .decode(new TextEncoder().encode(reason).subarray(0, MAX_REASON_BYTES))
    .replace(/\uFFFD+$/, "");
}
