// Owns the places that `tenantry copy` knows, by the words that name them: file:, libsql:, d1:, do:.
// Copies nothing.
import { join, resolve } from "node:path";
import { type CopyProgress, type CopyReport, copyDatabase } from "../copy/copy-database.ts";
import type { CopySource } from "../copy/copy-end.ts";
import { copyToFile, sha256 } from "../copy/file-end.ts";
import { libsqlTarget } from "../copy/libsql-end.ts";
import type { Handle } from "../drivers/driver.ts";
import { libsqlDriver } from "../drivers/libsql/libsql-driver.ts";
import { localDriver } from "../drivers/local/local-driver.ts";
import { TenantryError } from "../tenantry-error.ts";
import { WrongUse } from "./report-error.ts";

/** Where a libSQL server's token is taken from: an option would be seen in the list of processes. */
export const LIBSQL_TOKEN = "TENANTRY_LIBSQL_TOKEN";

/** A database outside of the data folder. */
export interface CopyPlace {
  /** Copies `source` there. */
  receive(
    source: CopySource & { readonly handle?: Handle },
    onProgress: (progress: CopyProgress) => void,
  ): Promise<CopyReport>;
  /** Calls `fn` with what is there. */
  read<T>(fn: (source: CopySource & { readonly handle?: Handle }) => Promise<T>): Promise<T>;
}

/** @throws {WrongUse} for words that name no place, and `UNSUPPORTED` */
export function copyPlace(text: string): CopyPlace {
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
    case "do":
      throw new TenantryError(
        "UNSUPPORTED",
        "A Durable Object cannot be reached from outside of its Worker.",
        {
          hint: "Copy into a file, and send that to the Worker: tenantry copy acme --to file:./acme.db",
        },
      );
    default:
      throw new WrongUse(
        `"${text}" names no place to copy to or from.`,
        "Say file:./acme.db, or libsql://acme-org.turso.io.",
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
      withHandle((handle) => copyDatabase(source, libsqlTarget(handle), { sha256, onProgress })),
    // A transaction far away does not last for as long as a copy may take.
    read: (fn) => withHandle((handle) => fn({ db: handle, stable: false })),
  };
}
