// Owns the HTTP application of a server: WebSockets, executors and libSQL's namespaces, beside what createApp() has.
// Constructs the HTTP room's own parts, and nothing else.
import type { ExecutorPool } from "../executors/executor-pool.ts";
import { createGuard } from "../sql/guard.ts";
import type { TenantId } from "../tenant-id.ts";
import { type App, type AppOptions, type AppParts, createApp } from "./app.ts";
import { executorAnswers, pipelineAnswers } from "./direct-answers.ts";
import { type DirectRequests, directRequests } from "./direct-requests.ts";
import { dumpRoutes } from "./dump-routes.ts";
import { forwarded, forwardTo } from "./forward.ts";
import { forwardedStreams } from "./forward-streams.ts";
import { HranaSockets } from "./hrana-sockets.ts";
import { type ImportDump, type NamespaceHistory, namespaceRoutes } from "./namespace-routes.ts";
import { namespaceStatsRoutes, type TenantFigures } from "./namespace-stats-routes.ts";
import { NAMESPACE_ROUTES } from "./openapi/namespace-openapi.ts";
import { goesOnWith } from "./open-transaction.ts";
import { streamHost } from "./stream-host.ts";

/** The HTTP application, and its sockets. */
export interface ServedApp extends App {
  /** Hrana over WebSocket: give it to `listen()`, or to `upgradesOf()` for a server of your own. */
  readonly sockets: HranaSockets;
  /** Takes requests that need no framework: give it to `listen()`. Not where other sites' pages may send any. */
  readonly direct?: DirectRequests;
}

/** What the application works on. */
export interface ServedAppParts extends Omit<AppParts, "forward" | "failure" | "namespaces"> {
  /** Makes tenants of dumps elsewhere; only where databases are files. */
  readonly importDump?: ImportDump;
  /** Only where tenants are replicated. */
  readonly history?: NamespaceHistory;
  /** What a tenant's statements came to, wherever they ran. */
  readonly figures?: TenantFigures;
  /** Forgets a tenant's statements one by one. */
  readonly forgetStatements?: (tenant: TenantId) => Promise<void>;
  /** Runs tenants' requests in other processes; without it they run in this one. */
  readonly pool?: ExecutorPool;
}

/** Composes the application with its sockets. @throws {TenantryError} `INVALID_OPTION` */
export function createServedApp(
  { pool, importDump, history, figures, forgetStatements, ...parts }: ServedAppParts,
  options: AppOptions = {},
): ServedApp {
  const executors = pool && { pool, forward: forwardTo(pool, goesOnWith(pool.batonKey)) };
  const app = createApp(
    {
      ...parts,
      moreTenantRoutes: dumpRoutes(parts.tenants),
      namespaces: (maxBodyBytes) => ({
        routes: namespaceRoutes({
          ...parts,
          maxBodyBytes,
          ...(importDump && { importDump }),
          ...(history && { history }),
        }).route(
          "/",
          namespaceStatsRoutes({
            ...parts,
            ...(figures && { figures }),
            ...(forgetStatements && { forgetStatements }),
          }),
        ),
        described: NAMESPACE_ROUTES,
      }),
      ...(executors && {
        forward: (settings) => forwarded(executors.forward, settings),
        failure: () => executors.pool.failure,
      }),
    },
    pool ? { ...options, batonKey: pool.batonKey } : options,
  );
  const { settings, ...door } = app.door;
  const { maxRows, maxResponseBytes, maxBodyBytes, maxSqlBytes, maxParameters, onInternalError } = settings;
  const sockets = new HranaSockets({
    ...door,
    access: app.access,
    onInternalError,
    maxMessageBytes: maxBodyBytes,
    host: executors
      ? forwardedStreams(executors.pool)
      : streamHost({
          tenants: parts.tenants,
          limits: { maxRows, maxResponseBytes, maxBodyBytes },
          guard: createGuard({ maxSqlBytes }),
          maxParameters,
        }),
  });
  const answers = executors ? executorAnswers(executors.forward) : app.hrana && pipelineAnswers(app.hrana);
  if (!answers || settings.corsOrigins.length > 0) return { ...app, sockets };
  const direct = directRequests({
    door: app.door,
    answers,
    ...(parts.metrics && { metrics: parts.metrics }),
  });
  return { ...app, sockets, direct };
}
