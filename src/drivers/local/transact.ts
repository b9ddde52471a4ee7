// Owns the course of an interactive transaction: its begin, its time limit, its commit.
// What is not committed is rolled back by who lent the connection.
import { MAX_TIMER_MS } from "../../fifo-lock.ts";
import type { SqlRunner, TransactionMode } from "../driver.ts";
import { hasEnded, timedOut } from "../transaction-error.ts";
import type { Connection } from "./connection.ts";
import { LocalTransaction } from "./local-transaction.ts";
import type { TurnQueue } from "./turn-queue.ts";

/** Where a transaction takes place. */
export interface TransactionPlace {
  /** Nobody else's meanwhile. */
  readonly connection: Connection;
  readonly mode: TransactionMode;
  readonly timeoutMs: number;
  readonly turns: TurnQueue;
  /** Runs what may meet a lock, and again until it does not. */
  readonly attempt: (call: () => unknown) => unknown;
}

/** Runs `fn` in a transaction, and commits. @throws {TenantryError} `TRANSACTION_TIMEOUT`; what `fn` throws */
export async function transact<T>(
  fn: (tx: SqlRunner) => Promise<T>,
  { connection, mode, timeoutMs, turns, attempt }: TransactionPlace,
): Promise<T> {
  const { sqlite } = connection;
  await attempt(() => sqlite.exec(mode === "write" ? "BEGIN IMMEDIATE" : "BEGIN"));
  const tx = new LocalTransaction(connection, mode === "read", turns);
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => {
      const error = timedOut(timeoutMs);
      tx.end(error);
      reject(error);
    },
    Math.min(timeoutMs, MAX_TIMER_MS),
  );
  try {
    const result = await Promise.race([fn(tx), late]);
    tx.assertOpen();
    connection.begins();
    await attempt(() => sqlite.exec("COMMIT"));
    return result;
  } finally {
    clearTimeout(timer);
    tx.end(hasEnded());
  }
}
