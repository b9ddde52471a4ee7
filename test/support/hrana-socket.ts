// Owns a WebSocket on which the tests speak Hrana by hand.
// Sends no message that a client could not.
import { onTestFinished } from "vitest";
import { WebSocket } from "ws";
import type { RunningTestServer } from "./running-server.ts";

/** What is looked at in a message. */
type Json = any; // oxlint-disable-line typescript/no-explicit-any -- every test looks for something else

/** How a socket is opened. */
export interface HranaSocketOptions {
  /** @default "/t/acme/" */
  readonly path?: string;
  /** @default ["hrana3"] */
  readonly protocols?: readonly string[];
  readonly headers?: Record<string, string>;
}

/** How a socket ended. */
export interface SocketEnd {
  readonly code: number;
  readonly reason: string;
}

/** A request to become a WebSocket that was answered with something else. */
export class Refused extends Error {
  readonly status: number;
  readonly body: Json;

  constructor(status: number, body: Json) {
    super(`refused with ${status}`);
    this.status = status;
    this.body = body;
  }
}

/** An open WebSocket; it is closed when the test ends. */
export class HranaSocket {
  readonly ws: WebSocket;
  /** Every message that has come and was not an answer to {@link request}. */
  readonly others: Json[] = [];
  readonly ended: Promise<SocketEnd>;
  readonly #waiting = new Map<number, (message: Json) => void>();
  #onOther: ((message: Json) => void) | undefined;
  #lastId = 0;

  private constructor(ws: WebSocket) {
    this.ws = ws;
    ws.on("message", (data) => {
      const message = JSON.parse(String(data)) as Json;
      const waiting = this.#waiting.get(message.request_id);
      this.#waiting.delete(message.request_id);
      if (waiting) return waiting(message);
      this.others.push(message);
      this.#onOther?.(message);
    });
    this.ended = new Promise((resolve) => {
      ws.on("close", (code, reason) => resolve({ code, reason: String(reason) }));
    });
  }

  /** Opens one, without a hello. @throws {Refused} */
  static async open(
    { port }: RunningTestServer,
    { path = "/t/acme/", protocols = ["hrana3"], headers = {} }: HranaSocketOptions = {},
  ): Promise<HranaSocket> {
    const ws = new WebSocket(`ws://127.0.0.1:${port}${path}`, [...protocols], { headers });
    const socket = new HranaSocket(ws);
    onTestFinished(() => ws.terminate());
    await new Promise<void>((resolve, reject) => {
      ws.on("open", resolve);
      ws.on("error", reject);
      ws.on("unexpected-response", (_request, response) => {
        let text = "";
        response.on("data", (chunk) => (text += String(chunk)));
        response.on("end", () => reject(new Refused(response.statusCode ?? 0, JSON.parse(text))));
      });
    });
    return socket;
  }

  /** Opens one, and says hello. */
  static async greeted(
    server: RunningTestServer,
    options: HranaSocketOptions & { readonly jwt?: string } = {},
  ): Promise<HranaSocket> {
    const socket = await HranaSocket.open(server, options);
    const answer = await socket.hello(options.jwt ?? null);
    if (answer.type !== "hello_ok") throw new Error(JSON.stringify(answer));
    return socket;
  }

  /** Sends a message as JSON, or text as it is. */
  send(message: unknown): void {
    this.ws.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** Says hello, and gives the answer. */
  hello(jwt: string | null = null): Promise<Json> {
    const answer = new Promise<Json>((resolve) => {
      this.#onOther = resolve;
    });
    this.send({ type: "hello", jwt });
    return answer;
  }

  /** The answer to a request, whatever it is. */
  request(request: object): Promise<Json> {
    const id = ++this.#lastId;
    const answer = new Promise<Json>((resolve) => this.#waiting.set(id, resolve));
    this.send({ type: "request", request_id: id, request });
    return answer;
  }

  /** The response to a request that succeeds. */
  async ok(request: object): Promise<Json> {
    const answer = await this.request(request);
    if (answer.type !== "response_ok") throw new Error(JSON.stringify(answer.error));
    return answer.response;
  }

  /** The error of a request that fails. */
  async error(request: object): Promise<Json> {
    const answer = await this.request(request);
    if (answer.type !== "response_error") throw new Error(JSON.stringify(answer));
    return answer.error;
  }

  /** Opens a stream, and gives what runs a statement on it. */
  async stream(streamId: number): Promise<(sql: string, args?: readonly Json[]) => Promise<Json>> {
    await this.ok({ type: "open_stream", stream_id: streamId });
    return async (sql, args = []) =>
      this.request({ type: "execute", stream_id: streamId, stmt: { sql, args } }).then((answer) =>
        answer.type === "response_ok" ? answer.response.result : answer.error,
      );
  }
}
