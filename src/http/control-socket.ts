// Owns the way from a command line to the server that runs on the same data folder: a Unix socket in it.
// Who may open the socket may read the tenants' files: the folder's rights say both, so that nothing is asked.
import { chmod, mkdir, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { getRequestListener } from "@hono/node-server";

/** Bytes that a socket's path may have, on every system. */
const MAX_PATH_BYTES = 103;

/** A listening socket. */
export interface ControlSocket extends AsyncDisposable {
  /** Idempotent. */
  close(): Promise<void>;
}

/** The socket of a data folder; undefined where its path is too long for one, and on Windows. */
export function controlPath(dir: string): string | undefined {
  const path = join(dir, "control", "server.sock");
  if (process.platform === "win32" || Buffer.byteLength(path) > MAX_PATH_BYTES) return undefined;
  return path;
}

/**
 * Listens for this machine's command lines. @returns undefined where there can be no socket, or where another
 * server of this folder has it: command lines then ask that one, or work on the folder itself
 */
export async function listenForCommands(
  dir: string,
  fetch: (request: Request) => Response | Promise<Response>,
): Promise<ControlSocket | undefined> {
  const path = controlPath(dir);
  if (path === undefined || (await answers(path))) return undefined;
  const folder = dirname(path);
  // The folder is closed before there is a socket in it: between bind() and chmod() nobody gets through.
  await mkdir(folder, { recursive: true });
  await chmod(folder, 0o700);
  await rm(path, { force: true });
  const listener = getRequestListener(fetch, { hostname: "localhost" });
  const server = createServer((incoming, outgoing) => void listener(incoming, outgoing));
  await listening(server, path);
  await chmod(path, 0o600);
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    // Node removes the socket with it.
    server.close(() => resolve());
    server.closeAllConnections();
    await promise;
  };
  const closeOnce = (): Promise<void> => (closing ??= close());
  return { close: closeOnce, [Symbol.asyncDispose]: closeOnce };
}

async function listening(server: Server, path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(path, resolve);
  await promise;
}

/** Whether a server lives behind the socket: one that was killed leaves its name. */
function answers(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(path, () => {
    socket.destroy();
    resolve(true);
  });
  socket.once("error", () => resolve(false));
  return promise;
}
