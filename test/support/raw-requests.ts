// Owns requests that tests write down byte by byte, and servers whose answers to them can be compared.
// Expects nothing of an answer.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { listen, type RunningServer } from "../../src/http/listen.ts";
import type { ServedApp } from "../../src/http/served-app.ts";

/** Sends text as it is, and reads until the server ends the connection, as the text asks. */
export async function answerOf(server: RunningServer, text: string): Promise<string> {
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  // A connection that the server breaks off has its answer all the same.
  socket.on("error", () => {});
  socket.write(text, "latin1");
  await once(socket, "close");
  return Buffer.concat(chunks).toString();
}

/** What was answered, head by head, without what differs from moment to moment or is only written otherwise. */
export function comparable(answer: string): string {
  return answer
    .replaceAll(/("\w*duration\w*"):[\d.e-]+/g, "$1:0")
    .replaceAll(/"baton":"[^"]*"/g, '"baton":"…"')
    .replaceAll(/HTTP\/1\.1 [^]*?\r\n\r\n/g, (head) =>
      head
        .toLowerCase()
        .split("\r\n")
        .filter((line) => !/^(?:date|content-length):/.test(line))
        .toSorted()
        .join("\n"),
    );
}

/** An application behind two sockets: all of it behind one, and behind the other what passes by the framework first. */
export interface BothWays {
  readonly framed: RunningServer;
  readonly direct: RunningServer;
  /** Requests to the second that did pass by. */
  taken: string[];
  /** Those that a request to the second came on. */
  connections: Socket[];
  /** What both say, one after the other. */
  answers(text: string): Promise<{ framed: string; direct: string; taken: string[] }>;
  close(): Promise<void>;
}

/** Serves an application in both ways. */
export async function bothWays({ hono, direct: takes }: ServedApp): Promise<BothWays> {
  const framed = await listen(hono.fetch, { port: 0 });
  const direct = await listen(hono.fetch, {
    port: 0,
    direct: (incoming, outgoing) => {
      const { method, url, socket } = incoming;
      ways.connections.push(socket);
      const took = takes!(incoming, outgoing);
      if (took) ways.taken.push(`${method} ${url}`);
      return took;
    },
  });
  const ways: BothWays = {
    framed,
    direct,
    taken: [],
    connections: [],
    async answers(text) {
      ways.taken = [];
      const both = [await answerOf(framed, text), await answerOf(direct, text)].map(comparable);
      return { framed: both[0]!, direct: both[1]!, taken: ways.taken };
    },
    async close() {
      await Promise.all([framed.close(0), direct.close(0)]);
    },
  };
  return ways;
}

const HEAD = "Host: localhost\r\nConnection: close\r\n";
export const get = (target: string, more = ""): string => `GET ${target} HTTP/1.1\r\n${HEAD}${more}\r\n`;
export const post = (target: string, body: string, more = "Content-Type: application/json\r\n"): string => {
  const length = Buffer.byteLength(body, "latin1");
  return `POST ${target} HTTP/1.1\r\n${HEAD}${more}Content-Length: ${length}\r\n\r\n${body}`;
};
export const sql = (text: string): string => JSON.stringify({ sql: text });
export const pipeline = (text: string): string =>
  JSON.stringify({ baton: null, requests: [{ type: "execute", stmt: { sql: text } }, { type: "close" }] });
