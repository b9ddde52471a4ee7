// Owns the one write of a request that is done once, on databases that keep what it gave.
// Keeps nothing itself.
import type { ExecResult, OnceKey, ResultSet, RunOptions, SqlRunner, Statement } from "../drivers/driver.ts";
import { inspectStatement } from "../sql/inspect-statement.ts";
import { TenantryError } from "../tenantry-error.ts";

/** Runs a request's statements: reads as they are, and one write, alone or as a batch, under its key. */
export class OnceRunner implements SqlRunner {
  readonly #runner: SqlRunner;
  readonly #once: OnceKey;
  #wrote = false;
  #replayed = false;

  constructor(runner: SqlRunner, once: OnceKey) {
    this.#runner = runner;
    this.#once = once;
  }

  /** Whether the write had been done before. */
  get replayed(): boolean {
    return this.#replayed;
  }

  async run(statement: Statement, options?: RunOptions): Promise<ResultSet> {
    if (onlyReads(statement)) return this.#runner.run(statement, options);
    const result = await this.#runner.run(statement, this.#underKey(options));
    this.#replayed = result.replayed === true;
    return result;
  }

  async batch(statements: readonly Statement[], options?: RunOptions): Promise<ResultSet[]> {
    if (statements.every(onlyReads)) return this.#runner.batch(statements, options);
    const results = await this.#runner.batch(statements, this.#underKey(options));
    this.#replayed = results[0]?.replayed === true;
    return results;
  }

  exec(): Promise<ExecResult> {
    return Promise.reject(severalWrites());
  }

  #underKey(options: RunOptions | undefined): RunOptions {
    if (this.#wrote) throw severalWrites();
    this.#wrote = true;
    return { ...options, once: this.#once };
  }
}

function onlyReads({ sql }: Statement): boolean {
  return inspectStatement(sql).needs === "read";
}

function severalWrites(): TenantryError {
  return new TenantryError(
    "UNSUPPORTED",
    "Of a request with an Idempotency-Key only one write can be kept here.",
    {
      hint: "Send its statements as one batch.",
    },
  );
}
