// Owns bringing back, on first use, the file of a tenant that has left this disk, or has never been on it.
// Does not decide who leaves: disk-budget.ts and a recovery do.
import type { TenantRecord } from "../catalog/tenant-record.ts";
import type { DatabaseFiles, Driver } from "../drivers/driver.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import type { FileExaminer } from "./file-examiner.ts";
import type { Replica } from "./replica.ts";
import { lockTenant } from "./tenant-lock.ts";

/** Milliseconds that a request waits for its tenant's file before it is told to come again. */
export const DEFAULT_HYDRATE_WAIT_MS = 5_000;

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
}

/** Brings files back. */
export class Hydration {
  readonly #parts: HydrationParts;
  /** By incarnation: what is on its way, and what has just failed. */
  readonly #under = new Map<string, Promise<TenantRecord>>();

  constructor(parts: HydrationParts) {
    this.#parts = parts;
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
    const fetched = this.#bring(record);
    this.#under.set(incarnation, fetched);
    fetched.then(
      () => this.#under.delete(incarnation),
      () => setTimeout(() => this.#under.delete(incarnation), FAILURE_MS).unref(),
    );
    return fetched;
  }

  /** Waits until nothing is on its way any more. */
  async close(): Promise<void> {
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
      await using scratch = await files.scratch();
      try {
        await (await replica()).restore(now, { kind: "replica" }, scratch.path);
        await examiner.examine({ path: scratch.path, check: true });
      } catch (error) {
        throw isTenantryError(error) ? withTenant(id, error) : error;
      }
      const staged = await driver.stage(id, { file: scratch.path });
      try {
        // Litestream begins anew with a file that it has not followed: on a line of its own.
        await catalog.backups.raiseEpoch(now);
        // A file that is there has been left by whoever was killed in the midst of this, or of taking it away.
        await driver.remove(id);
        await staged.commit();
      } finally {
        await staged.discard();
      }
      const here = await catalog.backups.setAway(now, null);
      if (!here) throw goneMeanwhile(id);
      return here;
    }
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
