// Owns bringing back, on first use, the file of a tenant that has left this disk, or has never been on it.
// Does not decide who leaves: disk-budget.ts and a recovery do.
import type { TenantRecord } from "../catalog/tenant-record.ts";
import type { DatabaseFiles, Driver } from "../drivers/driver.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { FifoLock } from "../fifo-lock.ts";
import { shuttingDown } from "../shutting-down.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import type { FileExaminer } from "./file-examiner.ts";
import type { Replica } from "./replica.ts";
import { lockTenant } from "./tenant-lock.ts";

/** Milliseconds that a request waits for its tenant's file before it is told to come again. */
export const DEFAULT_HYDRATE_WAIT_MS = 5_000;

/** Tenants that are fetched at once, of all that are asked for after a disaster: two processes each. */
export const DEFAULT_HYDRATE_CONCURRENCY = 8;

/** Milliseconds for which a fetch waits for its turn. */
const TURN_TIMEOUT_MS = 600_000;
/** Seconds after which who was told to come again should. */
const RETRY_AFTER_SECONDS = 2;
/** Milliseconds for which a failure is told to everybody without another try. */
const FAILURE_MS = 5_000;
/** Milliseconds between two looks at what another process brings back. */
const LOOK_MS = 50;

/** What {@link Hydration} is made of. */
export interface HydrationParts {
  /** The data folder. */
  readonly dir: string;
  readonly catalog: Catalog;
  readonly driver: Driver;
  readonly files: DatabaseFiles;
  readonly examiner: FileExaminer;
  /** @throws {TenantryError} `BACKUPS_UNAVAILABLE` */
  readonly replica: () => Promise<Replica>;
  /** Milliseconds. @default 5000 */
  readonly waitMs?: number | undefined;
  /** Tenants fetched at once. @default 8 */
  readonly concurrency?: number | undefined;
}

/** Brings files back. */
export class Hydration {
  readonly #parts: HydrationParts;
  /** By incarnation: what is on its way, and what has just failed. */
  readonly #under = new Map<string, Promise<TenantRecord>>();
  readonly #turns: FifoLock;
  readonly #ending = new AbortController();

  constructor(parts: HydrationParts) {
    this.#parts = parts;
    this.#turns = new FifoLock({
      permits: parts.concurrency ?? DEFAULT_HYDRATE_CONCURRENCY,
      timeoutMs: TURN_TIMEOUT_MS,
      onTimeout: () =>
        new TenantryError("HYDRATING", "Too many tenants are being brought back at once.", {
          hint: "Try again in a moment.",
          retryAfterSeconds: RETRY_AFTER_SECONDS,
        }),
    });
  }

  /**
   * The tenant once its file is here. All who ask share one fetch, which goes on when they are told to wait.
   * @throws {TenantryError} `HYDRATING` after `waitMs`; `REPLICA_*`, `BACKUPS_UNAVAILABLE`, `DATABASE_FULL`
   */
  async hydrate(record: TenantRecord): Promise<TenantRecord> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(hydrating(record)), this.#parts.waitMs ?? DEFAULT_HYDRATE_WAIT_MS);
    try {
      return await Promise.race([this.bring(record), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The same, however long it takes. */
  bring(record: TenantRecord): Promise<TenantRecord> {
    const { incarnation } = record;
    const under = this.#under.get(incarnation);
    if (under) return under;
    const fetched = this.#turns.run(() => this.#bring(record));
    this.#under.set(incarnation, fetched);
    fetched.then(
      () => this.#under.delete(incarnation),
      () => setTimeout(() => this.#under.delete(incarnation), FAILURE_MS).unref(),
    );
    return fetched;
  }

  /** Stops what is on its way. */
  async close(): Promise<void> {
    this.#ending.abort(shuttingDown());
    await Promise.allSettled(this.#under.values());
  }

  async #bring(record: TenantRecord): Promise<TenantRecord> {
    const { dir, catalog, driver, files, examiner, replica } = this.#parts;
    const { id } = record;
    for (;;) {
      using lock = await lockTenant(dir, id);
      const now = await catalog.get(id, { fresh: true });
      if (now?.incarnation !== record.incarnation) throw goneMeanwhile(id);
      if (now.awaySince === null) return now;
      if (!lock) {
        // Another process has it under way.
        await new Promise<void>((resolve) => void setTimeout(resolve, LOOK_MS));
        continue;
      }
      // What is there was left by whoever was killed in the midst of this, or of taking it away, and is whole; or
      // somebody has put it there.
      if (await driver.exists(id)) return this.#here(now);
      await using scratch = await files.scratch();
      const { signal } = this.#ending;
      try {
        await (await replica()).restore(now, { kind: "replica" }, scratch.path, { signal });
        await examiner.examine({ path: scratch.path, check: true });
      } catch (error) {
        throw isTenantryError(error) ? withTenant(id, error) : error;
      }
      const staged = await driver.stage(id, { file: scratch.path });
      try {
        await staged.commit();
      } finally {
        await staged.discard();
      }
      return this.#here(now);
    }
  }

  async #here(record: TenantRecord): Promise<TenantRecord> {
    const { backups } = this.#parts.catalog;
    // Litestream begins anew with a file that it has not followed: on a line of its own.
    await backups.raiseEpoch(record, true);
    const here = await backups.setAway(record, null);
    if (here) return here;
    throw goneMeanwhile(record.id);
  }
}

function hydrating({ id }: TenantRecord): TenantryError {
  return new TenantryError("HYDRATING", `Tenant "${id}" is being brought back from its replica.`, {
    tenant: id,
    hint: "Its file is not on this disk yet. Try again in a moment.",
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}

function goneMeanwhile(tenant: string): TenantryError {
  return new TenantryError("TENANT_NOT_FOUND", `There is no tenant "${tenant}" any more.`, { tenant });
}

function withTenant(tenant: string, error: TenantryError): TenantryError {
  return new TenantryError(error.code, error.message, { ...error, tenant, cause: error.cause });
}
