// Owns libSQL databases as a driver: remote ones, embedded replicas, and libSQL files of this machine.
// Does not know which of them are tenants, nor which are open.
import { randomUUID } from "node:crypto";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { TenantryError } from "../../tenantry-error.ts";
import type { DatabaseSource, Driver, StagedDatabase } from "../driver.ts";
import { RemoteCalls } from "../remote/remote-calls.ts";
import { stageRemote } from "../remote/remote-provisioner.ts";
import { RemoteSql } from "../remote/remote-sql.ts";
import { type LibsqlCalls, LibsqlConnection } from "./libsql-connection.ts";
import { libsqlFetch, type LibsqlToken } from "./libsql-fetch.ts";
import { LibsqlHandle } from "./libsql-handle.ts";
import { type LibsqlClient, type LibsqlConfig, loadLibsql } from "./libsql-library.ts";
import { isThere, LIBSQL_SUFFIXES } from "./libsql-replica-file.ts";
import { ReplicaSource } from "./libsql-replica-source.ts";
import { LibsqlReplica } from "./libsql-replica.ts";
import { Synchroniser } from "./libsql-synchroniser.ts";
import { type LibsqlDriverOptions, libsqlSettings, noFile, placeOf, primaryOf } from "./libsql-options.ts";

export const LIBSQL_DRIVER_NAME = "libsql";

/** A {@link Driver} whose databases are libSQL's. */
export interface LibsqlDriver extends Driver<LibsqlHandle> {
  /** Opens the database at a URL, which need not be a tenant's. A file is made where there is none. */
  openUrl(url: string): Promise<LibsqlHandle>;
}

/**
 * libSQL databases by `@libsql/client`: at Turso, on a `sqld`, behind another Tenantry, or in files.
 *
 * @throws {TenantryError} `INVALID_OPTION`
 * @example
 * const driver = libsqlDriver({
 *   url: "libsql://{tenant}-acme.aws-eu-west-1.turso.io",
 *   authToken: process.env.TURSO_DATABASE_TOKEN ?? "",
 *   provisioner: tursoProvisioner({ org: "acme", token: process.env.TURSO_TOKEN ?? "", group: "default" }),
 * });
 */
export function libsqlDriver(options: LibsqlDriverOptions): LibsqlDriver {
  const settings = libsqlSettings(options);
  const { name: driverName = LIBSQL_DRIVER_NAME, provisioner, authToken, syncUrl } = settings;
  const sql = new RemoteSql();
  const calls = new RemoteCalls(settings.maxRetries);
  const renewable = typeof authToken === "function";
  const synchroniser = new Synchroniser(settings.syncTimeoutMs);

  /** The token of a database, kept until another one is asked for. */
  const tokenOf = (name: string): LibsqlToken => {
    let token: Promise<string | undefined> | undefined;
    return (renew) => {
      if (!renew && token) return token;
      const asked = (async () =>
        typeof authToken === "function" ? authToken(name, { renew }) : authToken)();
      asked.catch(() => (token = undefined));
      return (token = asked);
    };
  };

  const connectionAt = (
    name: string,
    url: string,
    { token = tokenOf(name), log = true }: { readonly token?: LibsqlToken; readonly log?: boolean } = {},
  ): LibsqlConnection => {
    const file = url.startsWith("file:");
    const http = /^(?:libsql|https?):/.test(url);
    const connect = async (renew: boolean): Promise<LibsqlClient> => {
      const { createClient } = await loadLibsql();
      const config: LibsqlConfig = {
        url,
        intMode: "bigint",
        concurrency: settings.maxConcurrentRequests,
      };
      if (http) {
        config.fetch = libsqlFetch({ ...settings, token, renewable });
      } else if (!file) {
        const bearer = await token(renew);
        if (bearer !== undefined) config.authToken = bearer;
      }
      const client = createClient(config);
      if (file && log) await client.execute({ sql: "PRAGMA journal_mode = WAL", args: [] });
      return client;
    };
    return new LibsqlConnection({
      name,
      connect,
      renewable: !http && !file && renewable,
      calls,
      callTimeoutMs: http || file ? 0 : settings.requestTimeoutMs,
      local: file,
    });
  };

  const handleOf = (connection: LibsqlCalls): LibsqlHandle =>
    new LibsqlHandle(connection, { sql, transactionTimeoutMs: settings.transactionTimeoutMs });

  const openAt = (name: string, url: string, log = true): LibsqlHandle =>
    handleOf(connectionAt(name, url, { log }));

  const openReplica = async (name: string, url: string): Promise<LibsqlHandle> => {
    if (!url.startsWith("file:")) throw noFile();
    const path = pathOf(url);
    await mkdir(dirname(path), { recursive: true });
    const primary = await primaryOf(settings.syncUrl ?? "", name);
    const token = tokenOf(name);
    return handleOf(
      new LibsqlReplica({
        here: connectionAt(name, url, { log: false }),
        primary: connectionAt(name, `${primary}/`, { token }),
        source: new ReplicaSource({ ...settings, url, path, primary, token, renewable, synchroniser, calls }),
        maxWaitMs: settings.requestTimeoutMs,
        syncIntervalMs: settings.syncIntervalMs,
      }),
    );
  };

  const openTenant = async (name: string): Promise<LibsqlHandle> => {
    const url = await placeOf(settings.url, name);
    if (syncUrl === undefined && url.startsWith("file:") && !(await isThere(pathOf(url))))
      throw missing(name);
    const handle = syncUrl === undefined ? openAt(name, url) : await openReplica(name, url);
    try {
      // The first question is whether it is there.
      await handle.sizeBytes();
      return handle;
    } catch (error) {
      await handle.close();
      throw error;
    }
  };

  /** The file of a database that is one, and no replica of another. */
  const fileOf = async (name: string): Promise<string | undefined> => {
    const url = await placeOf(settings.url, name);
    return url.startsWith("file:") && syncUrl === undefined ? pathOf(url) : undefined;
  };

  const stageFile = async (
    path: string,
    source: DatabaseSource<LibsqlHandle>,
    name: string,
  ): Promise<StagedDatabase> => {
    const staged = `${path}.${randomUUID()}.staged`;
    await mkdir(dirname(path), { recursive: true });
    if ("file" in source) {
      await rename(source.file, staged);
      return stagedFile(staged, path, 0);
    }
    // Without a write-ahead log: the library may close a file later than it says, and the log would stay behind.
    const handle = openAt(name, `file:${staged}`, false);
    try {
      await source.build(handle);
      return stagedFile(staged, path, await handle.sizeBytes());
    } catch (error) {
      await handle.close();
      await removeFile(staged);
      throw error;
    } finally {
      await handle.close();
    }
  };

  return {
    name: driverName,
    capabilities: { transactions: true, sessions: true, snapshots: false, bigint: true },
    descriptorsPerHandle: 0,
    ...(settings.maxOpen !== undefined && { maxOpen: settings.maxOpen }),
    open: openTenant,
    openUrl: async (url) => openAt(url, await placeOf(() => url, url)),
    async exists(name) {
      const path = await fileOf(name);
      if (path !== undefined) return isThere(path);
      if (provisioner) return provisioner.exists(name);
      try {
        await (await openTenant(name)).close();
        return true;
      } catch (error) {
        if (error instanceof TenantryError && error.code === "DATABASE_MISSING") return false;
        throw error;
      }
    },
    async stage(name, source) {
      const path = await fileOf(name);
      if (path !== undefined) return stageFile(path, source, name);
      if ("file" in source) throw noImport();
      const made = await provisioner?.create(name);
      return stageRemote(name, made === "created", () => openTenant(name), source.build);
    },
    // All that was committed lies where the database is; who has it open elsewhere lets go within a moment.
    quiesce: async () => {},
    async remove(name) {
      const url = await placeOf(settings.url, name);
      await provisioner?.remove(name);
      if (url.startsWith("file:")) await synchroniser.between(() => removeFile(pathOf(url)));
    },
  } satisfies LibsqlDriver;
}

function stagedFile(staged: string, path: string, sizeBytes: number): StagedDatabase {
  return {
    sizeBytes,
    async commit() {
      // What lies there is nobody's, and is kept.
      if (await isThere(path)) await rename(path, `${path}.${Date.now()}.orphan`);
      await rename(staged, path);
    },
    discard: () => removeFile(staged),
  };
}

async function removeFile(path: string): Promise<void> {
  for (const suffix of LIBSQL_SUFFIXES) await rm(`${path}${suffix}`, { force: true });
}

/** The path of a `file:` URL, absolute or from here. */
function pathOf(url: string): string {
  return url.startsWith("file:///") ? fileURLToPath(url) : url.slice("file:".length).replace(/\?.*$/s, "");
}

function missing(name: string): TenantryError {
  return new TenantryError("DATABASE_MISSING", `The libSQL file of "${name}" is missing.`, {
    hint: "Put the file back, or delete the tenant.",
  });
}

function noImport(): TenantryError {
  return new TenantryError("UNSUPPORTED", "A file cannot become a remote database by itself.", {
    hint: "Make it a tenant of files, and copy that: tenantry copy acme --to libsql:…",
  });
}
