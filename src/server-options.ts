// Owns what the server's application and its executors are made with.
// Makes neither: tenantry.ts does.
import type { ExecutorPool } from "./executors/executor-pool.ts";
import type { ExecutorPoolOptions } from "./executors/executor-pool-options.ts";
import type { ExecutorSettings } from "./executors/executor-settings.ts";
import type { AppOptions } from "./http/app.ts";

/** Options of `Tenantry.app()`. */
export interface ServerOptions extends AppOptions {
  /** Bytes of a database that is imported. @default 1073741824 */
  readonly maxImportBytes?: number;
  /**
   * Hosts besides this machine from which an administrator may have dumps fetched by HTTP; `*` for any that has a
   * public address.
   * @default none
   */
  readonly dumpHosts?: readonly string[];
  /**
   * Processes that run tenants' SQL, so that no tenant can stop another: see `Tenantry.executors()`. Start
   * it before you serve.
   * @default none: SQL runs in this process
   */
  readonly pool?: ExecutorPool;
  /** The hash of an API key for everything, by `hashApiKey()`, that is kept outside of the catalog. @default none */
  readonly adminKeyHash?: string;
}

/** Options of `Tenantry.executors()`. */
export interface ExecutorOptions extends Pick<
  ExecutorPoolOptions,
  "statementTimeoutMs" | "maxRssBytes" | "maxJobs" | "offenders" | "onEvent"
> {
  /** Processes among which the tenants are divided, at least 1. */
  readonly executors: number;
  /** The limits that the application has, where they are not the defaults. */
  readonly app?: ExecutorSettings["app"];
}
