// Owns databases as files of one folder: opening, staging a new one, quieting and removing one.
// Does not know which of them are tenants, nor which are open.
import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { access, rename, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import Database from "better-sqlite3";
import { isTenantryError, TenantryError } from "../../tenantry-error.ts";
import type { DatabaseFiles, DatabaseLimits, DatabaseSource, Driver, StagedDatabase } from "../driver.ts";
import { Connection } from "./connection.ts";
import { connectionSettings } from "./connection-settings.ts";
import {
  copyDurably,
  databasePath,
  exists,
  makeFolder,
  presentFiles,
  putInPlace,
  removeDatabase,
  rethrowAsOurs,
  syncFile,
} from "./database-file.ts";
import { loadDump } from "./dump/load-dump.ts";
import { assertNotHollow, isDatabase } from "./file-check.ts";
import { type KnownFile, KnownFiles } from "./known-files.ts";
import { KnownSql } from "./known-sql.ts";
import { LocalHandle } from "./local-handle.ts";
import type { LocalHandleOptions } from "./local-handle-options.ts";
import { SessionPool } from "./session-pool.ts";
import { replaceDatabase } from "./replace-database.ts";
import { fromSqlite, isBusy } from "./sqlite-error.ts";
import { TurnQueue } from "./turn-queue.ts";

export const DEFAULT_CACHE_BYTES = 512 * 1024;
export const DEFAULT_STATEMENT_CACHE_ENTRIES = 64;
export const DEFAULT_BUSY_TIMEOUT_MS = 5_000;
export const DEFAULT_TRANSACTION_TIMEOUT_MS = 5_000;
export const DEFAULT_MAX_SESSIONS = 8;
export const DEFAULT_MAX_SESSIONS_IN_ALL = 48;

/** Unused connections that are kept, of all databases. */
const MAX_SPARE_SESSIONS = 16;

/** Descriptors of an open database: the file, its `-wal` and its `-shm`. */
const DESCRIPTORS_PER_HANDLE = 3;

/** Pages of a log after which SQLite folds it into its database: SQLite's own default. */
export const DEFAULT_CHECKPOINT_PAGES = 1_000;

/**
 * The same where databases are replicated. Folding is the replicator's business: it reads the log, and what is
 * folded behind its back costs it a whole copy. It does so at 1,000 pages; only when it has been away for long
 * does this bound keep a log from filling the disk (64 MB).
 */
export const CHECKPOINT_PAGES_REPLICATED = 16_384;

/** A busy file is asked again after this long at first, and at most this much later in the end, in ms. */
const FIRST_RETRY_MS = 1;
const LAST_RETRY_MS = 50;

/** Options of {@link localDriver}. */
export interface LocalDriverOptions {
  /** The data folder. */
  readonly dir: string;
  /**
   * `normal`: an acknowledged write survives a killed process, a power cut may take the last of them;
   * `full`: it survives a power cut as well, at about nine times the cost of a write.
   * @default "normal"
   */
  readonly durability?: "normal" | "full";
  /** Bytes of page cache for each connection. @default 524288 */
  readonly cacheBytes?: number;
  /** Prepared statements kept for each connection. @default 64 */
  readonly statementCacheEntries?: number;
  /** Milliseconds that a statement waits for another writer. @default 5000 */
  readonly busyTimeoutMs?: number;
  /** Milliseconds that an interactive transaction may take. @default 5000 */
  readonly transactionTimeoutMs?: number;
  /** Connections of one database besides the shared one, for transactions and snapshots. @default 8 */
  readonly maxSessions?: number;
  /** The same of all databases together: two descriptors each, which are not in the handles' budget. @default 48 */
  readonly maxSessionsInAll?: number;
  /** Bytes that one database may grow to; 0 for no limit. @default 0 */
  readonly maxDatabaseBytes?: number;
  /** Is told of every statement, by the name of its database. @default nobody */
  readonly statements?: StatementsWatch;
  /** Pages of a log after which a commit folds it into its database. @default 1000 */
  readonly checkpointPages?: number;
  /** Is asked before and after every write. @default nobody */
  readonly writes?: WritesWatch;
}

/** Is asked before each write of a database, by its name, and before the write is acknowledged. */
export interface WritesWatch {
  before(name: string): Promise<void> | undefined;
  after(name: string): Promise<void> | undefined;
}

/** Is told of statements, by the name of their database. */
export interface StatementsWatch {
  begin(name: string): void;
  end(name: string, ms: number): void;
  /** A caller's statement has run to its end. */
  ran?(name: string, sql: string, ms: number, rowsRead: number, rowsWritten: number): void;
}

/** A {@link Driver} whose databases are files. */
export interface LocalDriver extends Driver<LocalHandle> {
  readonly name: "local";
  readonly dir: string;
  readonly files: DatabaseFiles<LocalHandle>;
  /** Opens the file at `path`, which need not be a tenant's; creates it when `create` says so. */
  openFile(path: string, options?: { readonly create?: boolean }): Promise<LocalHandle>;
}

/**
 * SQLite files below one folder, by better-sqlite3.
 *
 * @example
 * const driver = localDriver({ dir: "./data", durability: "full" });
 */
export function localDriver({
  dir: folder,
  durability = "normal",
  cacheBytes = DEFAULT_CACHE_BYTES,
  statementCacheEntries = DEFAULT_STATEMENT_CACHE_ENTRIES,
  busyTimeoutMs = DEFAULT_BUSY_TIMEOUT_MS,
  transactionTimeoutMs = DEFAULT_TRANSACTION_TIMEOUT_MS,
  maxSessions = DEFAULT_MAX_SESSIONS,
  maxSessionsInAll = DEFAULT_MAX_SESSIONS_IN_ALL,
  maxDatabaseBytes = 0,
  checkpointPages = DEFAULT_CHECKPOINT_PAGES,
  statements,
  writes,
}: LocalDriverOptions): LocalDriver {
  const dir = resolve(folder);
  const parts = {
    turns: new TurnQueue(),
    pool: new SessionPool({
      maxInUse: maxSessionsInAll,
      maxSpare: MAX_SPARE_SESSIONS,
      timeoutMs: busyTimeoutMs,
    }),
  };
  const handleOptions: LocalHandleOptions = {
    settings: connectionSettings({ durability, cacheBytes, checkpointPages }),
    statementCacheEntries,
    busyTimeoutMs,
    transactionTimeoutMs,
    maxSessions,
    maxBytes: maxDatabaseBytes,
    knownSql: new KnownSql(),
  };
  const known = new KnownFiles(dir);
  const templates = new Map<string, Promise<string>>();

  const openHandle = async (
    path: string,
    options: LocalHandleOptions,
    { create = false, file = undefined as KnownFile | undefined } = {},
  ): Promise<LocalHandle> => {
    const shared = await retryWhileBusy(busyTimeoutMs, () => {
      if (create) new Database(path, { timeout: 0 }).close();
      try {
        return new Connection(path, options, file && { sizeBytes: file.sizeBytes, hasLog: file.unchanged });
      } catch (error) {
        // Whoever is waited for writes to it, or puts another in its place.
        file?.forget();
        throw error;
      }
    }).catch((error: unknown) => whyNotOpened(path, error));
    file?.opened();
    return new LocalHandle(path, shared, parts, options, handleOptions, file);
  };
  const openFile: LocalDriver["openFile"] = (path, { create = false } = {}) =>
    openHandle(path, handleOptions, { create });
  const optionsFor = (name: string, limits: DatabaseLimits | undefined): LocalHandleOptions => ({
    ...handleOptions,
    ...(statements && {
      watch: {
        begin: () => statements.begin(name),
        end: (ms) => statements.end(name, ms),
        ran: (sql, ms, read, written) => statements.ran?.(name, sql, ms, read, written),
      },
    }),
    ...(writes && { writes: { before: () => writes.before(name), after: () => writes.after(name) } }),
    maxBytes: limits?.maxBytes ?? maxDatabaseBytes,
    transactionTimeoutMs: limits?.transactionTimeoutMs ?? transactionTimeoutMs,
  });

  const scratchPath = async (): Promise<string> => {
    await makeFolder(join(dir, "scratch"));
    return join(dir, "scratch", `${randomUUID()}.db`);
  };

  const buildTemplate = async (
    key: string,
    build: (handle: LocalHandle) => Promise<void>,
  ): Promise<string> => {
    const path = join(dir, `template-${key}.db`);
    if (await exists(path)) return path;
    const scratch = await scratchPath();
    try {
      const handle = await openFile(scratch, { create: true });
      try {
        await build(handle);
      } finally {
        await handle.close();
      }
      await syncFile(scratch);
      // Another process may have built it meanwhile: the two are the same.
      await rename(scratch, path);
    } finally {
      await removeDatabase(scratch);
    }
    return path;
  };

  const template = (key: string, build: (handle: LocalHandle) => Promise<void>): Promise<string> => {
    let built = templates.get(key);
    if (!built) {
      built = buildTemplate(key, build);
      templates.set(key, built);
      built.catch(() => templates.delete(key));
    }
    return built;
  };

  const fill = async (scratch: string, source: DatabaseSource<LocalHandle>): Promise<void> => {
    if ("file" in source) {
      await assertAlone(source.file);
      await rename(source.file, scratch);
      return syncFile(scratch);
    }
    const path = await template(source.key, source.build);
    try {
      await copyDurably(path, scratch);
    } catch (error) {
      if (await exists(path)) throw error;
      // Somebody has tidied the template away: it is only a copy, and made anew.
      templates.delete(source.key);
      await copyDurably(await template(source.key, source.build), scratch);
    }
  };

  const stage = async (name: string, source: DatabaseSource<LocalHandle>): Promise<StagedDatabase> => {
    const scratch = await scratchPath();
    try {
      await fill(scratch, source);
      const { size } = await stat(scratch);
      return {
        sizeBytes: size,
        commit: () => putInPlace(scratch, databasePath(dir, name), dir).catch(rethrowAsOurs),
        discard: () => removeDatabase(scratch),
      };
    } catch (error) {
      await removeDatabase(scratch);
      return rethrowAsOurs(error);
    }
  };

  return {
    name: "local",
    dir,
    capabilities: { transactions: true, sessions: true, snapshots: true, bigint: true },
    descriptorsPerHandle: DESCRIPTORS_PER_HANDLE,
    openFile,
    files: {
      scratch: async () => {
        const path = await scratchPath();
        return { path, [Symbol.asyncDispose]: () => removeDatabase(path) };
      },
      isDatabase,
      load: loadDump,
      open: async (path) => {
        assertNotHollow(path);
        return openFile(path);
      },
      pathOf: (name) => databasePath(dir, name),
      async replace(name, path, keep) {
        await assertAlone(path);
        const to = databasePath(dir, name);
        // Whoever opens it in this moment meets the lock, and the new file after that.
        const alone = await lockAlone(to, busyTimeoutMs);
        try {
          await replaceDatabase(path, to, keep).catch(rethrowAsOurs);
        } finally {
          alone?.close();
        }
      },
    },
    async open(name, limits) {
      try {
        const file = known.look(name);
        return await openHandle(file.path, optionsFor(name, limits), { file });
      } catch (error) {
        if (!(await exists(databasePath(dir, name)))) throw missing(name, error);
        return rethrowAsOurs(error);
      }
    },
    exists: (name) => exists(databasePath(dir, name)),
    stage,
    async quiesce(name, { timeoutMs }) {
      const path = databasePath(dir, name);
      if (!(await exists(path))) return;
      await retryWhileBusy(timeoutMs, () => {
        // Folding a log that SQLite passes over into the file would remove it.
        assertNotHollow(path);
        openAlone(path).close();
      });
    },
    async remove(name) {
      const path = databasePath(dir, name);
      const alone = await lockAlone(path, busyTimeoutMs);
      try {
        // Whoever opens it in this moment meets the lock, and finds no file after that.
        await removeDatabase(path).catch(rethrowAsOurs);
      } finally {
        alone?.close();
      }
    },
  } satisfies LocalDriver;
}

async function retryWhileBusy<T>(timeoutMs: number, call: () => T): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(waitMs * 2, LAST_RETRY_MS)) {
    try {
      return call();
    } catch (error) {
      if (!isBusy(error) || performance.now() >= deadline) throw fromSqlite(error);
      const { promise, resolve } = Promise.withResolvers<void>();
      setTimeout(resolve, waitMs);
      await promise;
    }
  }
}

/** The same, waited for; undefined where there is nothing that could be locked. */
async function lockAlone(path: string, timeoutMs: number): Promise<Database.Database | undefined> {
  if (!(await exists(path))) return undefined;
  return retryWhileBusy(timeoutMs, () => openAlone(path)).catch(unlessUnusable);
}

/** The only connection of all processes to a database, whose log is folded into it. @throws `SQLITE_BUSY` */
function openAlone(path: string): Database.Database {
  const sqlite = new Database(path, { fileMustExist: true, timeout: 0 });
  try {
    // SQLite allows this only to the one connection that has the file open.
    sqlite.pragma("journal_mode = DELETE");
    sqlite.exec("BEGIN EXCLUSIVE");
    return sqlite;
  } catch (error) {
    sqlite.close();
    throw error;
  }
}

/** SQLite cannot open a database with a log where it may not write, and does not say that this is why. */
async function whyNotOpened(path: string, error: unknown): Promise<never> {
  if (isTenantryError(error, "DATABASE_IO")) await access(dirname(path), constants.W_OK).catch(rethrowAsOurs);
  throw error;
}

/** What is no database, or not there, is nobody's to lock, and can be removed. */
function unlessUnusable(error: unknown): undefined {
  if (isTenantryError(error, "DATABASE_CORRUPT") || isTenantryError(error, "DATABASE_IO")) return undefined;
  throw error;
}

/** Beside a database that somebody still has open lies a log, with commits that the file alone has not. */
async function assertAlone(path: string): Promise<void> {
  const files = await presentFiles(path);
  if (files.length <= 1) return;
  throw new TenantryError(
    "DATABASE_BUSY",
    `The file ${path} is still in use: ${files.slice(1).join(", ")}.`,
    {
      hint: "Close every program that has it open, and try again.",
      retryAfterSeconds: 1,
    },
  );
}

/** Does not say where: callers of the HTTP interface read it. */
function missing(name: string, cause: unknown): TenantryError {
  return new TenantryError("DATABASE_MISSING", `The database file of "${name}" is missing.`, {
    hint: `Put the file back ("tenantry path ${name}" says where), or delete the tenant.`,
    cause,
  });
}
