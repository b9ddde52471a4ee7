// Owns where a tenant's file lies, and what happens to whole files: put in place, moved aside, removed.
// Never opens a file that SQLite may have open: closing it again would drop SQLite's locks.
import { hash } from "node:crypto";
import { constants } from "node:fs";
import { copyFile, lstat, mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { TenantryError } from "../../tenantry-error.ts";

/** The files that SQLite keeps beside a database. A stale one ruins the next database of that name. */
export const SIDE_FILE_SUFFIXES: readonly string[] = ["-wal", "-shm", "-journal"];

/** The folder in which Litestream keeps what it knows of a database. It must not outlive the database. */
export function replicationFolder(path: string): string {
  return join(dirname(path), `.${basename(path)}-litestream`);
}

/** `<dir>/tenants/<2 hex of a hash of the name>/<name>.db`: at most 256 folders, evenly filled. */
export function databasePath(dir: string, name: string): string {
  return join(dir, "tenants", hash("sha1", name).slice(0, 2), `${name}.db`);
}

/** Copies by reference where the file system can, and waits until the copy is on the disk. */
export async function copyDurably(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_FICLONE);
  await syncFile(to);
}

/** Waits until what was written to `path`, a file or a folder, is on the disk. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * Moves `from` to `to`. Whatever stood at `to`, side files included, goes to `<dir>/orphans/`: nobody knows
 * of it any more, but it may be somebody's data.
 */
export async function putInPlace(from: string, to: string, dir: string): Promise<void> {
  const present = await presentFiles(to);
  const replication = replicationFolder(to);
  if (await exists(replication)) present.push(replication);
  if (present.length > 0) {
    const aside = join(dir, "orphans", `${new Date().toISOString().replaceAll(":", "-")}-${process.pid}`);
    await makeFolder(aside);
    for (const path of present) await rename(path, join(aside, path.slice(dirname(to).length + 1)));
  }
  const made = await makeFolder(dirname(to));
  await rename(from, to);
  await syncFile(dirname(to));
  if (made === undefined) return;
  // A folder that a power cut takes away takes its files with it.
  await syncFile(dirname(dirname(to)));
  await syncFile(dir);
}

/** @throws {TenantryError} `DATABASE_EXISTS`; `INVALID_ARGUMENT` where there is no such folder */
export async function assertNewFile(path: string): Promise<void> {
  if (!(await exists(dirname(path)))) {
    throw new TenantryError("INVALID_ARGUMENT", `There is no folder ${dirname(path)}.`);
  }
  if (await exists(path)) {
    throw new TenantryError("DATABASE_EXISTS", `There is a file at ${path} already.`, {
      hint: "Choose another name, or move that file away.",
    });
  }
}

/** Makes a folder and those above it; gives the first that was not there. */
export async function makeFolder(path: string): Promise<string | undefined> {
  try {
    return await mkdir(path, { recursive: true });
  } catch (error) {
    // Of a disk that cannot be written, Node says here that there is no such folder.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      await mkdir(path).catch(rethrowAsOurs);
    }
    return rethrowAsOurs(error);
  }
}

/** Removes a database and what lies beside it, each on its own, whichever of them are there. */
export async function removeDatabase(path: string): Promise<void> {
  const results = await Promise.allSettled([
    ...filesOf(path).map((file) => rm(file, { force: true })),
    rm(replicationFolder(path), { recursive: true, force: true }),
  ]);
  const failed = results.find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
}

/** Which of a database's files are there. */
export async function presentFiles(path: string): Promise<string[]> {
  const found = await Promise.all(
    filesOf(path).map(async (file) => ((await exists(file)) ? file : undefined)),
  );
  return found.filter((file) => file !== undefined);
}

/** Whether anything, be it a dangling link, has that name. */
export async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}

/** A full or read-only disk says the same whether SQLite or the file system meets it. */
export function rethrowAsOurs(error: unknown): never {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOSPC" || code === "EDQUOT") {
    throw new TenantryError("DATABASE_FULL", "The disk is full.", {
      hint: "Free some disk space.",
      cause: error,
    });
  }
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
    throw new TenantryError("DATABASE_READ_ONLY", "The data folder cannot be written.", {
      hint: "Check who owns it, and how the disk is mounted.",
      cause: error,
    });
  }
  throw error;
}

function filesOf(path: string): string[] {
  return [path, ...SIDE_FILE_SUFFIXES.map((suffix) => path + suffix)];
}
