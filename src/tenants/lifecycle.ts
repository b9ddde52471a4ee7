// Owns the making and ending of tenants: create, fork, configure, suspend, resume, delete, import, export.
// Does not run their SQL, and does not know HTTP.
import { SYSTEM_ACTOR } from "../catalog/audit-log.ts";
import type { SettingsUpdate, TenantRecord } from "../catalog/tenant-record.ts";
import type { DatabaseSource, Handle } from "../drivers/driver.ts";
import { baseline } from "../migrations/baseline.ts";
import { migrateDatabase } from "../migrations/migrate-database.ts";
import { inspectStatement } from "../sql/inspect-statement.ts";
import type { TenantId } from "../tenant-id.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import { checkSettings, settingsOf } from "./tenant-settings.ts";
import {
  type Act,
  BEING_COPIED,
  type CreateOptions,
  type Elsewhere,
  HERE,
  type ImportOptions,
} from "./acts.ts";
import type { Tenants } from "./tenants.ts";
import { findTenant } from "./find-tenant.ts";
import { about, suspendedInUse } from "./tenant-errors.ts";

/** Milliseconds that running requests are given before a suspension or deletion gives up. */
export const DEFAULT_DRAIN_TIMEOUT_MS = 10_000;

/** The shard of a tenant on a single machine. */
const DEFAULT_SHARD = "default";

/** Options of {@link Lifecycle}. */
export interface LifecycleOptions {
  /** Milliseconds that running requests are given before a suspension or deletion gives up. @default 10000 */
  readonly drainTimeoutMs?: number | undefined;
  /** Whether a new tenant's file is to be replicated from the beginning. @default "none" */
  readonly backupState?: "none" | "dirty" | undefined;
  /** Brings what is committed of a tenant into the replica, before its file is nobody's to have open. */
  readonly bringOver?: ((id: TenantId) => Promise<void>) | undefined;
  /** Waits until all of a tenant is in the replica, if what is acknowledged is to be. @default it is not */
  readonly replicated?: ((record: TenantRecord) => Promise<void> | undefined) | undefined;
  /** Who works on whole databases. @default this process */
  readonly elsewhere?: Elsewhere;
}

/** Makes and ends tenants. */
export class Lifecycle {
  readonly #tenants: Tenants;
  readonly #drainTimeoutMs: number;
  readonly #backupState: "none" | "dirty";
  readonly #elsewhere: Elsewhere;
  readonly #bringOver: ((id: TenantId) => Promise<void>) | undefined;
  readonly #replicated: LifecycleOptions["replicated"];

  constructor(
    tenants: Tenants,
    { drainTimeoutMs, backupState = "none", bringOver, replicated, elsewhere = HERE }: LifecycleOptions = {},
  ) {
    this.#elsewhere = elsewhere;
    this.#replicated = replicated;
    this.#bringOver = bringOver;
    this.#tenants = tenants;
    this.#drainTimeoutMs = drainTimeoutMs ?? DEFAULT_DRAIN_TIMEOUT_MS;
    this.#backupState = backupState;
  }

  /**
   * Creates a tenant with an empty, migrated database. Killed at any point, it leaves no tenant or a whole
   * one.
   * @throws {TenantryError} `TENANT_EXISTS`, `MIGRATION_FAILED`, `DATABASE_FULL`, …; `NOT_REPLICATED` where it is
   * there, and was to be in the replica
   */
  async create(id: TenantId, options: CreateOptions = {}): Promise<TenantRecord> {
    const { migrations } = this.#tenants;
    if (options.empty) return this.#createFrom(id, options, { key: "empty", build: async () => {} });
    return this.#createFrom(id, options, {
      key: migrations.hash,
      build: async (handle) => void (await migrateDatabase(handle, migrations)),
    });
  }

  /**
   * Takes over the database file at `path`, which is gone from its place afterwards, as a new tenant. The
   * file is checked first: `integrity_check`, then the migrations. A file of SQL text, such as a dump, is made
   * a database first.
   * @throws {TenantryError} `TENANT_EXISTS`, `IMPORT_INVALID`, `MIGRATION_FAILED`, `UNSUPPORTED`
   */
  async importFile(id: TenantId, path: string, options: ImportOptions = {}): Promise<TenantRecord> {
    const { driver, migrations } = this.#tenants;
    if (!driver.files) throw cannot(driver.name, "import files");
    const elsewhere = this.#elsewhere();
    if (elsewhere) return elsewhere.importFile(id, path, options);
    await this.assertFree(id);
    if (!(await driver.files.isDatabase(path))) return this.#importText(id, path, options);
    const handle = await driver.files.open(path).catch((error: unknown) => {
      throw refusedFile(id, error);
    });
    try {
      await assertSound(id, handle);
      await assertHarmless(id, handle);
      if (options.baseline) {
        await baseline(handle, migrations, options.baseline === true ? undefined : options.baseline);
      }
      await migrateDatabase(handle, migrations);
    } catch (error) {
      throw refusedFile(id, error);
    } finally {
      await handle.close();
    }
    return this.#createFrom(id, options, { file: path });
  }

  /** Makes a database of SQL text first, and takes that over. */
  async #importText(id: TenantId, path: string, options: ImportOptions): Promise<TenantRecord> {
    const { files } = this.#tenants.driver;
    if (!files) throw cannot(this.#tenants.driver.name, "import files");
    await using made = await files.scratch();
    const maxBytes = options.settings?.maxBytes ?? options.maxBytes;
    await files.load(path, made.path, maxBytes === undefined ? {} : { maxBytes }).catch((error: unknown) => {
      throw about(id, error);
    });
    return await this.importFile(id, made.path, options);
  }

  /** Writes a consistent copy of the tenant's database to a new file at `path`: one file, no side files. */
  async exportFile(id: TenantId, path: string): Promise<void> {
    const elsewhere = this.#elsewhere();
    if (elsewhere) return elsewhere.exportFile(id, path);
    const { catalog } = this.#tenants;
    const record = await findTenant(catalog, id);
    // A suspended tenant can be taken away, too.
    if (record.state === "active") await this.#tenants.use(id, (handle) => handle.snapshot(path));
    else await this.#tenants.visit(record, (handle) => handle.snapshot(path));
  }

  /**
   * Sets a tenant's own limits, its block and its key. They hold for the next statement, in every process.
   * @throws {TenantryError} `TENANT_NOT_FOUND`, `INVALID_ARGUMENT`
   */
  async configure(id: TenantId, settings: SettingsUpdate, { actor }: Act = {}): Promise<TenantRecord> {
    const { catalog } = this.#tenants;
    const checked = await checkSettings(settings);
    const record = await catalog.update(id, checked);
    await catalog.audit({
      action: "tenant.update",
      actor: actor ?? SYSTEM_ACTOR,
      tenant: id,
      detail: checked,
    });
    return record;
  }

  /** Folds the tenant's write-ahead log into its file. @throws {TenantryError} `DATABASE_BUSY`, … */
  async checkpoint(id: TenantId): Promise<void> {
    const { catalog } = this.#tenants;
    const record = await findTenant(catalog, id);
    const fold = async (handle: Handle): Promise<void> => handle.checkpoint?.();
    await (record.state === "active" ? this.#tenants.use(id, fold) : this.#tenants.visit(record, fold));
  }

  /**
   * Makes a new tenant of what `from` holds at this moment, with its settings.
   * @throws {TenantryError} `TENANT_NOT_FOUND`, `TENANT_EXISTS`, `UNSUPPORTED`
   */
  async fork(from: TenantId, to: TenantId, act: Act = {}): Promise<TenantRecord> {
    const { catalog, driver } = this.#tenants;
    if (!driver.files) throw cannot(driver.name, "copy databases");
    const elsewhere = this.#elsewhere();
    if (elsewhere) return elsewhere.fork(from, to, act);
    const source = await findTenant(catalog, from);
    await this.assertFree(to);
    await using copy = await driver.files.scratch();
    await this.exportFile(from, copy.path);
    const handle = await driver.files.open(copy.path);
    try {
      // The copy's keys are its own: what was answered for the other tenant was not done in this one.
      await handle.exec("DROP TABLE IF EXISTS _tenantry_idempotency");
      await migrateDatabase(handle, this.#tenants.migrations);
    } finally {
      await handle.close();
    }
    // Awaited: the copy is removed when this ends.
    return await this.#createFrom(to, { ...act, settings: settingsOf(source) }, { file: copy.path });
  }

  /**
   * Stops serving a tenant. Returns when no process has its database open and all of it lies in its one
   * file, which can then be copied or replaced.
   * @throws {TenantryError} `TENANT_NOT_FOUND`, `TENANT_STATE`, `TENANT_BUSY`: it is suspended then, but
   * something still has it open
   */
  async suspend(
    id: TenantId,
    { reason, actor }: Act & { readonly reason?: string } = {},
  ): Promise<TenantRecord> {
    await this.#bringLastWritesOver(id);
    const record = await this.#tenants.catalog.setState(
      id,
      { from: ["active", "quarantined", "suspended"], to: "suspended", reason: reason ?? null },
      actor,
    );
    await this.#tenants.drain(record, this.#drainTimeoutMs).catch((error: unknown) => {
      throw isTenantryError(error, "TENANT_BUSY") ? suspendedInUse(id, error) : error;
    });
    return record;
  }

  /**
   * What is written after this is brought over by whoever replicates the tenant, if he has it by then. Where he
   * cannot, the tenant stays marked: to wait for a replica that is away would be to keep it from being closed.
   */
  async #bringLastWritesOver(id: TenantId): Promise<void> {
    const { catalog } = this.#tenants;
    const record = this.#bringOver && (await catalog.get(id, { upToNow: true }));
    if (record?.backupState !== "dirty" || record.state === "suspended") return;
    await this.#bringOver?.(id).catch(() => undefined);
  }

  /**
   * Serves a suspended tenant again.
   * @throws {TenantryError} `TENANT_NOT_FOUND`, `TENANT_STATE`; `NOT_REPLICATED` where it serves, and what was put
   * into its place meanwhile was to be in the replica
   */
  async resume(id: TenantId, { actor }: Act = {}): Promise<TenantRecord> {
    const { catalog } = this.#tenants;
    const record = await catalog.setState(id, { from: ["suspended", "active"], to: "active" }, actor);
    if (this.#tenants.driverOf(record).files) await this.#replicated?.(record);
    return record;
  }

  /**
   * Suspends a tenant, waits until nobody uses it, and removes its database. Its name is free afterwards; a
   * new tenant of that name gets a new incarnation. Killed half-way it is suspended, and can be deleted
   * again.
   * @throws {TenantryError} `TENANT_NOT_FOUND`, `TENANT_BUSY`: nothing is removed then
   */
  async delete(id: TenantId, { actor }: Act = {}): Promise<TenantRecord> {
    const { catalog } = this.#tenants;
    const { incarnation } = await this.suspend(id, {
      reason: "being deleted",
      ...(actor !== undefined && { actor }),
    });
    // Under the catalog's lock, or the files could be those of a tenant that was resumed or made meanwhile.
    const whileLocked = async (record: TenantRecord): Promise<void> => {
      await this.#tenants.drain(record, 0);
      await this.#tenants.driverOf(record).remove(id);
    };
    return catalog.setState(id, { from: ["suspended"], to: "deleted", incarnation, whileLocked }, actor);
  }

  async #createFrom(
    id: TenantId,
    { actor, settings = {}, empty = false }: CreateOptions,
    source: DatabaseSource,
  ): Promise<TenantRecord> {
    const { catalog, driver, migrations } = this.#tenants;
    const checked = await checkSettings(settings);
    await this.assertFree(id);
    const staged = await driver.stage(id, source);
    let record: TenantRecord;
    try {
      record = await catalog.create({
        id,
        driver: driver.name,
        shard: DEFAULT_SHARD,
        schemaVersion: empty ? "" : (migrations.version ?? ""),
        schemaHash: empty ? "" : migrations.hash,
        ...(empty && { suspended: BEING_COPIED }),
        sizeBytes: staged.sizeBytes,
        settings: checked,
        actor,
        backupState: driver.files ? this.#backupState : "none",
        provision: () => staged.commit(),
      });
    } catch (error) {
      await staged.discard();
      throw error;
    }
    if (driver.files) await this.#replicated?.(record);
    return record;
  }

  /** Before the work; whether the id is free is decided by the catalog, in the end. @throws {TenantryError} `TENANT_EXISTS` */
  async assertFree(id: TenantId): Promise<void> {
    if (!(await this.#tenants.catalog.get(id))) return;
    throw new TenantryError("TENANT_EXISTS", `There is a tenant "${id}" already.`, {
      tenant: id,
      hint: "Choose another id, or delete that tenant first.",
    });
  }
}

async function assertSound(id: TenantId, handle: Handle): Promise<void> {
  const { rows } = await handle.run({ sql: "PRAGMA integrity_check(10)", params: [] }, { rows: "arrays" });
  const findings = (rows as unknown[][]).map(([finding]) => String(finding));
  if (findings.length === 1 && findings[0] === "ok") return;
  throw new TenantryError(
    "IMPORT_INVALID",
    `The file fails SQLite's integrity_check: ${findings.join("; ")}.`,
    {
      tenant: id,
      hint: "Repair it first: sqlite3 broken.db .recover | sqlite3 repaired.db",
    },
  );
}

/** What a caller may not create, a file may not bring along: its triggers and views run on others' behalf. */
async function assertHarmless(id: TenantId, handle: Handle): Promise<void> {
  const { rows } = await handle.run(
    {
      sql: "SELECT name, sql FROM sqlite_schema WHERE type IN ('trigger', 'view')",
      params: [],
    },
    { rows: "arrays" },
  );
  for (const [name, sql] of rows as [string, string][]) {
    const { kind, refusal } = inspectStatement(sql);
    if (kind !== "refused") continue;
    throw new TenantryError(
      "IMPORT_INVALID",
      `The file's ${JSON.stringify(name)} is refused: ${refusal?.message ?? sql}`,
      {
        tenant: id,
        hint: "Drop it from the file first.",
      },
    );
  }
}

/** A full disk or a lock is not the file's fault. */
function refusedFile(id: TenantId, cause: unknown): unknown {
  if (!isTenantryError(cause, "DATABASE_CORRUPT")) return about(id, cause);
  return new TenantryError("IMPORT_INVALID", "The file is not a SQLite database, or is damaged.", {
    tenant: id,
    hint: "Send a whole SQLite 3 file, such as one written by VACUUM INTO or by an export.",
    cause,
  });
}

function cannot(driver: string, what: string): TenantryError {
  return new TenantryError("UNSUPPORTED", `The driver ${driver} cannot ${what}.`);
}
