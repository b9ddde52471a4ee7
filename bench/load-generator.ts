// Owns the program of a small HTTP load generator: keep-alive connections, one request at a time on each, as
// many as the server takes or at a rate.
// Reads only what it needs of an answer: its status and its length.
import { connect, type Socket } from "node:net";
import { quantile } from "./figures.ts";

/** What the parent says to begin. */
export interface LoadOrder {
  readonly url: string;
  readonly paths: readonly string[];
  readonly connections: number;
  /** JSON that is sent with POST; without it, it is GET. */
  readonly body?: string;
  /** Requests a second. Those that are due while every connection waits are late, and count as such. */
  readonly rate?: number;
  /** One of the two ends it. */
  readonly seconds?: number;
  readonly requests?: number;
}

const HEAD_END = Buffer.from("\r\n\r\n");

function generate(order: LoadOrder): void {
  const { url, paths, connections, body, rate = Infinity, seconds = Infinity, requests = Infinity } = order;
  const { hostname, port, host, pathname, search } = new URL(url);
  const base = pathname === "/" ? "" : pathname;
  const [method, rest] =
    body === undefined
      ? ["GET", "\r\n"]
      : [
          "POST",
          `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
        ];
  const texts = paths.map((path) => `${method} ${base}${path}${search} HTTP/1.1\r\nHost: ${host}\r\n${rest}`);
  const micros: number[] = [];
  const started = performance.now();
  const endsAt = started + seconds * 1000;
  let sent = 0;
  let open = connections;

  const finish = (failure?: string): void => {
    const took = (performance.now() - started) / 1000;
    const result = {
      perSecond: micros.length / took,
      p50Micros: quantile(micros, 0.5),
      p99Micros: quantile(micros, 0.99),
      requests: micros.length,
      ...(failure !== undefined && { failure }),
    };
    process.send?.(result, () => process.exit());
  };

  const converse = (socket: Socket): void => {
    let sentAt = 0;
    let head: Buffer | undefined;
    /** Bytes of the answer that have not come; undefined while its head is not there. */
    let missing: number | undefined;
    const next = (): void => {
      const now = performance.now();
      const dueAt = started + (sent * 1000) / rate;
      if (sent >= requests || Math.max(now, dueAt) >= endsAt) {
        socket.end();
        if (--open === 0) finish();
        return;
      }
      const text = texts[sent++ % texts.length]!;
      if (dueAt > now) setTimeout(send, dueAt - now, text);
      else send(text, rate === Infinity ? now : dueAt);
    };
    const send = (text: string, from = performance.now()): void => {
      sentAt = from;
      socket.write(text);
    };
    /** Bytes of the answer that begins with `data`; undefined where its head is not all there. */
    const lengthOf = (data: Buffer): number | undefined => {
      const headEnd = data.indexOf(HEAD_END);
      if (headEnd < 0) return undefined;
      const text = data.toString("latin1", 0, headEnd);
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1]);
      if (text.startsWith("HTTP/1.1 200") && !Number.isNaN(length)) return headEnd + HEAD_END.length + length;
      finish(`Not answered: ${data.toString("utf8", 0, 500)}`);
      return undefined;
    };
    socket.on("data", (chunk: Buffer) => {
      if (missing === undefined) {
        head = head ? Buffer.concat([head, chunk]) : chunk;
        const length = lengthOf(head);
        if (length === undefined) return;
        missing = length - head.length;
        head = undefined;
      } else {
        missing -= chunk.length;
      }
      if (missing > 0) return;
      missing = undefined;
      micros.push((performance.now() - sentAt) * 1000);
      next();
    });
    socket.on("error", (error) => finish(String(error)));
    next();
  };

  for (let i = 0; i < connections; i++) {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true }, () => converse(socket));
  }
}

process.once("message", generate);
