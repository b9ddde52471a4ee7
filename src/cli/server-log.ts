// Owns the server's log: what happens to executors and to Litestream, for the operator. JSON lines on stderr, as pino writes them.
// Answers and tenants' data are never in it.
import { destination, pino } from "pino";
import type { BackupsEvent } from "../backups/backups.ts";
import type { PoolEvent } from "../executors/executor-pool-options.ts";

/** Levels of the log. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What is written of each event, and how grave it is. */
const SAID: Readonly<
  Record<(PoolEvent | BackupsEvent)["what"], readonly ["info" | "warn" | "error", string]>
> = {
  killed: ["warn", "a statement ran past its time limit; its executor was killed"],
  throttled: ["warn", "statements of a tenant ran past their time limit again; it is kept out for a while"],
  ended: ["info", "an executor ended"],
  failed: ["warn", "an executor could not be started; it is tried again"],
  recycled: ["info", "an executor had grown and is replaced"],
  "litestream-started": ["info", "Litestream was started"],
  "litestream-ended": ["warn", "Litestream ended; it is started again"],
  "litestream-said": ["info", "Litestream says"],
  "replica-lost": ["error", "another server has taken the replica; nothing is replicated any more"],
  apart: ["warn", "a tenant takes most of an executor's time; it runs apart"],
};

/** Writes what happens to executors and to Litestream. */
export function serverLog(level: LogLevel): (event: PoolEvent | BackupsEvent) => void {
  const log = pino({ name: "tenantry", level }, destination({ fd: 2, sync: true }));
  return ({ what, ...details }) => {
    const [gravity, message] = SAID[what];
    const crashed = "reason" in details && details.reason === "crashed";
    log[crashed ? "warn" : gravity]({ event: what, ...details }, message);
  };
}
