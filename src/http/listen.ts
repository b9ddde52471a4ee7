// Owns the Node server: listening, and ending without losing a request or cutting off an answer.
// Does not know the routes.
import { createServer, type IncomingMessage, type Server, ServerResponse } from "node:http";
import { type AddressInfo, Server as NetServer, type Socket } from "node:net";
import { getRequestListener, RequestError } from "@hono/node-server";
import type { DirectRequests } from "./direct-requests.ts";
import { TenantryError } from "../tenantry-error.ts";
import { errorBody } from "./error-response.ts";
import { ERROR_STATUS } from "./error-status.ts";
import type { HranaSockets } from "./hrana-sockets.ts";
import { internalError } from "./shown-error.ts";
import { upgradesOf } from "./upgrades.ts";

export const DEFAULT_HOST = "127.0.0.1";
export const DEFAULT_PORT = 8787;
export const DEFAULT_GRACE_MS = 10_000;

/** Milliseconds between two looks, at the end, for connections that have nothing left to do. */
const IDLE_LOOK_MS = 20;

/** Options of {@link listen}. */
export interface ListenOptions {
  /** @default "127.0.0.1" */
  readonly host?: string;
  /** 0 for any free one. @default 8787 */
  readonly port?: number;
  /** The application's WebSockets. @default none */
  readonly sockets?: HranaSockets;
  /** `direct` of an application with executors: it is asked first about each request. @default none */
  readonly direct?: DirectRequests | undefined;
}

/** A server that listens. */
export interface RunningServer {
  /** Where it listens, without a slash at the end. */
  readonly url: string;
  /** Stops accepting, finishes what runs for `graceMs` at most, and then ends what is left. */
  close(graceMs?: number): Promise<void>;
}

/** Serves a fetch handler. @throws {TenantryError} `INVALID_OPTION` when the address cannot be had */
export async function listen(
  fetch: (request: Request) => Response | Promise<Response>,
  { host = DEFAULT_HOST, port = DEFAULT_PORT, sockets: hranaSockets, direct }: ListenOptions = {},
): Promise<RunningServer> {
  const listener = getRequestListener(fetch, { hostname: host, errorHandler: answerUnhandled });
  const sockets = new Set<Socket>();
  let ending = false;
  const upgrades = hranaSockets && upgradesOf(hranaSockets);
  const isSocket = ({ headers }: IncomingMessage): boolean => headers.upgrade?.toLowerCase() === "websocket";
  const server = createServer(
    { shouldUpgradeCallback: isSocket, ServerResponse: HonestResponse },
    (incoming, outgoing) => {
      if (ending) outgoing.setHeader("connection", "close");
      if (!direct?.(incoming, outgoing)) void listener(incoming, outgoing);
    },
  );
  if (upgrades) server.on("upgrade", upgrades.upgrade);
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  try {
    server.listen(port, host, resolve);
    await promise;
  } catch (error) {
    throw new TenantryError("INVALID_OPTION", `Nothing can listen on ${host}:${port}: ${reasonOf(error)}.`, {
      hint: "Choose another port with --port, or end what listens there.",
      cause: error,
    });
  }
  const address = server.address() as AddressInfo;
  const name = address.family === "IPv6" ? `[${address.address}]` : address.address;

  let closing: Promise<void> | undefined;
  return {
    url: `http://${name}:${address.port}`,
    close: (graceMs = DEFAULT_GRACE_MS) => {
      ending = true;
      return (closing ??= Promise.all([end(server, sockets, graceMs), upgrades?.close(graceMs)]).then(
        () => {},
      ));
    },
  };
}

/**
 * The adapter ends an answer that fails in its midst with the error's words, and as if that were all. Whoever reads
 * it must see that it is not: the connection breaks off. What has come to its end is ended without a word.
 */
class HonestResponse extends ServerResponse {
  override end(...given: unknown[]): this {
    if (this.chunkedEncoding && this.headersSent && typeof given[0] === "string") return this.destroy();
    return super.end(...(given as []));
  }
}

async function end(server: Server, sockets: ReadonlySet<Socket>, graceMs: number): Promise<void> {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  // http's own close() counts a connection as idle, and cuts it, while the end of its answer is on the way.
  NetServer.prototype.close.call(server, () => resolve());
  const closeIdle = (): void => {
    for (const socket of sockets) if (socket.writableLength > 0) return;
    server.closeIdleConnections();
  };
  closeIdle();
  const looking = setInterval(closeIdle, IDLE_LOOK_MS);
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearInterval(looking);
  clearTimeout(timer);
}

/** For what the application never saw: HTTP whose target or `Host` makes no URL. */
function answerUnhandled(cause: unknown): Response {
  const error =
    cause instanceof RequestError
      ? new TenantryError("INVALID_ARGUMENT", `The request cannot be read: ${cause.message}.`, {
          hint: "Send a path that begins with a slash, and a Host header.",
        })
      : internalError();
  if (error.code === "INTERNAL") console.error("Unhandled:", cause);
  return Response.json(errorBody(error), { status: ERROR_STATUS[error.code] });
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
