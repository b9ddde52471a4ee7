// Owns the Durable Object that is one tenant's database: its calls, what it remembers of itself, its alarm.
// Does not know which tenant it is, who calls it, or what the catalog says.
// oxlint-disable-next-line typescript/triple-slash-reference -- whoever compiles these sources needs the types, too
/// <reference path="./cloudflare-workers.d.ts" />
import { DurableObject } from "cloudflare:workers";
import type { ExecResult, RunOptions, Script, Statement } from "../drivers/driver.ts";
import { keepResults, keptResults, MAX_KEPT_BYTES } from "../drivers/durable-object/kept-results.ts";
import {
  type Answer,
  type ObjectCall,
  type OpenedObject,
  sent,
  type TenantObjectRpc,
} from "../drivers/durable-object/object-rpc.ts";
import { MAX_ANSWER_BYTES, noSize, ObjectSql, type RawResult } from "../drivers/durable-object/object-sql.ts";
import type { ObjectContext, ObjectStorage } from "../drivers/durable-object/object-storage.ts";
import { migrateDatabase } from "../migrations/migrate-database.ts";
import type { MigrationSet } from "../migrations/migration-set.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import { objectHandle } from "./object-handle.ts";

/** Milliseconds after a write at which the object looks after its database: `PRAGMA optimize`. */
export const HOUSEKEEPING_MS = 6 * 60 * 60 * 1000;

/** What the object keeps of itself, beside the SQL. */
interface Identity {
  readonly token: string;
  readonly schemaHash: string;
  /** The bookmark at which the database was made, where the runtime has bookmarks. */
  readonly since?: string;
}

const IDENTITY = "tenantry";

/**
 * A tenant's database. Export it from the Worker, as `export { TenantObject } from "tenantry/drivers/durable-object"`,
 * and bind it with `new_sqlite_classes`.
 */
export class TenantObject<Env = unknown> extends DurableObject<Env> implements TenantObjectRpc {
  readonly #storage: ObjectStorage;
  readonly #sql: ObjectSql;
  #identity: Identity | undefined;
  #alarmIsSet = false;
  /** Whether it ends itself, to begin anew as it was at a bookmark: what is written now would be lost. */
  #restoring = false;

  constructor(ctx: ObjectContext, env: Env) {
    super(ctx, env);
    this.#storage = ctx.storage as ObjectStorage;
    this.#sql = new ObjectSql(this.#storage);
    this.#identity = this.#storage.kv.get<Identity>(IDENTITY);
  }

  async open(): Promise<Answer<OpenedObject | undefined>> {
    if (this.#restoring) this.#beginAnew();
    return { value: this.#identity && this.#opened(this.#identity) };
  }

  async run(token: string, statement: Statement, options?: RunOptions): Promise<Answer<RawResult>> {
    return this.#answer(
      token,
      () => this.#work(options, (as) => [this.#sql.run(statement, as)])[0] as RawResult,
    );
  }

  async each(token: string, calls: readonly ObjectCall[]): Promise<Answer<readonly Answer<RawResult>[]>> {
    return this.#answer(token, () => {
      const answers: Answer<RawResult>[] = [];
      let room = MAX_ANSWER_BYTES;
      for (const { statement, options } of calls) {
        const size = noSize(room);
        try {
          answers.push({ value: this.#noting(this.#sql.run(statement, options, size)) });
        } catch (error) {
          // Undone, and asked for again alone: others' answers have taken its room.
          if (isTenantryError(error, "RESPONSE_TOO_LARGE") && room < (options?.maxBytes ?? MAX_ANSWER_BYTES))
            return answers;
          if (!isTenantryError(error)) throw error;
          answers.push({ error: sent(error) });
        }
        room -= size.bytes;
        if (room <= 0) break;
      }
      return answers;
    });
  }

  async batch(
    token: string,
    statements: readonly Statement[],
    options?: RunOptions,
  ): Promise<Answer<RawResult[]>> {
    return this.#answer(token, () => this.#work(options, (as) => this.#sql.batch(statements, as)));
  }

  async exec(token: string, sql: string): Promise<Answer<ExecResult>> {
    return this.#answer(token, () => this.#sql.exec(sql));
  }

  async script(token: string, script: Script): Promise<Answer<boolean>> {
    return this.#answer(token, () => this.#sql.script(script));
  }

  async migrate(token: string, set: unknown): Promise<Answer<unknown>> {
    return this.#answer(token, async () => {
      const result = await migrateDatabase(objectHandle(this.#sql), set as MigrationSet);
      // Who stopped it meanwhile has given it another token.
      // A database that is ahead of the set is compared anew each time.
      if (this.#identity?.token === token && result.missing.length === 0) {
        this.#remember({ ...this.#identity, schemaHash: result.hash });
      }
      return result;
    });
  }

  async create(expected: string | undefined): Promise<Answer<OpenedObject>> {
    return this.#alone(async () => {
      if (this.#identity?.token !== expected) return { stale: true };
      await this.#empty();
      const since = await this.#bookmarkNow();
      const identity = { token: crypto.randomUUID(), schemaHash: "", ...(since !== undefined && { since }) };
      this.#remember(identity);
      return { value: this.#opened(identity) };
    });
  }

  async stop(): Promise<Answer<string | undefined>> {
    if (this.#restoring) this.#beginAnew();
    if (this.#identity === undefined) return { value: undefined };
    const token = crypto.randomUUID();
    this.#remember({ ...this.#identity, token });
    return { value: token };
  }

  async remove(token: string | undefined): Promise<Answer<boolean>> {
    return this.#alone(async () => {
      if (this.#identity === undefined) return { value: false };
      if (token !== undefined && this.#identity.token !== token) return { stale: true };
      await this.#empty();
      return { value: true };
    });
  }

  async bookmark(token: string, at?: number): Promise<Answer<string>> {
    return this.#answer(token, () =>
      (at === undefined ? this.#storage.getCurrentBookmark() : this.#storage.getBookmarkForTime(at)).catch(
        withoutPast,
      ),
    );
  }

  async restore(token: string, bookmark: string): Promise<Answer<string>> {
    return this.#answer(token, async () => {
      const since = this.#identity?.since;
      // Bookmarks are in the order of time. What lies before is another tenant's, of the same name, or nothing.
      if (since !== undefined && bookmark <= since) throw beforeCreation();
      const undo = await this.#storage.onNextSessionRestoreBookmark(bookmark).catch(withoutPast);
      // The restore happens when the object begins anew: with the next call, as ending it now could end the answer.
      this.#restoring = true;
      return undo;
    });
  }

  /** The object's alarm: keeps the planner's statistics up to date. */
  override async alarm(): Promise<void> {
    this.#alarmIsSet = false;
    this.#storage.sql.exec("PRAGMA optimize");
  }

  #beginAnew(): void {
    this.ctx.abort("The database is being restored to a bookmark.");
  }

  async #answer<T>(token: string, fn: () => T | Promise<T>): Promise<Answer<T>> {
    if (this.#identity?.token !== token) return { stale: true };
    if (this.#restoring) this.#beginAnew();
    try {
      const value = fn();
      return { value: value instanceof Promise ? await value : value };
    } catch (error) {
      if (!isTenantryError(error)) throw error;
      return { error: sent(error) };
    }
  }

  /** Runs statements, or gives what was kept of an earlier time. */
  #work(options: RunOptions | undefined, run: (options?: RunOptions) => RawResult[]): RawResult[] {
    const once = options?.once;
    const kept = once && keptResults(this.#storage, once);
    if (kept) return kept;
    const results = once
      ? this.#sql.atomically(() => {
          const { maxBytes = MAX_KEPT_BYTES } = options;
          const made = run({ ...options, maxBytes: Math.min(maxBytes, MAX_KEPT_BYTES) });
          keepResults(this.#storage, once, made);
          return made;
        })
      : run(options);
    for (const result of results) this.#noting(result);
    return results;
  }

  #noting(result: RawResult): RawResult {
    if (!this.#alarmIsSet && result.meta.changed_db) {
      this.#alarmIsSet = true;
      this.ctx.waitUntil(this.#setAlarm());
    }
    return result;
  }

  /** One that is set stays: an object that is written often would put it off for ever. */
  async #setAlarm(): Promise<void> {
    if ((await this.#storage.getAlarm()) === null) {
      await this.#storage.setAlarm(Date.now() + HOUSEKEEPING_MS);
    }
  }

  /** Nobody else's call is heard while `fn` runs. */
  #alone<T>(fn: () => Promise<Answer<T>>): Promise<Answer<T>> {
    return this.ctx.blockConcurrencyWhile(fn);
  }

  async #empty(): Promise<void> {
    this.#identity = undefined;
    this.#alarmIsSet = false;
    await this.#storage.deleteAll();
  }

  async #bookmarkNow(): Promise<string | undefined> {
    // Local runs have no point-in-time recovery, and say so with an error.
    return this.#storage.getCurrentBookmark().catch(() => undefined);
  }

  #remember(identity: Identity): void {
    this.#storage.kv.put(IDENTITY, identity);
    this.#identity = identity;
  }

  #opened({ token, schemaHash }: Identity): OpenedObject {
    return { token, schemaHash, sizeBytes: this.#storage.sql.databaseSize };
  }
}

/** What the runtime says of a bookmark that it does not have, or of all of them. */
function withoutPast(cause: unknown): never {
  const { message } = cause as Error;
  if (/does not implement/i.test(message)) {
    throw new TenantryError("UNSUPPORTED", "This runtime keeps no past of its objects.", {
      hint: "Cloudflare does; local runs do not.",
      cause,
    });
  }
  throw new TenantryError("INVALID_ARGUMENT", `There is no such moment to go back to: ${message}`, {
    hint: "30 days are kept, and nothing from before the tenant was created.",
    cause,
  });
}

function beforeCreation(): TenantryError {
  return new TenantryError("INVALID_ARGUMENT", "The bookmark is from before this tenant was created.", {
    hint: "Restore to a later one.",
  });
}
