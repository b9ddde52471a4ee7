// Owns opening a tenant's database: that it is there, of this incarnation, served, and migrated.
// Keeps none open, and does not decide who may use it.
import type { Catalog } from "../catalog/catalog.ts";
import type { TenantRecord } from "../catalog/tenant-record.ts";
import type { Driver, Handle } from "../drivers/driver.ts";
import { type MigrationResult, migrateDatabase } from "../migrations/migrate-database.ts";
import type { MigrationSet } from "../migrations/migration-set.ts";
import { isTenantryError } from "../tenantry-error.ts";
import type { OpenTenant } from "./backends.ts";
import {
  about,
  assertServing,
  away,
  quarantined,
  replacedMeanwhile,
  unknownTenant,
} from "./tenant-errors.ts";
import type { StoppedElsewhere } from "./stopped-elsewhere.ts";

/** Milliseconds by which the catalog's time of the last opening may be behind. */
const OPENED_WITHIN_MS = 600_000;

/** What a {@link TenantOpener} is made of. */
export interface TenantOpenerParts {
  readonly catalog: Catalog;
  readonly migrations: MigrationSet;
  /** Is told of what is open. */
  readonly stopped: StoppedElsewhere;
  /** Brings the file of a tenant that is away back to this disk. @default nobody can */
  readonly hydrate?: ((record: TenantRecord) => Promise<TenantRecord>) | undefined;
}

/** Opens tenants' databases. */
export class TenantOpener {
  readonly #catalog: Catalog;
  readonly #migrations: MigrationSet;
  readonly #stopped: StoppedElsewhere;
  readonly #hydrate: (record: TenantRecord) => Promise<TenantRecord>;

  constructor({ catalog, migrations, stopped, hydrate }: TenantOpenerParts) {
    this.#catalog = catalog;
    this.#migrations = migrations;
    this.#stopped = stopped;
    this.#hydrate = hydrate ?? (({ id }) => Promise.reject(away(id)));
  }

  /**
   * Opens the database of a tenant, and brings it up to date.
   * @throws {TenantryError} `TENANT_NOT_FOUND`, `TENANT_SUSPENDED`, `TENANT_QUARANTINED`, `DATABASE_*`, …
   */
  async open(found: TenantRecord, driver: Driver): Promise<OpenTenant> {
    const { id } = found;
    const record = found.awaySince === null ? found : await this.#hydrate(found);
    const handle = await driver.open(id, record).catch(async (error: unknown) => {
      if (!isTenantryError(error, "DATABASE_MISSING")) throw error;
      // It may have left this disk since it was looked up.
      const now = await this.#catalog.get(id, { fresh: true });
      throw now?.awaySince === null ? error : replacedMeanwhile(id, "has just left this disk");
    });
    // From here on the watch looks after it, also while it is migrated.
    this.#stopped.opened(record);
    const close = (): Promise<void> => {
      this.#stopped.closed(record);
      return handle.close();
    };
    try {
      assertServing(await this.unchanged(record));
      // What nobody has written to since it was brought up is so still.
      const { hash } = this.#migrations;
      if (handle.note !== hash || record.schemaHash !== hash) {
        const { applied } = await this.bringUp(record, handle);
        if (applied.length === 0) handle.note = hash;
      }
      this.#touch(record, await handle.sizeBytes());
    } catch (error) {
      await close();
      throw isTenantryError(error, "MIGRATION_FAILED") ? quarantined(id, error) : error;
    }
    return { id, handle, limits: record, close };
  }

  /** Brings an open database up to date; quarantines the tenant where one of the files fails on it. */
  async bringUp(record: TenantRecord, handle: Handle): Promise<MigrationResult> {
    try {
      const result = await migrateDatabase(handle, this.#migrations);
      // A database that is ahead, as after a roll-back of the application, is not this process's to describe.
      if (record.schemaHash !== result.hash && result.missing.length === 0) {
        this.#catalog.recordMigrated([record.id], { version: result.version ?? "", hash: result.hash });
      }
      return result;
    } catch (error) {
      if (isTenantryError(error, "MIGRATION_FAILED") && record.state !== "suspended") {
        await this.#quarantine(record, error.message);
      }
      throw about(record.id, error);
    }
  }

  /** Notes the opening, unless one a moment ago has left the same: a write to the catalog costs a tenth of an open. */
  #touch({ id, openedAt, sizeBytes: known }: TenantRecord, sizeBytes: number): void {
    const now = Date.now();
    if (sizeBytes === known && openedAt !== null && now - openedAt < OPENED_WITHIN_MS) return;
    this.#catalog.touch(id, { openedAt: now, sizeBytes });
  }

  /**
   * The tenant as the catalog has it now. Asked when its database is open and nothing has been written yet:
   * another process that suspends or deletes the tenant writes the catalog first and waits for all handles
   * after that, so that one of the two sees the other.
   */
  async unchanged(record: TenantRecord): Promise<TenantRecord> {
    const now = await this.#catalog.get(record.id, { upToNow: true });
    if (now?.incarnation !== record.incarnation) throw unknownTenant(record.id);
    // The file that was opened may be the one that a restore has just replaced, or that has just left this disk.
    if (now.backupEpoch !== record.backupEpoch || now.awaySince !== null) throw replacedMeanwhile(record.id);
    return now;
  }

  async #quarantine({ id, incarnation }: TenantRecord, reason: string): Promise<void> {
    try {
      await this.#catalog.setState(
        id,
        { from: ["active", "migrating", "quarantined"], to: "quarantined", reason, incarnation },
        "migrations",
      );
    } catch (error) {
      // Somebody has suspended or deleted it meanwhile: that is said first.
      if (!isTenantryError(error, "TENANT_STATE") && !isTenantryError(error, "TENANT_NOT_FOUND")) throw error;
    }
  }
}
