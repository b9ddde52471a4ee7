// Owns the verdict on jobs past their time limit: who waits, who holds the executor, and whether it has to die.
// Kills nobody; the lane does.
import type { TenantryError } from "../tenantry-error.ts";
import type { Executor } from "./executor.ts";
import type { Running } from "./job.ts";
import { crowdedOut, timedOut, unknownOutcome, waitedTooLong } from "./lost-job.ts";

/** Milliseconds in which an executor that runs no statement answers. */
const PONG_MS = 100;

/** What is to be done. */
export interface Judgement {
  /** Jobs that are answered now, and how. */
  readonly given: readonly (readonly [Running, TenantryError])[];
  /** Whether the executor has to be killed; the jobs' verdicts have been set then. */
  readonly kill: boolean;
  /** The tenant whose statement it is killed for; "" where nobody is to blame. */
  readonly blamed: string;
}

/**
 * Finds out what holds the late jobs of an executor up.
 * @param running all that runs, at the time of the call
 * @param hangMs how long an executor may be silent before it is killed though no statement of it is late
 */
export async function judge(
  executor: Executor,
  running: () => readonly Running[],
  hangMs: number,
): Promise<Judgement> {
  const awake = await executor.answers(PONG_MS);
  const now = performance.now();
  const isLate = ({ deadline }: Running): boolean => deadline <= now;
  const open = running().filter((one) => one.executor === executor && !one.answering);
  const late = open.filter(isLate);
  // They wait for something, such as another writer: nobody has to die for that.
  if (awake) return spare(late.map((one) => [one, told(one, waitedTooLong)]));

  const { name, ms } = executor.current();
  const suspects = open.filter(({ job }) => job.tenant === name);
  if (ms >= PONG_MS && suspects.some(isLate)) {
    for (const one of suspects.filter(isLate)) {
      // Of several, one may be done already, and its answer held up by the other.
      one.verdict = suspects.length === 1 ? timedOut(one.job) : told(one, timedOut);
    }
    return { given: [], kill: true, blamed: name };
  }
  // A hang outside of any statement, or one of a request that has been answered already.
  if (suspects.length === 0 && late.length > 0 && executor.silentMs >= hangMs) {
    return { given: [], kill: true, blamed: "" };
  }
  // Whoever holds the executor has time left: a caller with less patience does not end that.
  return spare(late.map((one) => [one, told(one, crowdedOut)]));
}

function spare(given: Judgement["given"]): Judgement {
  return { given, kill: false, blamed: "" };
}

function told({ job }: Running, error: typeof timedOut): TenantryError {
  return job.repeatable() ? error(job) : unknownOutcome(job);
}
