// Owns bringing the catalog back on a machine that has lost everything, or never had anything.
// Brings no tenant's file back: hydration.ts does, on first use or when it is told to.
import { link, readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { openCatalog } from "../catalog/catalog.ts";
import { exists, makeFolder, syncFile } from "../drivers/local/database-file.ts";
import { localDriver } from "../drivers/local/local-driver.ts";
import { isTenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import { FileExaminer } from "./file-examiner.ts";
import { findLitestream } from "./litestream-binary.ts";
import { fromLitestream, runLitestream } from "./litestream-command.ts";
import { newestCatalogLine } from "./replica-epochs.ts";
import { catalogPath, parseReplicaUrl } from "./replica-url.ts";

/** Options of {@link recoverCatalog}. */
export interface RecoverCatalogOptions {
  /** The data folder, without a catalog. */
  readonly data: string;
  /** The replica's URL. */
  readonly replica: string;
  /** Who does it, for the audit log. */
  readonly actor: string;
  readonly signal?: AbortSignal | undefined;
}

/** What came back. */
export interface RecoveredCatalog {
  /** The newest moment of it, in milliseconds since 1970. */
  readonly at: number;
  /** Tenants whose files are to come from the replica. */
  readonly away: number;
  /** Tenants whose files are in the folder. */
  readonly here: number;
  /** Tenants that were being written to when the catalog was last replicated. */
  readonly dirty: number;
  /** Tenants of which nothing was ever replicated. */
  readonly never: number;
}

/**
 * Brings the newest catalog of the replica into the folder. It appears there as a whole, with every tenant whose
 * file is not there noted as away. @throws {TenantryError} `DATABASE_EXISTS`, `REPLICA_EMPTY`, `REPLICA_DAMAGED`,
 * `BACKUPS_UNAVAILABLE`, `INVALID_OPTION`
 */
export async function recoverCatalog({
  data,
  replica,
  actor,
  signal,
}: RecoverCatalogOptions): Promise<RecoveredCatalog> {
  const url = parseReplicaUrl(replica);
  const path = join(data, "catalog.db");
  if (await exists(path)) throw alreadyThere(data);
  const binary = await findLitestream();
  const what = `The catalog in ${url.shown}`;
  const newest = await newestCatalogLine({ binary, url, what, signal });
  if (!newest) {
    throw new TenantryError("REPLICA_EMPTY", `${url.shown} has no catalog.`, {
      hint: "Name the replica with the prefix that the server had.",
    });
  }
  await makeFolder(data);
  const driver = localDriver({ dir: data, durability: "full" });
  await using scratch = await driver.files.scratch();
  const args = ["restore", "-o", scratch.path, url.at(catalogPath(newest.epoch))];
  await runLitestream(binary, args, signal).catch((error: unknown) => {
    throw fromLitestream(error, what);
  });
  const examiner = new FileExaminer();
  try {
    await examiner.examine({ path: scratch.path, check: true });
    const counts = await noteAway(driver, scratch.path, actor);
    // One file again: what was noted has to be in it.
    await examiner.examine({ path: scratch.path });
    await syncFile(scratch.path);
    // Another recovery may have been quicker, and a server has begun on what it brought: it is not replaced.
    await link(scratch.path, path).catch((error: NodeJS.ErrnoException) => {
      throw error.code === "EEXIST" ? alreadyThere(data) : error;
    });
    await syncFile(data);
    return { at: newest.to, ...counts };
  } finally {
    examiner.close();
  }
}

function alreadyThere(data: string): TenantryError {
  return new TenantryError("DATABASE_EXISTS", `There is a catalog in ${data} already.`, {
    hint: "Name an empty folder with --data. Tenants of this one come back with: tenantry recover --all",
  });
}

async function noteAway(
  driver: ReturnType<typeof localDriver>,
  path: string,
  actor: string,
): Promise<Omit<RecoveredCatalog, "at">> {
  const handle = await driver.openFile(path);
  try {
    await using catalog = await openCatalog({ handle });
    const away = await catalog.backups.setAllAway(Date.now());
    let here = 0;
    const folder = join(driver.dir, "tenants");
    const names = (await exists(folder)) ? await readdir(folder, { recursive: true }) : [];
    for (const name of names) {
      const id = basename(name, ".db");
      const record = name.endsWith(".db") && isTenantId(id) ? await catalog.get(id) : undefined;
      if (!record || record.awaySince === null) continue;
      await catalog.backups.setAway(record, null);
      here++;
    }
    const { dirty, settling, none } = await catalog.backups.count();
    const counts = { away: away - here, here, dirty: dirty + settling, never: none };
    await catalog.audit({ actor, action: "catalog.recover", detail: counts });
    return counts;
  } finally {
    await handle.close();
  }
}
