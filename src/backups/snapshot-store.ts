// Owns where snapshots lie: the interface of such a place, and the folder `snapshots/` of the data folder.
// Takes and checks none.
import { constants } from "node:fs";
import { copyFile, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { assertNewFile, makeFolder, syncFile } from "../drivers/local/database-file.ts";
import { isTenantId, type TenantId } from "../tenant-id.ts";
import { snapshotMoment } from "./snapshot-name.ts";

/** A snapshot in its place. */
export interface StoredSnapshot {
  readonly name: string;
  /** Bytes there, after compression if any. */
  readonly storedBytes: number;
}

/** A place for snapshots. What is listed is whole: a killed `put()` leaves nothing to be listed. */
export interface SnapshotStore {
  /** For people; without secrets. */
  readonly place: string;
  /** Takes the file at `path`, which may be gone from there afterwards. @throws {TenantryError} `DATABASE_EXISTS` */
  put(tenant: TenantId, name: string, path: string): Promise<StoredSnapshot>;
  /** Oldest first. */
  list(tenant: TenantId): Promise<StoredSnapshot[]>;
  /** Writes one to a new file at `to`. */
  fetch(tenant: TenantId, name: string, to: string): Promise<void>;
  /** Removes one; what is not there is no error. */
  remove(tenant: TenantId, name: string): Promise<void>;
  /** Removes all of a tenant's, and whatever else lies among them. */
  removeAll(tenant: TenantId): Promise<void>;
  /** What {@link removeAll} would have to remove now, old versions of what was replaced or removed included. */
  remains(tenant: TenantId): Promise<readonly string[]>;
  /** Whoever has snapshots, deleted tenants too. */
  tenants(): AsyncIterable<TenantId>;
}

/** Plain files below a folder, so that `cp` is enough to use one. */
export function localSnapshots(dir: string): SnapshotStore {
  const folder = (tenant: TenantId): string => join(dir, tenant);
  const file = (tenant: TenantId, name: string): string => join(folder(tenant), `${name}.db`);
  return {
    place: dir,
    async put(tenant, name, path) {
      await makeFolder(folder(tenant));
      const to = file(tenant, name);
      await assertNewFile(to);
      await syncFile(path);
      await rename(path, to);
      await syncFile(folder(tenant));
      return { name, storedBytes: (await stat(to)).size };
    },
    async list(tenant) {
      const names = (await namesIn(folder(tenant)))
        .filter((entry) => entry.endsWith(".db"))
        .map((entry) => entry.slice(0, -".db".length))
        .filter((name) => snapshotMoment(name) !== undefined);
      return Promise.all(
        names.toSorted().map(async (name) => ({ name, storedBytes: (await stat(file(tenant, name))).size })),
      );
    },
    fetch: async (tenant, name, to) => copyFile(file(tenant, name), to, constants.COPYFILE_FICLONE),
    remove: (tenant, name) => rm(file(tenant, name), { force: true }),
    removeAll: (tenant) => rm(folder(tenant), { recursive: true, force: true }),
    remains: (tenant) => namesIn(folder(tenant)),
    async *tenants() {
      for (const name of await namesIn(dir)) if (isTenantId(name)) yield name;
    },
  };
}

async function namesIn(dir: string): Promise<string[]> {
  return readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
}
