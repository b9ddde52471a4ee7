// Owns work that outlasts a request: what runs, how far it is, what came of it, for as long as anybody may ask.
// Does not know what the work is. A job ends with its process: whatever it does has to bear that.
import { randomUUID } from "node:crypto";
import type { TenantId } from "../tenant-id.ts";
import { shuttingDown } from "../shutting-down.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";

/** Jobs that are remembered once they have ended. */
export const MAX_ENDED_JOBS = 1000;

/** What a job does. */
export type JobKind = "restore" | "snapshot" | "verify" | "erase";

/** A job, as it is told of. */
export interface Job {
  readonly id: string;
  readonly kind: JobKind;
  /** Null for one over many tenants. */
  readonly tenant: TenantId | null;
  readonly state: "running" | "done" | "failed";
  /** How far it is: the name of a phase, or of a count such as `3 of 20`. */
  readonly phase: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly endedAt: number | null;
  /** What it gave; null until it is done. */
  readonly result: unknown;
  readonly error: { readonly code: string; readonly message: string; readonly hint?: string } | null;
}

/** What a job's work is given. */
export interface JobControls {
  readonly report: (phase: string) => void;
  readonly signal: AbortSignal;
}

/** Runs jobs. Close it. */
export class Jobs {
  readonly #jobs = new Map<string, Job>();
  readonly #running = new Set<Promise<void>>();
  readonly #ending = new AbortController();
  readonly #failures = new Map<JobKind, number>();

  /** Starts a job. @throws {TenantryError} `CLOSED` */
  start(kind: JobKind, tenant: TenantId | null, work: (controls: JobControls) => Promise<unknown>): Job {
    if (this.#ending.signal.aborted) throw shuttingDown();
    const id = randomUUID();
    const job: Job = {
      id,
      kind,
      tenant,
      state: "running",
      phase: "starting",
      startedAt: Date.now(),
      endedAt: null,
      result: null,
      error: null,
    };
    this.#jobs.set(id, job);
    const change = (changed: Partial<Job>): void => {
      const now = this.#jobs.get(id);
      if (now) this.#jobs.set(id, { ...now, ...changed });
    };
    const running = work({ report: (phase) => change({ phase }), signal: this.#ending.signal })
      .then(
        (result) => change({ state: "done", phase: "done", result: result ?? null, endedAt: Date.now() }),
        (error: unknown) => {
          this.#failures.set(kind, (this.#failures.get(kind) ?? 0) + 1);
          change({ state: "failed", error: told(error), endedAt: Date.now() });
        },
      )
      .finally(() => {
        this.#running.delete(running);
        this.#forgetOldest();
      });
    this.#running.add(running);
    return job;
  }

  /** A job that is remembered. */
  find(id: string): Job | undefined {
    return this.#jobs.get(id);
  }

  /** @throws {TenantryError} `NOT_FOUND` */
  get(id: string): Job {
    const job = this.#jobs.get(id);
    if (job) return job;
    throw new TenantryError("NOT_FOUND", "There is no such job.", {
      hint: "Jobs are forgotten when the server ends, and some time after they have; the audit log stays.",
    });
  }

  /** How many have failed, by kind. */
  failures(): ReadonlyMap<JobKind, number> {
    return this.#failures;
  }

  /** Newest first. */
  list(): Job[] {
    return [...this.#jobs.values()].toReversed();
  }

  /** Stops what runs, and waits until it has stopped. Idempotent. */
  async close(): Promise<void> {
    this.#ending.abort(shuttingDown());
    await Promise.all(this.#running);
  }

  #forgetOldest(): void {
    let ended = this.#jobs.size - this.#running.size;
    for (const { id, state } of this.#jobs.values()) {
      if (ended <= MAX_ENDED_JOBS) return;
      if (state === "running") continue;
      this.#jobs.delete(id);
      ended--;
    }
  }
}

function told(error: unknown): NonNullable<Job["error"]> {
  if (isTenantryError(error)) {
    const { code, message, hint } = error;
    return { code, message, ...(hint !== undefined && { hint }) };
  }
  console.error(error);
  return { code: "INTERNAL", message: "Something of Tenantry's own went wrong: the server's log has it." };
}
