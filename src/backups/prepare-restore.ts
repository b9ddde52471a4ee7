// Owns bringing what a tenant is to be restored from into a checked scratch file, beside the running tenant.
// Does not touch the tenant: restores.ts does, once the file is ready.
import { existsSync } from "node:fs";
import { copyFile, constants, rm, stat } from "node:fs/promises";
import Database from "better-sqlite3";
import type { TenantRecord } from "../catalog/tenant-record.ts";
import type { DatabaseFiles, ScratchFile } from "../drivers/driver.ts";
import { rethrowAsOurs, syncFile } from "../drivers/local/database-file.ts";
import type { MigrationSet } from "../migrations/migration-set.ts";
import type { TenantId } from "../tenant-id.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import { about } from "../tenants/tenant-errors.ts";
import type { Examined } from "./file-examiner-process.ts";
import type { FileExaminer } from "./file-examiner.ts";
import { replacedFiles } from "./replaced-files.ts";
import type { Replica } from "./replica.ts";
import type { ReplicaSource, RestorePlan, RestoreSource } from "./restore-source.ts";
import type { Snapshots } from "./snapshots.ts";

/** What is needed to prepare a restore. */
export interface PrepareParts {
  /** The data folder. */
  readonly dir: string;
  readonly files: DatabaseFiles;
  readonly snapshots: Snapshots;
  readonly examiner: FileExaminer;
  readonly migrations: MigrationSet;
  /** @throws {TenantryError} `BACKUPS_UNAVAILABLE` where there is none */
  readonly replica: () => Promise<Replica>;
  /** Brings what a tenant wrote up to now into the replica. @returns its last transaction; undefined where nobody can */
  readonly flush: (record: TenantRecord) => Promise<number | undefined>;
}

/** How a restore is followed and stopped. */
export interface PrepareOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called when the next part of the work begins. */
  readonly onPhase?: ((phase: "fetching" | "checking") => void) | undefined;
}

/** A file that is ready to be a tenant's database. Disposing of it removes it, unless it has been taken. */
export interface PreparedRestore extends AsyncDisposable {
  readonly plan: RestorePlan;
  readonly path: string;
  readonly examined: Examined;
}

/** What would come back, without fetching it. @throws {TenantryError} as {@link prepareRestore} does */
export async function planRestore(
  parts: PrepareParts,
  record: TenantRecord,
  source: RestoreSource,
): Promise<RestorePlan> {
  if (source.kind === "replica") {
    return (await parts.replica()).plan(record, source, { flush: () => parts.flush(record) });
  }
  if (source.kind === "snapshot") {
    const { name, at, storedBytes } = await parts.snapshots.find(record.id, source.name);
    return { kind: "snapshot", at, name, bytes: storedBytes };
  }
  const { path, at } =
    source.kind === "file" ? { path: source.path, at: null } : await newestReplaced(parts, record);
  return { kind: source.kind, at, name: path, bytes: (await stat(path).catch(rethrowAsOurs)).size };
}

/**
 * Fetches, checks in full (`integrity_check`) and migrates.
 * @throws {TenantryError} `SNAPSHOT_NOT_FOUND`, `NOTHING_REPLACED`, `REPLICA_*`, `IMPORT_INVALID`,
 * `DATABASE_CORRUPT`, `MIGRATION_FAILED`, `DATABASE_FULL`: nothing has happened to the tenant then
 */
export async function prepareRestore(
  parts: PrepareParts,
  record: TenantRecord,
  source: RestoreSource,
  { signal, onPhase }: PrepareOptions = {},
): Promise<PreparedRestore> {
  const scratch = await parts.files.scratch();
  try {
    onPhase?.("fetching");
    const plan = await fetchInto(parts, record, source, scratch.path, signal);
    signal?.throwIfAborted();
    onPhase?.("checking");
    const examined = await parts.examiner
      .examine({ path: scratch.path, check: true, migrations: parts.migrations })
      .catch((error: unknown) => {
        throw isTenantryError(error, "MIGRATION_FAILED") ? notOfThisSchema(record.id, error) : error;
      });
    // While the tenant serves: the pause has nothing left to wait for.
    await syncFile(scratch.path).catch(rethrowAsOurs);
    signal?.throwIfAborted();
    if (source.kind === "file") assertOfThisSchema(source.path, examined, parts.migrations);
    return { plan, path: scratch.path, examined, [Symbol.asyncDispose]: () => remove(scratch) };
  } catch (error) {
    await remove(scratch);
    throw about(record.id, error);
  }
}

async function fetchInto(
  parts: PrepareParts,
  record: TenantRecord,
  source: RestoreSource,
  to: string,
  signal: AbortSignal | undefined,
): Promise<RestorePlan> {
  if (source.kind === "replica") return fetchReplica(parts, record, source, to, signal);
  const plan = await planRestore(parts, record, source);
  if (source.kind === "snapshot") {
    await parts.snapshots.fetch(await parts.snapshots.find(record.id, plan.name), to);
  } else if (source.kind === "file") {
    // SQLite takes an empty file for an empty database.
    if (plan.bytes === 0) throw unreadable(source.path, "it is empty");
    await copyDatabase(source.path, to);
  } else {
    // Nobody has it open, and a name more for the same bytes costs nothing where the file system can do that.
    await copyFile(plan.name ?? "", to, constants.COPYFILE_FICLONE).catch(rethrowAsOurs);
  }
  return plan;
}

async function fetchReplica(
  { replica, flush }: PrepareParts,
  record: TenantRecord,
  source: ReplicaSource,
  to: string,
  signal: AbortSignal | undefined,
): Promise<RestorePlan> {
  return (await replica()).restore(record, source, to, { signal, flush: () => flush(record) });
}

async function newestReplaced({ dir }: PrepareParts, record: TenantRecord) {
  const [newest] = await replacedFiles(dir, record);
  if (newest) return newest;
  throw new TenantryError("NOTHING_REPLACED", `No restore has replaced anything of tenant "${record.id}".`, {
    tenant: record.id,
    hint: "There is nothing to be undone.",
  });
}

/**
 * Copies a database page by page through SQLite, which sees what is still in its write-ahead log, or in
 * another program's transaction, and changes nothing. @throws {TenantryError} `IMPORT_INVALID`
 */
export async function copyDatabase(file: string, to: string): Promise<void> {
  if (!(await stat(file)).isFile()) throw unreadable(file, "it is no file");
  try {
    const source = new Database(file, { readonly: true, fileMustExist: true, timeout: 5000 });
    try {
      await source.backup(to);
    } finally {
      source.close();
    }
  } catch (error) {
    if (!(error instanceof Database.SqliteError)) throw error;
    throw unreadable(file, error.message, error);
  }
}

function unreadable(file: string, why: string, cause?: Error & { code?: string }): TenantryError {
  return new TenantryError("IMPORT_INVALID", `${file} cannot be read as a SQLite database: ${why}.`, {
    hint: "Name a SQLite 3 file that this user can read.",
    ...(cause?.code !== undefined && { sqliteCode: cause.code }),
    cause,
  });
}

/** A file without a migration of ours is some other database, however well ours run on it. */
function assertOfThisSchema(file: string, { migrated }: Examined, { migrations }: MigrationSet): void {
  if (migrations.length === 0 || (migrated?.applied.length ?? 0) < migrations.length) return;
  throw new TenantryError(
    "IMPORT_INVALID",
    `${file} has none of the migrations: it is no tenant's database.`,
    {
      hint: "Make a new tenant of it, which says what its schema is: tenantry tenants import NAME FILE --baseline",
    },
  );
}

function notOfThisSchema(tenant: TenantId, cause: TenantryError): TenantryError {
  return new TenantryError("MIGRATION_FAILED", `What was to come back cannot be migrated: ${cause.message}`, {
    tenant,
    hint: "Nothing has changed. Restore a later moment, or mend the migration; --to takes it nowhere near this tenant.",
    cause,
  });
}

/** Litestream leaves what it was writing when it is stopped. */
async function remove(scratch: ScratchFile): Promise<void> {
  const unfinished = `${scratch.path}.tmp`;
  if (existsSync(unfinished)) await rm(unfinished, { force: true });
  await scratch[Symbol.asyncDispose]();
}
