// Owns lending the raw connection to a synchronous function, and what the function may have left behind.
// Does not wait for anyone: the handle lends it while no other writer is at work.
import type Database from "better-sqlite3";
import { TenantryError } from "../../tenantry-error.ts";
import type { Connection } from "./connection.ts";
import { rolledBack } from "./local-transaction.ts";

/** How a loan ended. */
export interface Loan<T> {
  /** Whether others can go on with the connection. */
  readonly usable: boolean;
  /** What the function returned. @throws what it threw, or the error for what it left behind */
  readonly outcome: () => T;
}

/** Runs `fn` with the raw connection, and sets the connection as the others expect it. */
export function lendConnection<T>(connection: Connection, fn: (sqlite: Database.Database) => T): Loan<T> {
  let result: T;
  try {
    result = fn(connection.sqlite);
  } catch (error) {
    return { usable: takeBack(connection) !== "iterator" && connection.open, outcome: failure(error) };
  }
  if (result instanceof Promise) {
    // Its caller is told that it must not be asynchronous, and hears nothing else of it.
    result.catch(() => undefined);
    takeBack(connection);
    // What it still does must not reach a connection that others share.
    return { usable: false, outcome: failure(asynchronous()) };
  }
  switch (takeBack(connection)) {
    case "transaction":
      return { usable: true, outcome: failure(rolledBack()) };
    case "iterator":
      return { usable: false, outcome: failure(iterating()) };
    default:
      return { usable: connection.open, outcome: () => result };
  }
}

/** Says what was left open; a transaction is rolled back. */
function takeBack(connection: Connection): "transaction" | "iterator" | undefined {
  if (!connection.open) return undefined;
  const { inTransaction } = connection;
  try {
    connection.rollback();
    connection.reset();
  } catch (error) {
    if (error instanceof TypeError) return "iterator";
    throw error;
  }
  return inTransaction ? "transaction" : undefined;
}

function failure(error: unknown): () => never {
  return () => {
    throw error;
  };
}

function asynchronous(): TenantryError {
  return new TenantryError("INVALID_ARGUMENT", "withSqlite() takes a synchronous function.", {
    hint: "Use transaction() for work that awaits something.",
  });
}

function iterating(): TenantryError {
  return new TenantryError("INVALID_ARGUMENT", "The function left an iterator open.", {
    hint: "Read iterate() to its end, or use all().",
  });
}
