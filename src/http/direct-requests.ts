// Owns requests that need no framework, on their way between node:http and what answers them: what a framework makes
// of one is half of what it costs the server's process where an executor answers it (decisions/095).
// Leaves whatever is unusual about a request to the application, which answers all of them, and these the same.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { LightAnswer } from "../executors/light-http.ts";
import { freeBytes } from "../free-bytes.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Door } from "./app.ts";
import type { DirectAnswers } from "./direct-answers.ts";
import { errorAnswer } from "./error-response.ts";
import { isHranaPath } from "./hrana-routes.ts";
import { routeLabel } from "./route-label.ts";

/** Takes a request, where it is one to be taken. @returns whether it was */
export type DirectRequests = (incoming: IncomingMessage, outgoing: ServerResponse) => boolean;

/** What {@link directRequests} is made from. */
export interface DirectRequestsParts {
  readonly door: Door;
  readonly answers: DirectAnswers;
  /** Told of each request. */
  readonly metrics?: Metrics;
}

/** Bytes of a body that is read before anybody is asked whether its sender may come in. */
const MOST_BODY_BYTES = 64 * 1024;
const BYTE_ORDER_MARK = 0xfeff;
/** Names without a port, or with one that there is. */
const HOST = /^[a-z0-9._-]+(?::(?:\d{1,4}|[1-5]\d{4}|6[0-4]\d{3}))?$/;

/** Makes what takes requests to tenants' rows and statements. */
export function directRequests({ door, answers, metrics }: DirectRequestsParts): DirectRequests {
  const { onInternalError } = door.settings;
  const maxBodyBytes = Math.min(MOST_BODY_BYTES, door.settings.maxBodyBytes);

  const answer = async (incoming: IncomingMessage, body: string | undefined): Promise<LightAnswer> => {
    const { method, url, headers } = incoming as { method: string; url: string } & IncomingMessage;
    const header = (name: string): string | undefined => headers[name] as string | undefined;
    const admitted = await door.admit(url, header, incoming.socket.remoteAddress);
    const { tenant, record } = admitted;
    door.onTenant(tenant);
    const { inFlight, goesOn } = door;
    const base = `/t/${tenant}`;
    const path = url.slice(base.length);
    const past = inFlight.full(tenant) && isHranaPath(path) && (await goesOn(body ?? "", record.incarnation));
    inFlight.enter(tenant, past);
    try {
      return await answers.answer({ admitted, method, base, path, header, body });
    } finally {
      inFlight.leave(tenant);
    }
  };

  const respond = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const started = performance.now();
    const { method, url } = incoming as { method: string; url: string } & IncomingMessage;
    const query = url.indexOf("?");
    const path = query < 0 ? url : url.slice(0, query);
    const sent = method === "GET" ? undefined : await textOf(incoming);
    const { status, headers, body } = await answer(incoming, sent).catch((error: unknown) =>
      errorAnswer({ method, path }, error, onInternalError),
    );
    const counted = (): void =>
      metrics?.request(method, routeLabel(path), status, (performance.now() - started) / 1000);
    if (body instanceof ReadableStream) {
      outgoing.writeHead(status, headers);
      counted();
      await pour(body, outgoing);
      return;
    }
    const none = status === 204;
    outgoing.writeHead(status, none ? headers : { ...headers, "content-length": Buffer.byteLength(body) });
    outgoing.end(none ? undefined : body);
    // Its reader need not wait for that.
    counted();
  };

  return (incoming, outgoing) => {
    const { method, url } = incoming as { method: string; url: string } & IncomingMessage;
    if (!answers.methods.has(method) || !answers.target.test(url) || !isPlain(incoming, maxBodyBytes))
      return false;
    // Its sender is gone, or what answers it: who reads it sees that it breaks off, and the log why an executor ended.
    respond(incoming, outgoing).catch(() => outgoing.destroy());
    return true;
  };
}

function isPlain({ method, headers, rawHeaders }: IncomingMessage, maxBodyBytes: number): boolean {
  return (
    HOST.test(headers.host ?? "") &&
    // No header comes twice.
    Object.keys(headers).length * 2 === rawHeaders.length &&
    headers["transfer-encoding"] === undefined &&
    Number(headers["content-length"] ?? 0) <= (method === "GET" ? 0 : maxBodyBytes)
  );
}

/** A body's text. @throws where it ends before all of it has come */
function textOf(incoming: IncomingMessage): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
  incoming.once("error", reject);
  incoming.once("end", () => {
    const text = (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).toString();
    resolve(text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text);
  });
  return promise;
}

/** Sends what comes, as fast as it is taken. @throws where no more comes, though it is not the end */
async function pour(body: ReadableStream<Uint8Array>, outgoing: ServerResponse): Promise<void> {
  const reader = body.getReader();
  let wake = (): void => {};
  outgoing.on("drain", () => wake());
  outgoing.once("close", () => {
    // After its end nothing is left to be given up, and one that failed says so to who reads.
    reader.cancel().catch(() => {});
    wake();
  });
  // It may be given up because nobody takes it: then nothing wakes who waits below.
  reader.closed.catch(() => outgoing.destroy());
  if (outgoing.destroyed) await reader.cancel();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const { value } = part;
    if (outgoing.write(value, () => freeBytes(value)) || outgoing.destroyed) continue;
    const { promise, resolve } = Promise.withResolvers<void>();
    wake = resolve;
    await promise;
  }
  outgoing.end();
}
