// Owns what a pool of executors is made with, its defaults, and what it tells of.
// Runs nothing.
import type { EndReason } from "./executor.ts";
import type { ExecutorSettings } from "./executor-settings.ts";
import type { OffenderTimes } from "./offenders.ts";

export const DEFAULT_STATEMENT_TIMEOUT_MS = 10_000;
export const DEFAULT_EXECUTOR_MAX_RSS_BYTES = 1024 * 1024 * 1024;
/** Jobs over all executors that may be in line or running; more are turned away. */
export const DEFAULT_MAX_JOBS = 4_096;

/** What a pool is made with. */
export interface ExecutorPoolOptions {
  /**
   * Executors among which the tenants are divided, at least 1. There is one more, which is the next replacement;
   * and where tenants run apart, one for them.
   */
  readonly executors: number;
  readonly settings: Omit<ExecutorSettings, "progressFile">;
  /** Where executors note what they do. */
  readonly scratchDir: string;
  /** @default 10000 */
  readonly statementTimeoutMs?: number;
  /** @default 1073741824 */
  readonly maxRssBytes?: number;
  /** @default 4096 */
  readonly maxJobs?: number;
  /** For how long who had to be killed is kept out, and apart. */
  readonly offenders?: OffenderTimes;
  /** Told of what an operator should know of. */
  readonly onEvent?: (event: PoolEvent) => void;
}

/** What happens to executors. */
export type PoolEvent =
  | { readonly what: "killed"; readonly executor: string; readonly tenant: string }
  | { readonly what: "ended"; readonly executor: string; readonly reason: EndReason; readonly detail: string }
  | { readonly what: "failed"; readonly executor: string; readonly detail: string }
  | { readonly what: "recycled"; readonly executor: string; readonly rssBytes: number }
  | { readonly what: "throttled"; readonly tenant: string; readonly forMs: number }
  | { readonly what: "apart"; readonly tenant: string };
