// Owns objects at an SFTP server: files in folders, which are made as they are needed and removed when they are empty.
// Does not know what the objects are, nor how the server is reached: sftp-connection.ts does.
import { randomUUID } from "node:crypto";
import { open, rm } from "node:fs/promises";
import { posix } from "node:path";
import { rethrowAsOurs } from "../drivers/local/database-file.ts";
import { type ObjectStore, objectMissing } from "./object-store.ts";
import type { ReplicaUrl } from "./replica-url.ts";
import { sftpConnection } from "./sftp-connection.ts";
import type { SftpEntry, SftpFile, SftpRequests } from "./sftp-requests.ts";
import { workThrough } from "./work-through.ts";

/** Bytes of one reading or writing. */
const PART_BYTES = 64 * 1024;
/** How many of them are on their way at once: this is what a file takes of the memory. */
const PARTS_AT_ONCE = 16;
/** Folders that are read at once: each takes four answers, and a tree may have 100,000. */
const FOLDERS_AT_ONCE = 32;

/** A folder of a server. @throws {TenantryError} `UNSUPPORTED` without `ssh2` */
export async function sftpStore(url: ReplicaUrl): Promise<ObjectStore> {
  const connection = await sftpConnection(url);
  const root = url.keyOf("");

  /** What is in a folder, by keys; of an empty one itself. */
  const read = async (folder: string): Promise<readonly SftpEntry[]> => {
    const entries = await connection((sftp) => sftp.entries(url.keyOf(folder) || "."));
    if (entries?.length === 0 && folder !== "") return [{ name: `${folder}/`, isFolder: false, bytes: 0 }];
    return (entries ?? []).map((entry) => ({
      ...entry,
      name: folder === "" ? entry.name : `${folder}/${entry.name}`,
    }));
  };

  /** Removes what has that key, and the folders that were there for it alone. */
  const discard = async (sftp: SftpRequests, key: string): Promise<void> => {
    const path = url.keyOf(key);
    if (!key.endsWith("/")) await sftp.remove(path);
    // So that a tenant that is erased leaves not even its name.
    for (let at = posix.dirname(`${path}.`); at.length > root.length && at !== "."; at = posix.dirname(at)) {
      if (!(await sftp.removeFolder(at))) return;
    }
  };

  return {
    place: url.shown,
    async *list(prefix) {
      const folders = [prefix.slice(0, Math.max(prefix.lastIndexOf("/"), 0))];
      while (folders.length > 0) {
        const entries = await Promise.all(folders.splice(-FOLDERS_AT_ONCE).map(read));
        for (const { name: key, isFolder, bytes } of entries.flat()) {
          if (!key.startsWith(prefix)) continue;
          if (isFolder) folders.push(key);
          else yield { key, bytes };
        }
      }
    },
    async put(key, path) {
      const part = `${key}.${randomUUID()}.partial`;
      const [to, unfinished] = [url.keyOf(key), url.keyOf(part)];
      await using local = await openLocal(path, "r");
      await connection(async (sftp) => {
        await sftp.makeFolder(posix.dirname(to));
        try {
          const remote = await sftp.openEmpty(unfinished);
          try {
            await copy(local, remote);
            await remote.sync();
          } finally {
            await remote.close();
          }
          await sftp.rename(unfinished, to);
        } catch (error) {
          // Over a connection that has broken it stays; a listing shows it.
          await discard(sftp, part).catch(() => undefined);
          throw error;
        }
      });
    },
    async get(key, to) {
      await connection(async (sftp) => {
        const remote = await sftp.open(url.keyOf(key));
        if (!remote) throw objectMissing(key, url.shown);
        try {
          await using local = await openLocal(to, "wx");
          await copy(remote, local).catch(async (error: unknown) => {
            await rm(to, { force: true });
            throw error;
          });
        } finally {
          await remote.close();
        }
      });
    },
    remove: ({ key }) => connection((sftp) => discard(sftp, key)),
  };
}

/** What is read and written by parts, at any position. */
type Parts = Pick<SftpFile, "read" | "write">;

async function copy(from: Pick<Parts, "read">, to: Pick<Parts, "write">): Promise<void> {
  const file = { bytes: Number.POSITIVE_INFINITY };
  function* positions(): Generator<number> {
    for (let position = 0; position < file.bytes; position += PART_BYTES) yield position;
  }
  const work = async (position: number): Promise<void> => {
    const buffer = Buffer.allocUnsafe(PART_BYTES);
    const length = await from.read(buffer, position);
    if (length > 0) await to.write(buffer.subarray(0, length), position);
    if (length < PART_BYTES) file.bytes = position + length;
  };
  await workThrough(positions(), { concurrency: PARTS_AT_ONCE, work });
}

/** A file of this machine. @throws what node:fs does, and `DATABASE_FULL`, `DATABASE_READ_ONLY` for it */
async function openLocal(path: string, flags: "r" | "wx"): Promise<Parts & AsyncDisposable> {
  const handle = await open(path, flags).catch(rethrowAsOurs);
  return {
    read: async (buffer, position) =>
      (await handle.read(buffer, 0, buffer.length, position).catch(rethrowAsOurs)).bytesRead,
    async write(buffer, position) {
      for (let at = 0; at < buffer.length;) {
        const { bytesWritten } = await handle
          .write(buffer, at, buffer.length - at, position + at)
          .catch(rethrowAsOurs);
        at += bytesWritten;
      }
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}
