// Owns the shape of the contract's cases and the two ways in which they look at errors.
// Knows no driver.
import type { D1Database } from "@cloudflare/workers-types";
import { expect } from "vitest";

/** Cases by name, each with a fresh database. */
export type ContractCases = Readonly<Record<string, (db: D1Database) => Promise<void>>>;

/** The error that `promise` rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ("value" in outcome) expect.unreachable(`fulfilled with ${JSON.stringify(outcome.value)}`);
  expect(outcome.error).toBeInstanceOf(Error);
  return outcome.error as Error;
}

/**
 * Expects D1's form of an SQL error: `D1_ERROR: <SQLite's message>: <primary code>`, and the same without the
 * prefix as its cause, where the codes may be missing. The offset and the extended code are workerd's alone.
 */
export async function expectSqlError(
  promise: Promise<unknown>,
  message: string,
  code: string,
  extended?: string,
): Promise<void> {
  const error = await rejection(promise);
  const form = /^D1_ERROR: (.+?)(?: at offset \d+)?: (SQLITE_[A-Z]+)(?: \(extended: (SQLITE_[A-Z_]+)\))?$/s;
  const [, said, primary, more] = form.exec(error.message) ?? [error.message, error.message];
  expect([said, primary]).toEqual([message, code]);
  if (more !== undefined) expect(more).toBe(extended);
  expectCause(error, message);
}

/** Expects an error as cause whose message begins with `message`, without D1's prefix. */
export function expectCause(error: Error, message: string): void {
  expect(error.cause).toBeInstanceOf(Error);
  expect((error.cause as Error).message.slice(0, message.length)).toBe(message);
}
