// Owns what is done to a replica's storage besides what Litestream does: list, put, get and remove objects.
// The interface, and the folder as the plainest of stores; the others are in files of their own.
import { createReadStream, createWriteStream } from "node:fs";
import { lstat, readdir, rename, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { exists, makeFolder, rethrowAsOurs, syncFile } from "../drivers/local/database-file.ts";
import { TenantryError } from "../tenantry-error.ts";
import type { ReplicaUrl } from "./replica-url.ts";

/** An object: of a store that keeps versions, one of them. */
export interface StoredObject {
  /** Its path below the store's prefix. */
  readonly key: string;
  readonly bytes: number;
  readonly version?: string;
}

/** A store of objects below one prefix. */
export interface ObjectStore {
  /** For people; without secrets. */
  readonly place: string;
  /**
   * Everything whose key begins with `prefix`. Empty where there is nothing. Of a store of folders also those in which
   * nothing is, by a slash at the end of the key: a folder has a name.
   * @param options `versions`: also what has been replaced or removed, where the store keeps that
   */
  list(prefix: string, options?: { readonly versions?: boolean }): AsyncIterable<StoredObject>;
  /** Stores the file at `path`. All of it is there, or nothing. */
  put(key: string, path: string): Promise<void>;
  /** Writes an object to a new file at `to`. @throws {TenantryError} `NOT_FOUND` */
  get(key: string, to: string): Promise<void>;
  /** Removes one; what is not there is no error. */
  remove(object: StoredObject): Promise<void>;
}

/** A folder of this machine. */
export function folderStore(url: ReplicaUrl): ObjectStore {
  const root = url.keyOf("");
  return {
    place: url.shown,
    async *list(prefix) {
      const folder = join(root, prefix.slice(0, prefix.lastIndexOf("/") + 1));
      for (const entry of await entriesBelow(folder, root)) {
        const key = entry.slice(root.length + 1);
        if (!key.startsWith(prefix)) continue;
        const stats = await lstat(entry).catch(ignoreGone);
        if (stats) yield { key, bytes: key.endsWith("/") ? 0 : stats.size };
      }
    },
    async put(key, path) {
      const to = join(root, key);
      await makeFolder(dirname(to));
      const unfinished = `${to}.${process.pid}.partial`;
      try {
        await pipeline(createReadStream(path), createWriteStream(unfinished));
        await syncFile(unfinished);
        await rename(unfinished, to);
        await syncFile(dirname(to));
      } catch (error) {
        rethrowAsOurs(error);
      } finally {
        await rm(unfinished, { force: true });
      }
    },
    async get(key, to) {
      const from = join(root, key);
      if (!(await exists(from))) throw objectMissing(key, url.shown);
      await pipeline(createReadStream(from), createWriteStream(to, { flags: "wx" })).catch(rethrowAsOurs);
    },
    async remove({ key }) {
      const path = join(root, key);
      if (!key.endsWith("/")) await rm(path, { force: true });
      await removeEmptyFolders(dirname(`${path}.`), root);
    },
  };
}

/** The error for an object that is not there. */
export function objectMissing(key: string, place: string): TenantryError {
  return new TenantryError("NOT_FOUND", `There is no ${key} in ${place}.`, { hint: "List what is there." });
}

/** Its files, and the folders without any. */
async function entriesBelow(folder: string, root: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(ignoreGone);
  if (entries?.length === 0 && folder.length > root.length) return [join(folder, "/")];
  const filled = new Set(entries?.map(({ parentPath }) => join(parentPath, "/")));
  return (entries ?? []).flatMap((entry) => {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isDirectory()) return [path];
    return filled.has(`${path}/`) ? [] : [`${path}/`];
  });
}

/** So that a tenant that is erased leaves not even its name. */
async function removeEmptyFolders(folder: string, root: string): Promise<void> {
  for (let at = folder; at.length > root.length; at = dirname(at)) {
    try {
      await rmdir(at);
    } catch {
      // Something else is in it, or somebody was quicker.
      return;
    }
  }
}

function ignoreGone(error: unknown): undefined {
  if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR"))
    return undefined;
  throw error;
}
