// Owns the places that `tenantry copy` knows, by the words that name them: file:, libsql:, d1:, do:.
// Copies nothing.
import { join, resolve } from "node:path";
import { copyDatabase, planFor } from "../copy/copy-database.ts";
import { D1_END, d1Target } from "../copy/d1-end.ts";
import { copyToFile, sha256 } from "../copy/file-end.ts";
import { libsqlTarget } from "../copy/libsql-end.ts";
import { type D1RestDriver, d1RestDriver } from "../drivers/d1/d1-rest-driver.ts";
import { libsqlDriver } from "../drivers/libsql/libsql-driver.ts";
import { localDriver } from "../drivers/local/local-driver.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import { LIBSQL_TOKEN } from "./libsql-settings.ts";
import type { CopyPlace } from "./copy-place.ts";
import { WrongUse } from "./report-error.ts";
import { tenantPlace } from "./tenant-place.ts";

/** Cloudflare's own names, which wrangler reads as well. */
export const D1_ACCOUNT = "CLOUDFLARE_ACCOUNT_ID";
export const D1_TOKEN = "CLOUDFLARE_API_TOKEN";
const D1_URL = "CLOUDFLARE_BASE_URL";

/**
 * @param tenant whose database it is, for places that name none
 * @throws {WrongUse} for words that name no place
 */
export function copyPlace(text: string, tenant: string): CopyPlace {
  const [, kind = "", rest = ""] = /^([a-z0-9]+):(.+)$/s.exec(text) ?? [];
  switch (kind) {
    case "file":
      return filePlace(resolve(rest));
    case "libsql":
      return libsqlPlace(/^(?:https?|wss?):/.test(rest) ? rest : text);
    case "https":
    case "http":
    case "wss":
    case "ws":
      return libsqlPlace(text);
    case "d1":
      return d1Place(rest);
    case "do":
    case "tenantry":
      return tenantPlace(rest, tenant);
    default:
      throw new WrongUse(
        `"${text}" names no place to copy to or from.`,
        "Say file:./acme.db, libsql://acme-org.turso.io, d1:acme, or do:https://tenants.example.com/acme.",
      );
  }
}

function filePlace(path: string): CopyPlace {
  return {
    receive: (source, onProgress) => copyToFile(source, path, onProgress),
    async read(fn) {
      const driver = localDriver({ dir: join(path, "..") });
      const handle = await driver.files.open(path);
      try {
        return await fn({ db: handle, stable: true, handle });
      } finally {
        await handle.close();
      }
    },
  };
}

/** The driver of the account that the environment names. @throws {WrongUse} where it names none */
export function d1FromEnvironment(): D1RestDriver {
  const accountId = process.env[D1_ACCOUNT] ?? "";
  const apiToken = process.env[D1_TOKEN] ?? "";
  if (accountId === "" || apiToken === "") {
    throw new WrongUse("D1 needs an account and a token.", `Set ${D1_ACCOUNT} and ${D1_TOKEN}.`);
  }
  const baseUrl = process.env[D1_URL];
  return d1RestDriver({ accountId, apiToken, ...(baseUrl && { baseUrl }) });
}

/** A D1 database by its name. As a target it is made where there is none. */
function d1Place(database: string): CopyPlace {
  const driver = d1FromEnvironment();
  return {
    async receive(source, onProgress) {
      const plan = await planFor(source, D1_END);
      if (!(await driver.exists(database))) {
        await (await driver.stage(database, { key: "empty", build: async () => {} })).commit();
      }
      const handle = await driver.open(database);
      return copyDatabase(source, d1Target(handle), { sha256, onProgress, plan });
    },
    async read(fn) {
      return fn({ db: await driver.open(database), stable: false });
    },
  };
}

function libsqlPlace(url: string): CopyPlace {
  const open = async () => {
    const token = process.env[LIBSQL_TOKEN];
    const driver = libsqlDriver({
      // Only openUrl() is used, which needs no tenant's name.
      url: "libsql://{tenant}.invalid",
      ...(token !== undefined && token !== "" && { authToken: token }),
      requestTimeoutMs: 60_000,
    });
    return driver.openUrl(url);
  };
  const withHandle = async <T>(fn: (handle: Awaited<ReturnType<typeof open>>) => Promise<T>): Promise<T> => {
    const handle = await open();
    try {
      return await fn(handle);
    } finally {
      await handle.close();
    }
  };
  return {
    receive: (source, onProgress) =>
      withHandle((handle) => copyDatabase(source, libsqlTarget(handle), { sha256, onProgress })).catch(
        (error: unknown) => {
          throw isTenantryError(error, "SQL_REFUSED") ? behindAWall(url, error) : error;
        },
      ),
    // A transaction far away does not last for as long as a copy may take.
    read: (fn) => withHandle((handle) => fn({ db: handle, stable: false })),
  };
}

function behindAWall(url: string, cause: TenantryError): TenantryError {
  return new TenantryError("SQL_REFUSED", `${url} lets nobody write internal tables: ${cause.message}`, {
    hint: "A tenant of another Tenantry is a place of its own: --to tenantry:https://tenants.example.com/acme",
    cause,
  });
}
