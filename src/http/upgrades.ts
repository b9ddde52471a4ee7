// Owns WebSockets on a Node server: from the request to become one to the end of them all.
// Does not know what is said on them, nor who may open one: hrana-sockets.ts does.
import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { shuttingDown } from "../shutting-down.ts";
import { TenantryError } from "../tenantry-error.ts";
import { errorBody } from "./error-response.ts";
import { ERROR_STATUS } from "./error-status.ts";
import { type AcceptedSocket, chooseSubprotocol, type HranaSockets } from "./hrana-sockets.ts";
import { OpenSocket } from "./open-socket.ts";

/** Milliseconds until a new socket must have shown good credentials. */
export const DEFAULT_HELLO_TIMEOUT_MS = 10_000;
/** Milliseconds between two looks at each socket: whether its client is there, and reads. */
export const DEFAULT_KEEP_ALIVE_MS = 30_000;
/** Milliseconds that a socket may be open with nobody using it. */
export const DEFAULT_SOCKET_IDLE_MS = 600_000;
/** Sockets whose clients have not said who they are. */
export const MAX_STRANGERS = 1_024;

/** Milliseconds between two looks, at the end, for sockets that have nothing left to do. */
const IDLE_LOOK_MS = 20;
/** Milliseconds that a client has to answer a close. */
const CLOSE_TIMEOUT_MS = 2_000;
const CLOSE_GOING_AWAY = 1001;

/** Options of {@link upgradesOf}. */
export interface UpgradeOptions {
  /** @default 10000 */
  readonly helloTimeoutMs?: number;
  /** @default 30000 */
  readonly keepAliveMs?: number;
  /** @default 600000 */
  readonly idleMs?: number;
}

/** The WebSockets of a server. */
export interface Upgrades {
  /** For the server's event `upgrade`. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Sockets that are open. */
  readonly size: number;
  /** Lets in nobody, ends each socket once it has nothing to do, and after `graceMs` the others. */
  close(graceMs: number): Promise<void>;
}

/**
 * Serves an application's WebSockets on a Node server of your own, whose event `upgrade` they are to hear.
 * `listen()` does it by itself.
 *
 * @example
 * const upgrades = upgradesOf(tenantry.app().sockets);
 * // server.on("upgrade", upgrades.upgrade), and at the end:
 * await upgrades.close(10_000);
 */
export function upgradesOf(sockets: HranaSockets, options: UpgradeOptions = {}): Upgrades {
  const {
    helloTimeoutMs = DEFAULT_HELLO_TIMEOUT_MS,
    keepAliveMs = DEFAULT_KEEP_ALIVE_MS,
    idleMs = DEFAULT_SOCKET_IDLE_MS,
  } = options;
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: sockets.maxMessageBytes,
    // A compressor for each socket takes more memory than its tenant's database.
    perMessageDeflate: false,
    handleProtocols: (offered) => chooseSubprotocol(offered)?.subprotocol ?? false,
    // Its type does not know it yet.
    ...({ closeTimeout: CLOSE_TIMEOUT_MS } as object),
  });
  const open = new Set<OpenSocket>();
  let strangers = 0;
  let ending = false;
  const looking = setInterval(() => {
    for (const one of open) one.look();
  }, keepAliveMs);
  looking.unref();

  const accept = async (request: IncomingMessage): Promise<AcceptedSocket> => {
    if (ending) throw shuttingDown();
    if (strangers > MAX_STRANGERS) {
      throw new TenantryError("OVERLOADED", `${MAX_STRANGERS} sockets have not said hello yet.`, {
        hint: "Try again in a moment.",
        retryAfterSeconds: 1,
      });
    }
    return sockets.accept({
      url: request.url ?? "/",
      header: (name) => {
        const value = request.headers[name];
        return Array.isArray(value) ? value.join(", ") : value;
      },
      remoteAddress: request.socket.remoteAddress,
    });
  };

  const upgrade = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    let stranger = true;
    strangers++;
    const onGreeted = (): void => {
      if (stranger) strangers--;
      stranger = false;
    };
    socket.once("close", onGreeted);
    // Whoever breaks the connection off now is told nothing.
    const onError = (): void => {};
    socket.on("error", onError);
    try {
      const accepted = await accept(request);
      if (socket.destroyed) return;
      socket.removeListener("error", onError);
      server.handleUpgrade(request, socket, head, (ws) => {
        const one = new OpenSocket(ws, socket, accepted, { helloTimeoutMs, idleMs, onGreeted });
        open.add(one);
        ws.once("close", () => open.delete(one));
      });
    } catch (error) {
      refuse(
        socket,
        error instanceof TenantryError ? error : sockets.internalError(error, request.url ?? "/"),
      );
    }
  };

  const close = async (graceMs: number): Promise<void> => {
    ending = true;
    clearInterval(looking);
    const deadline = performance.now() + graceMs;
    for (;;) {
      const late = performance.now() >= deadline;
      for (const one of open) {
        if (late || one.session.idle) one.end(CLOSE_GOING_AWAY, "The server is shutting down.");
      }
      if (open.size === 0 || late) break;
      await pause(IDLE_LOOK_MS);
    }
    // A client that does not answer a close is not waited for longer than this.
    for (const end = performance.now() + CLOSE_TIMEOUT_MS; open.size > 0 && performance.now() < end;) {
      await pause(IDLE_LOOK_MS);
    }
    for (const one of open) one.terminate();
  };
  let closing: Promise<void> | undefined;

  return {
    upgrade: (request, socket, head) => void upgrade(request, socket, head),
    get size() {
      return open.size;
    },
    close: (graceMs) => (closing ??= close(graceMs)),
  };
}

/** Answers a request that does not become a socket. */
function refuse(socket: Duplex, error: TenantryError): void {
  const status = ERROR_STATUS[error.code];
  const body = JSON.stringify(errorBody(error));
  const { retryAfterSeconds } = error;
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      "Connection: close",
      "Content-Type: application/json",
      `Content-Length: ${Buffer.byteLength(body)}`,
      ...(retryAfterSeconds === undefined ? [] : [`Retry-After: ${retryAfterSeconds}`]),
      "",
      body,
    ].join("\r\n"),
  );
}

function pause(ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, ms);
  return promise;
}
