// Owns what is said of a job that got no answer of its own.
// Does not decide which of it.
import { TenantryError } from "../tenantry-error.ts";
import type { Job } from "./job.ts";

const LATER = { hint: "Try again in a moment.", retryAfterSeconds: 1 };

/** Its statement was ended at its time limit. */
export function timedOut({ tenant, timeoutMs }: Job): TenantryError {
  return new TenantryError(
    "STATEMENT_TIMEOUT",
    `The statement ran for more than ${timeoutMs} ms and was ended.`,
    { tenant, hint: "Look at its plan with EXPLAIN QUERY PLAN; add an index or a LIMIT." },
  );
}

/** It waited for something, and its time was up. */
export function waitedTooLong({ tenant, timeoutMs }: Job): TenantryError {
  return new TenantryError(
    "STATEMENT_TIMEOUT",
    `The request waited for more than ${timeoutMs} ms, such as for another writer.`,
    { tenant, hint: "Send it again; keep transactions short." },
  );
}

/** It may have been done, and nobody knows. */
export function unknownOutcome({ tenant }: Job): TenantryError {
  return new TenantryError(
    "OUTCOME_UNKNOWN",
    "The process that ran this had not answered when it ended, or the time was up: it was done, or it was not.",
    {
      tenant,
      hint: "Look whether it was done before you send it again, or send writes with an Idempotency-Key.",
    },
  );
}

/** It was in line until its time was up. */
export function overloaded({ tenant }: Job): TenantryError {
  return new TenantryError(
    "OVERLOADED",
    "The request waited for its turn until its time was up. Nothing of it was done.",
    { tenant, ...LATER },
  );
}

/** Others kept its executor busy until its time was up. */
export function crowdedOut({ tenant, timeoutMs }: Job): TenantryError {
  return new TenantryError(
    "OVERLOADED",
    `There was no answer within ${timeoutMs} ms: other statements kept the executor busy.`,
    { tenant, ...LATER, hint: "Send it again; that does no harm." },
  );
}

/** It was lost, run again, and lost again. */
export function lostAgain({ tenant }: Job): TenantryError {
  return new TenantryError(
    "EXECUTOR_FAILED",
    "The process that ran this ended, and so did the next one, before there was an answer.",
    { tenant, ...LATER, hint: "Send it again; that does no harm." },
  );
}
