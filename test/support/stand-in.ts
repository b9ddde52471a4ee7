// Owns a server on loopback that answers what a test says, for what no emulator of a cloud can be made to do.
// Asserts nothing, and keeps nothing but what it was asked.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { onTestFinished } from "vitest";
import { certificateFor, leadTo } from "./cloud-hosts.ts";

/** A request. */
export interface Asked {
  readonly method: string;
  /** With the host that was meant. */
  readonly url: URL;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

/** Its answer; `breaksOff`: after the body, which is not all that was promised. */
export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly breaksOff?: boolean;
}

/** What is asked, in its order, and where: host and port. */
export interface StandIn {
  readonly asked: readonly Asked[];
  readonly host: string;
}

/** Answers over HTTP. */
export async function standIn(answer: (asked: Asked) => Answer): Promise<StandIn> {
  const asked: Asked[] = [];
  return listen(createServer(answering(answer, asked, "http")), asked);
}

/** Answers over TLS for these hosts of a cloud, whoever asks for them. */
export async function standInFor(
  hosts: readonly string[],
  answer: (asked: Asked) => Answer,
): Promise<StandIn> {
  const asked: Asked[] = [];
  const { cert, key } = await certificateFor(...hosts);
  const server = createSecureServer({ cert, key }, answering(answer, asked, "https"));
  const listening = await listen(server, asked);
  await leadTo(Number(listening.host.split(":")[1]));
  return listening;
}

async function listen(server: Server, asked: readonly Asked[]): Promise<StandIn> {
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { asked, host: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function answering(answer: (asked: Asked) => Answer, all: Asked[], scheme: string) {
  return async (from: IncomingMessage, to: ServerResponse): Promise<void> => {
    const { method = "", headers } = from;
    const url = new URL(from.url ?? "", `${scheme}://${headers.host}`);
    const asked = { method, url, headers, body: await buffer(from) };
    all.push(asked);
    const { status = 200, headers: more = {}, body = "", breaksOff = false } = answer(asked);
    const bytes = Buffer.byteLength(body) + (breaksOff ? 1 : 0);
    to.writeHead(status, { ...more, "content-length": bytes });
    if (breaksOff) to.write(body, () => void to.destroy());
    else to.end(body);
  };
}
