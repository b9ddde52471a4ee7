// Owns a tenant's database as the main process sees it: statements and transactions that run in its executor.
// Whoever calls it cannot tell it from one in this process.
import { deserialize, serialize } from "node:v8";
import type { DatabaseRunner } from "../database/tenant-database.ts";
import type { ExecResult, ResultSet, RunOptions, SqlRunner, Statement } from "../drivers/driver.ts";
import { inspectStatement } from "../sql/inspect-statement.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import type { Executor } from "./executor.ts";
import type { Job, Lane } from "./lane.ts";
import type { Ask, SqlAsk } from "./messages.ts";

/** What a runner needs of its pool. */
export interface RemoteRunnerParts {
  /** Where the tenant belongs now. */
  readonly lane: () => Lane;
  /** Runs a job in its turn. */
  readonly run: (job: Job) => void;
  readonly timeoutMs: number;
}

/** The tenant's database, by the portable contract. */
export function remoteRunner(tenant: string, { lane, run, timeoutMs }: RemoteRunnerParts): DatabaseRunner {
  const runner = sqlRunner((ask) =>
    value(tenant, timeoutMs, ask, (job, startBefore) => ["sql", job, tenant, startBefore], run),
  );
  return {
    ...runner,
    async transaction(mode, fn, options = {}) {
      const place = lane();
      const executor = await place.executor();
      const open = await beginOn(executor, (job) => ["begin", job, tenant, mode, options.timeoutMs ?? null]);
      const tx = sqlRunner((ask) =>
        value(
          tenant,
          timeoutMs,
          ask,
          (job) => ["tx", job, open.number],
          (job) => place.runOn(executor, job),
        ),
      );
      try {
        const result = await Promise.race([fn(tx), open.ended]);
        executor.follow(["end", 0, open.number, "commit"]);
        await open.done;
        return result as Awaited<ReturnType<typeof fn>>;
      } catch (error) {
        executor.follow(["end", 0, open.number, "rollback"]);
        throw error;
      }
    },
  };
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
  /** Fulfils when it was committed. */
  readonly done: Promise<void>;
}

async function beginOn(executor: Executor, make: (job: number) => Ask): Promise<Begun> {
  const opened = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<never>();
  let open = false;
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
    onLost: () =>
      fail(
        new TenantryError(
          "OUTCOME_UNKNOWN",
          "The process that held the transaction ended: it was rolled back, unless it was being committed.",
          {
            hint: "Look whether it was done before you do it again.",
            retryAfterSeconds: 1,
          },
        ),
      ),
  });
  await opened.promise;
  return { number, ended: ended.promise, done: done.promise };
}

function reads(sql: string): boolean {
  try {
    return inspectStatement(sql).needs === "read";
  } catch (error) {
    if (isTenantryError(error)) return false;
    throw error;
  }
}
