// Owns a tenant's database as the main process sees it: statements and transactions that run in its executor.
// Whoever calls it cannot tell it from one in this process.
import { deserialize, serialize } from "node:v8";
import type { DatabaseRunner } from "../database/tenant-database.ts";
import type { ExecResult, ResultSet, RunOptions, SqlRunner, Statement } from "../drivers/driver.ts";
import { inspectStatement } from "../sql/inspect-statement.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import type { Executor } from "./executor.ts";
import type { Job } from "./job.ts";
import type { Lane } from "./lane.ts";
import type { Ask, SqlAsk } from "./messages.ts";

/** What a runner needs of its pool. */
export interface RemoteRunnerParts {
  /** Where the tenant belongs now. */
  readonly lane: () => Lane;
  /** Runs a job in its turn. */
  readonly run: (job: Job) => void;
  /** Milliseconds that a statement may take. */
  readonly timeoutMs: () => number;
}

/** The tenant's database, by the portable contract. */
export function remoteRunner(tenant: string, { lane, run, timeoutMs }: RemoteRunnerParts): DatabaseRunner {
  const runner = sqlRunner((ask) =>
    value(tenant, timeoutMs(), ask, (job, startBefore) => ["sql", job, tenant, startBefore], run),
  );
  return {
    ...runner,
    async transaction(mode, fn, options = {}) {
      const {
        lane: place,
        executor,
        open,
      } = await begin(lane, (job) => ["begin", job, tenant, mode, options.timeoutMs ?? null]);
      let stopped: unknown;
      const tx = sqlRunner((ask) =>
        value(
          tenant,
          timeoutMs(),
          ask,
          (job) => ["tx", job, open.number],
          (job) => place.runOn(executor, job),
        ).catch((error: unknown) => {
          if (isTenantryError(error, "STATEMENT_TIMEOUT")) stopped = error;
          throw error;
        }),
      );
      try {
        const result = await Promise.race([fn(tx), open.ended]);
        open.commits();
        executor.follow(["end", 0, open.number, "commit"]);
        await open.done;
        return result as Awaited<ReturnType<typeof fn>>;
      } catch (error) {
        executor.follow(["end", 0, open.number, "rollback"]);
        // A statement that was killed says more than the end of its transaction.
        throw isTenantryError(error, "EXECUTOR_FAILED") && stopped ? stopped : error;
      }
    },
  };
}

/** Asks an executor for what it has counted of a tenant's statements, or has it forget them one by one. */
export function askFigures(
  tenant: string,
  kind: "figures" | "forget",
  { run, timeoutMs }: Pick<RemoteRunnerParts, "run" | "timeoutMs">,
): Promise<unknown> {
  const ask = { kind, statements: [], options: undefined };
  return value(tenant, timeoutMs(), ask, (job, startBefore) => ["sql", job, tenant, startBefore], run);
}

/** Begins on an executor; on the next one where the first is lost before it has answered. */
async function begin(
  lane: () => Lane,
  make: (job: number) => Ask,
): Promise<{ lane: Lane; executor: Executor; open: Begun }> {
  for (let again = false; ; again = true) {
    const place = lane();
    let executor = await place.executor();
    while (!executor.usable) executor = await place.executor();
    try {
      return { lane: place, executor, open: await beginOn(executor, make) };
    } catch (error) {
      if (again || !isTenantryError(error, "EXECUTOR_FAILED")) throw error;
    }
  }
}

function sqlRunner(send: (ask: SqlAsk) => Promise<unknown>): SqlRunner {
  return {
    run: (statement: Statement, options?: RunOptions) =>
      send({ kind: "run", statements: [statement], options }) as Promise<ResultSet>,
    batch: (statements: readonly Statement[], options?: RunOptions) =>
      send({ kind: "batch", statements, options }) as Promise<ResultSet[]>,
    exec: (sql: string) =>
      send({ kind: "exec", statements: [{ sql, params: [] }], options: undefined }) as Promise<ExecResult>,
  };
}

function value(
  tenant: string,
  timeoutMs: number,
  { kind, statements, options }: SqlAsk,
  make: (job: number, startBefore: number) => Ask,
  run: (job: Job) => void,
): Promise<unknown> {
  const plain = statements.map(({ sql, params }) => ({ sql, params }));
  return new Promise((resolve, reject) => {
    run({
      tenant,
      timeoutMs,
      make,
      body: serialize({ kind, statements: plain, options } satisfies SqlAsk),
      repeatable: () => statements.every(({ sql }) => reads(sql)),
      onValue: (body) => resolve(deserialize(body)),
      onError: reject,
    });
  });
}

interface Begun {
  readonly number: number;
  /** Rejects when the transaction ends by itself, as at its time limit. Never fulfils. */
  readonly ended: Promise<never>;
  /** Says that it is to be committed: from then on nobody knows, where the executor is lost. */
  readonly commits: () => void;
  /** Fulfils when it was committed. */
  readonly done: Promise<void>;
}

async function beginOn(executor: Executor, make: (job: number) => Ask): Promise<Begun> {
  const opened = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<never>();
  let open = false;
  let committing = false;
  const fail = (error: TenantryError): void => {
    opened.reject(error);
    done.reject(error);
    ended.reject(error);
  };
  // Which of the three is awaited depends on how far the transaction came.
  for (const { promise } of [opened, done, ended]) (promise as Promise<unknown>).catch(() => {});
  const number = executor.ask(make, "", {
    onValue: () => {
      if (open) {
        executor.done(number);
        return done.resolve();
      }
      open = true;
      opened.resolve();
    },
    onError: fail,
    onLost: () => fail(committing ? unknownCommit() : rolledBack()),
  });
  await opened.promise;
  return { number, ended: ended.promise, commits: () => (committing = true), done: done.promise };
}

function unknownCommit(): TenantryError {
  return new TenantryError(
    "OUTCOME_UNKNOWN",
    "The process that held the transaction ended while it was being committed: it was, or it was rolled back.",
    { hint: "Look whether it was done before you do it again." },
  );
}

function rolledBack(): TenantryError {
  return new TenantryError(
    "EXECUTOR_FAILED",
    "The process that held the transaction ended, and it was rolled back.",
    { hint: "Run it again.", retryAfterSeconds: 1 },
  );
}

function reads(sql: string): boolean {
  try {
    return inspectStatement(sql).needs === "read";
  } catch (error) {
    if (isTenantryError(error)) return false;
    throw error;
  }
}
