// Owns bringing many tenants to the current schema: whom the catalog names, a few at a time, on past failures.
// Does not know what a migration does to one database.
import type { LiveTenantState, TenantRecord } from "../catalog/tenant-record.ts";
import type { TenantId } from "../tenant-id.ts";
import { isTenantryError, type ErrorCode } from "../tenantry-error.ts";
import { type Elsewhere, HERE } from "./acts.ts";
import type { Tenants } from "./tenants.ts";
import { findTenant } from "./find-tenant.ts";

export const DEFAULT_MIGRATE_CONCURRENCY = 4;

/**
 * States in which a tenant that is behind is migrated without being asked for. A suspended tenant's file is
 * the operator's, to copy or replace: its first use after it is resumed migrates it.
 */
const SWEPT_STATES: readonly LiveTenantState[] = ["active", "migrating"];

/** What a tenant says that has been suspended or deleted since the catalog named it: it is no failure. */
const STOPPED_MEANWHILE: ReadonlySet<ErrorCode> = new Set([
  "TENANT_NOT_FOUND",
  "TENANT_STATE",
  "TENANT_SUSPENDED",
]);

/** Options of {@link FleetMigration.run}. */
export interface MigrateAllOptions {
  /** Databases migrated at the same time. @default 4 */
  readonly concurrency?: number;
  /** Try the quarantined tenants, and only those. @default false */
  readonly retry?: boolean;
  /** Called after each tenant. */
  readonly onProgress?: (progress: MigrateProgress) => void;
  /** Stops after the tenants under way. */
  readonly signal?: AbortSignal;
}

/** How far it is. */
export interface MigrateProgress {
  readonly tenant: TenantId;
  readonly done: number;
  readonly total: number;
  readonly failed: number;
}

/** A tenant that could not be migrated. */
export interface MigrateFailure {
  readonly tenant: TenantId;
  readonly code: ErrorCode;
  readonly message: string;
}

/** What a run did. */
export interface MigrateAllResult {
  /** Tenants that the catalog said were behind; some of them may have been stopped or deleted since. */
  readonly behind: number;
  readonly migrated: number;
  readonly failed: readonly MigrateFailure[];
}

/** Migrates the fleet. */
export class FleetMigration {
  readonly #tenants: Tenants;
  readonly #elsewhere: Elsewhere;

  /** @param elsewhere who works on whole databases; {@link run}, which is the whole program's work, does it here */
  constructor(tenants: Tenants, elsewhere = HERE) {
    this.#tenants = tenants;
    this.#elsewhere = elsewhere;
  }

  /** How many tenants {@link run} would visit: one question to the catalog. */
  async countBehind({ retry = false }: { readonly retry?: boolean } = {}): Promise<number> {
    const { catalog, migrations } = this.#tenants;
    return retry ? (await catalog.count()).quarantined : catalog.countBehind(migrations.hash, SWEPT_STATES);
  }

  /**
   * The tenants that {@link run} would visit. To be tried again are all quarantined ones, also where the
   * migration that failed is gone, and nothing is left to be applied.
   */
  behind({ retry = false }: { readonly retry?: boolean } = {}): AsyncGenerator<
    TenantRecord,
    void,
    undefined
  > {
    const { catalog, migrations } = this.#tenants;
    return retry ? catalog.iterate({ state: "quarantined" }) : catalog.behind(migrations.hash, SWEPT_STATES);
  }

  /** Migrates every tenant that is behind, past failures, which are quarantined and named in the result. */
  async run({
    concurrency = DEFAULT_MIGRATE_CONCURRENCY,
    retry = false,
    onProgress,
    signal,
  }: MigrateAllOptions = {}): Promise<MigrateAllResult> {
    const total = await this.countBehind({ retry });
    const queue = this.behind({ retry });
    const failed: MigrateFailure[] = [];
    let migrated = 0;
    let done = 0;
    let stopped = false;
    const work = async (): Promise<void> => {
      for (;;) {
        if (stopped || signal?.aborted) return;
        const next = await queue.next();
        if (next.done) return;
        const tenant = next.value;
        const failure = await this.#migrate(tenant);
        if (failure && !STOPPED_MEANWHILE.has(failure.code)) failed.push(failure);
        else if (!failure) migrated++;
        onProgress?.({ tenant: tenant.id, done: ++done, total, failed: failed.length });
      }
    };
    const worked = Array.from({ length: concurrency }, work);
    try {
      await Promise.all(worked);
    } finally {
      // Nothing runs on behind the back of who hears of a fault in here.
      stopped = true;
      await Promise.allSettled(worked);
      await this.#tenants.catalog.flush();
    }
    return { behind: total, migrated, failed };
  }

  /** Migrates one tenant, quarantined or not. @throws {TenantryError} `TENANT_NOT_FOUND`, `MIGRATION_FAILED` */
  async one(id: TenantId): Promise<TenantRecord> {
    const elsewhere = this.#elsewhere();
    if (elsewhere) return elsewhere.migrate(id);
    const { catalog } = this.#tenants;
    const record = await findTenant(catalog, id);
    await this.#bringUp(record);
    await catalog.flush();
    return (await catalog.get(id)) ?? record;
  }

  async #migrate(record: TenantRecord): Promise<MigrateFailure | undefined> {
    try {
      await this.#bringUp(record);
      return undefined;
    } catch (error) {
      if (!isTenantryError(error)) throw error;
      return { tenant: record.id, code: error.code, message: error.message };
    }
  }

  async #bringUp(record: TenantRecord): Promise<void> {
    const { catalog } = this.#tenants;
    await this.#tenants.visit(record, (handle) => this.#tenants.bringUp(record, handle));
    if (record.state !== "quarantined") return;
    await catalog.setState(
      record.id,
      { from: ["quarantined"], to: "active", incarnation: record.incarnation },
      "migrations",
    );
  }
}
