// Owns recognising a batch that is one transaction from its first step to its last, as libSQL's clients send it: where
// there is no connection to pin, it can run as a driver's own batch.
// Runs nothing.
import { inspectStatement } from "../sql/inspect-statement.ts";
import { isTenantryError } from "../tenantry-error.ts";
import type { Batch, BatchCond } from "./stream-request.ts";

/** The steps of such a batch between its `BEGIN` and its `COMMIT`; a `ROLLBACK` comes last. */
export type TransactionSteps = Batch;

/**
 * The steps between `BEGIN` and `COMMIT`, where each runs if the one before it did, and `ROLLBACK` if `COMMIT` did not;
 * undefined for any other batch.
 */
export function wholeTransaction(
  batch: Batch,
  textOf: (step: Batch[number]) => string,
): TransactionSteps | undefined {
  const commit = batch.length - 2;
  if (commit < 1) return undefined;
  const verbs = batch.map((step) => verbOf(textOf(step)));
  const [begin, ...rest] = batch;
  if (verbs[0] !== "BEGIN" || begin?.condition) return undefined;
  if ((verbs[commit] !== "COMMIT" && verbs[commit] !== "END") || verbs[commit + 1] !== "ROLLBACK")
    return undefined;
  if (verbs.slice(1, commit).some((verb) => verb === undefined || ENDS.has(verb))) return undefined;
  const follows = rest.slice(0, -1).every(({ condition }, at) => needsOnly(condition, at));
  const last = rest.at(-1)?.condition;
  const rollsBack = last?.type === "not" && isOk(last.cond, commit);
  return follows && rollsBack ? batch.slice(1, commit) : undefined;
}

const ENDS: ReadonlySet<string> = new Set(["BEGIN", "COMMIT", "END", "ROLLBACK"]);

/** The verb; undefined for a statement that may not stand between `BEGIN` and `COMMIT`. */
function verbOf(sql: string): string | undefined {
  try {
    const { kind, verb } = inspectStatement(sql);
    if (kind !== "transaction") return verb;
    return verb !== "SAVEPOINT" && verb !== "RELEASE" && !/\bTO\b/i.test(sql) ? verb : undefined;
  } catch (error) {
    // What is wrong with it is said when it is to run.
    if (isTenantryError(error)) return "";
    throw error;
  }
}

/** Whether a condition is that `step` succeeded, and at most that a transaction is open besides. */
function needsOnly(condition: BatchCond | undefined, step: number): boolean {
  if (condition === undefined) return false;
  if (isOk(condition, step)) return true;
  return (
    condition.type === "and" &&
    condition.conds.some((one) => isOk(one, step)) &&
    condition.conds.every((one) => isOk(one, step) || isInTransaction(one))
  );
}

const isOk = (condition: BatchCond, step: number): boolean =>
  condition.type === "ok" && condition.step === step;

const isInTransaction = (condition: BatchCond): boolean =>
  condition.type === "not" && condition.cond.type === "is_autocommit";
