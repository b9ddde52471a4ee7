// Owns where the files lie that restores have replaced, and which of them an undo takes: the last one of a tenant.
// Does not replace anything.
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { TenantRecord } from "../catalog/tenant-record.ts";
import { SIDE_FILE_SUFFIXES } from "../drivers/local/database-file.ts";
import { snapshotMoment, snapshotName } from "./snapshot-name.ts";

/** A file that a restore has replaced. */
export interface ReplacedFile {
  readonly path: string;
  /** When, in milliseconds since 1970. */
  readonly at: number;
}

type Who = Pick<TenantRecord, "id" | "incarnation">;

/** The folder of a tenant's replaced files, of all its incarnations. @param dir the data folder */
export function replacedFolder(dir: string, tenant: string): string {
  return join(dir, "replaced", tenant);
}

/** Where a file goes that is replaced now. */
export function replacedPath(dir: string, { id, incarnation }: Who, at: number): string {
  return join(replacedFolder(dir, id), `${incarnation}_${snapshotName(at)}.db`);
}

/** Those of this incarnation, newest first. */
export async function replacedFiles(dir: string, { id, incarnation }: Who): Promise<ReplacedFile[]> {
  const folder = replacedFolder(dir, id);
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  return names
    .flatMap((name) => {
      if (!name.startsWith(`${incarnation}_`) || !name.endsWith(".db")) return [];
      const at = snapshotMoment(name.slice(incarnation.length + 1, -".db".length));
      return at === undefined ? [] : [{ path: join(folder, name), at }];
    })
    .toSorted((a, b) => b.at - a.at);
}

/** Removes all but the newest. */
export async function dropOlderReplaced(dir: string, who: Who): Promise<void> {
  const [, ...older] = await replacedFiles(dir, who);
  for (const { path } of older) {
    for (const suffix of ["", ...SIDE_FILE_SUFFIXES]) await rm(path + suffix, { force: true });
  }
}
