// Owns the HTTP application of a server with WebSockets and executors, beside what createApp() composes.
// Constructs the HTTP room's own parts, and nothing else.
import type { ExecutorPool } from "../executors/executor-pool.ts";
import { createGuard } from "../sql/guard.ts";
import { type App, type AppOptions, type AppParts, createApp } from "./app.ts";
import { forward } from "./forward.ts";
import { forwardedStreams } from "./forward-streams.ts";
import { HranaSockets } from "./hrana-sockets.ts";
import { streamHost } from "./stream-host.ts";

/** The HTTP application, and its sockets. */
export interface ServedApp extends App {
  /** Hrana over WebSocket: give it to `listen()`, or to `upgradesOf()` for a server of your own. */
  readonly sockets: HranaSockets;
}

/** What the application works on. */
export interface ServedAppParts extends Omit<AppParts, "forward" | "failure"> {
  /** Runs tenants' requests in other processes; without it they run in this one. */
  readonly pool?: ExecutorPool;
}

/** Composes the application with its sockets. @throws {TenantryError} `INVALID_OPTION` */
export function createServedApp({ pool, ...parts }: ServedAppParts, options: AppOptions = {}): ServedApp {
  const app = createApp(
    {
      ...parts,
      ...(pool && { forward: (settings) => forward(pool, settings), failure: () => pool.failure }),
    },
    options,
  );
  const { settings, ...door } = app.door;
  const { maxRows, maxResponseBytes, maxBodyBytes, maxSqlBytes, maxParameters, onInternalError } = settings;
  const sockets = new HranaSockets({
    ...door,
    access: app.access,
    onInternalError,
    maxMessageBytes: maxBodyBytes,
    host: pool
      ? forwardedStreams(pool)
      : streamHost({
          tenants: parts.tenants,
          limits: { maxRows, maxResponseBytes, maxBodyBytes },
          guard: createGuard({ maxSqlBytes }),
          maxParameters,
        }),
  });
  return { ...app, sockets };
}
