// Owns the Node server: listening, and ending without losing a request.
// Does not know the routes.
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { TenantryError } from "../tenantry-error.ts";

export const DEFAULT_HOST = "127.0.0.1";
export const DEFAULT_PORT = 8787;
export const DEFAULT_GRACE_MS = 10_000;

/** Options of {@link listen}. */
export interface ListenOptions {
  /** @default "127.0.0.1" */
  readonly host?: string;
  /** 0 for any free one. @default 8787 */
  readonly port?: number;
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
  { host = DEFAULT_HOST, port = DEFAULT_PORT }: ListenOptions = {},
): Promise<RunningServer> {
  const server = createAdaptorServer({ fetch }) as Server;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(port, host, resolve);
  try {
    await promise;
  } catch (error) {
    throw new TenantryError("INVALID_OPTION", `Nothing can listen on ${host}:${port}: ${reasonOf(error)}.`, {
      hint: "Choose another port with --port, or end what listens there.",
      cause: error,
    });
  }
  const address = server.address() as AddressInfo;
  const name = address.family === "IPv6" ? `[${address.address}]` : address.address;

  const close = async (graceMs: number): Promise<void> => {
    const closed = Promise.withResolvers<void>();
    server.close(() => closed.resolve());
    server.closeIdleConnections();
    const timer = setTimeout(() => server.closeAllConnections(), graceMs);
    await closed.promise;
    clearTimeout(timer);
  };
  let closing: Promise<void> | undefined;
  return {
    url: `http://${name}:${address.port}`,
    close: (graceMs = DEFAULT_GRACE_MS) => (closing ??= close(graceMs)),
  };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
