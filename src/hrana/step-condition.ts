// Owns whether a step of a batch is to run, by what became of the steps before it.
// Runs nothing.
import type { BatchCond } from "./stream-request.ts";

/** Of each step so far whether it succeeded; undefined where it was skipped. */
export type Outcomes = (boolean | undefined)[];

/** Whether a condition holds. @param connection says whether no transaction is open now */
export function conditionHolds(
  condition: BatchCond,
  outcomes: Outcomes,
  connection: { readonly autocommits: boolean },
): boolean {
  switch (condition.type) {
    case "ok":
      return outcomes[condition.step] === true;
    case "error":
      return outcomes[condition.step] === false;
    case "not":
      return !conditionHolds(condition.cond, outcomes, connection);
    case "and":
      return condition.conds.every((one) => conditionHolds(one, outcomes, connection));
    case "or":
      return condition.conds.some((one) => conditionHolds(one, outcomes, connection));
    case "is_autocommit":
      return connection.autocommits;
  }
}
