// Owns who leaves this disk when it is to hold less: cold tenants, of whom the replica is known to have everything.
// Brings nobody back: hydration.ts does.
import type { TenantRecord } from "../catalog/tenant-record.ts";
import type { Driver } from "../drivers/driver.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import type { Tenants } from "../tenants/tenants.ts";
import type { Replica } from "./replica.ts";
import { LEAVING_REASON } from "./restores.ts";
import { lockTenant } from "./tenant-lock.ts";

/** Milliseconds between two looks at how much there is. */
export const DEFAULT_BUDGET_LOOK_MS = 60_000;

/** Milliseconds for which a tenant must not have been opened. */
export const DEFAULT_COLD_MS = 600_000;

/** Tenants that are looked at for each look. */
const CANDIDATES = 500;
/** Milliseconds that a tenant's last request is given: who is in use is not cold. */
const DRAIN_MS = 200;

/** What a {@link DiskBudget} works on. */
export interface DiskBudgetParts {
  /** The data folder. */
  readonly dir: string;
  readonly tenants: Tenants;
  readonly driver: Driver;
  /** @throws {TenantryError} `BACKUPS_UNAVAILABLE` */
  readonly replica: () => Promise<Replica>;
  /** Bytes that the tenants' databases may have on this disk. */
  readonly maxBytes: number;
  /** Milliseconds. @default 600000 */
  readonly coldMs?: number | undefined;
  /** Milliseconds. @default 60000 */
  readonly lookMs?: number | undefined;
  /** Told why somebody did not leave, or why a look failed. */
  readonly onProblem?: ((message: string) => void) | undefined;
}

/** What a look did. */
export interface BudgetLook {
  /** Bytes of the databases that were here. */
  readonly bytes: number;
  /** Tenants that left. */
  readonly left: number;
  /** Why the last one that was to leave did not; null where all did. */
  readonly problem: string | null;
}

/** Keeps the disk within its budget. Dispose of it. */
export class DiskBudget implements Disposable {
  readonly #parts: DiskBudgetParts;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<BudgetLook> | undefined;

  constructor(parts: DiskBudgetParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => this.#lookAndTell(), parts.lookMs ?? DEFAULT_BUDGET_LOOK_MS);
    this.#timer.unref();
  }

  /** Looks now. Two at once are one. @throws {TenantryError} `DATABASE_*` of the catalog */
  look(): Promise<BudgetLook> {
    return (this.#looking ??= this.#look().finally(() => (this.#looking = undefined)));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #lookAndTell(): void {
    const { onProblem } = this.#parts;
    this.look().then(
      ({ problem }) => problem !== null && onProblem?.(problem),
      (error: unknown) => onProblem?.(error instanceof Error ? error.message : String(error)),
    );
  }

  async #look(): Promise<BudgetLook> {
    const { tenants, maxBytes, coldMs = DEFAULT_COLD_MS } = this.#parts;
    const { backups } = tenants.catalog;
    await tenants.catalog.flush();
    const bytes = await backups.bytesHere();
    let over = bytes - maxBytes;
    let left = 0;
    let problem: string | null = null;
    if (over <= 0) return { bytes, left, problem };
    for (const record of await backups.coldest(CANDIDATES, Date.now() - coldMs)) {
      if (over <= 0 || this.#timer === undefined) break;
      try {
        await this.#leave(record);
        over -= record.sizeBytes;
        left++;
      } catch (error) {
        if (!isTenantryError(error)) throw error;
        problem = error.message;
      }
    }
    return { bytes, left, problem };
  }

  /** @throws {TenantryError} why it stays, and then nothing has changed */
  async #leave(record: TenantRecord): Promise<void> {
    const { dir, tenants, driver, replica } = this.#parts;
    const { catalog } = tenants;
    const { id, incarnation } = record;
    using lock = await lockTenant(dir, id);
    if (!lock) throw staysHere(id, "is being restored");
    // What the catalog says is asked of the replica itself: from here on there is no other copy.
    await (await replica()).plan(record, { kind: "replica" });
    const paused = await catalog.setState(
      id,
      { from: ["active"], to: "moving", reason: LEAVING_REASON, incarnation },
      "disk-budget",
    );
    try {
      await tenants.drain(paused, DRAIN_MS);
      const now = await catalog.get(id, { fresh: true });
      if (now?.backupState !== "clean" || now.backupTxid !== record.backupTxid) {
        throw staysHere(id, "has been written to");
      }
      await catalog.backups.setAway(now, Date.now());
      await driver.remove(id);
    } finally {
      await catalog.setState(id, { from: ["moving"], to: "active", incarnation }, "disk-budget");
    }
  }
}

function staysHere(tenant: string, why: string): TenantryError {
  return new TenantryError("TENANT_BUSY", `Tenant "${tenant}" ${why}: its file stays on this disk.`, {
    tenant,
  });
}
