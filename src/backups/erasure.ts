// Owns erasing a tenant: every file, snapshot and object that holds its rows, and proving by listing that nothing
// is left. Leaves the tombstone and the report in the catalog. What others have copied is not its business.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readdir, rm } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { pipeline } from "node:stream/promises";
import type { TenantRecord } from "../catalog/tenant-record.ts";
import type { DatabaseFiles } from "../drivers/driver.ts";
import type { TenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import type { Act } from "../tenants/acts.ts";
import type { Lifecycle } from "../tenants/lifecycle.ts";
import type { Tenants } from "../tenants/tenants.ts";
import { findTenant } from "../tenants/find-tenant.ts";
import type { ObjectStore } from "./object-store.ts";
import { objectsBelow, removeObjects } from "./remove-objects.ts";
import { replacedFolder } from "./replaced-files.ts";
import type { Snapshots } from "./snapshots.ts";

/** What {@link Erasure} is made of. */
export interface ErasureParts {
  /** The data folder. */
  readonly dir: string;
  readonly files: DatabaseFiles;
  readonly tenants: Tenants;
  readonly lifecycle: Lifecycle;
  readonly snapshots: Snapshots;
  /** The replica's objects; undefined where there is no replica. @throws {TenantryError} `UNSUPPORTED`, `BACKUPS_UNAVAILABLE` */
  readonly objects: () => Promise<ObjectStore | undefined>;
}

/** Something that was removed from this machine. */
export interface ErasedFile {
  /** Below the data folder. */
  readonly path: string;
  readonly bytes: number;
  /** SHA-256 of what it held. */
  readonly sha256: string;
}

/** What was erased. */
export interface EraseReport {
  readonly tenant: TenantId;
  readonly incarnation: string;
  /** Milliseconds since 1970. */
  readonly erasedAt: number;
  readonly files: readonly ErasedFile[];
  readonly snapshots: { readonly place: string; readonly names: readonly string[] };
  /** Null where there is no replica. */
  readonly replica: {
    readonly place: string;
    readonly objects: number;
    readonly bytes: number;
    /** SHA-256 over the names and sizes of the objects, in the order of their names. */
    readonly listing: string;
  } | null;
}

/** Erases tenants. */
export class Erasure {
  readonly #parts: ErasureParts;

  constructor(parts: ErasureParts) {
    this.#parts = parts;
  }

  /**
   * Erases a tenant and all that had its name before. Killed half-way, it is suspended or deleted, and is erased
   * by asking again.
   * @throws {TenantryError} `TENANT_NOT_FOUND`, `TENANT_BUSY`; `UNSUPPORTED` and `BACKUPS_UNAVAILABLE` before
   * anything is removed; `ERASE_INCOMPLETE`, which says what is left
   */
  async erase(id: TenantId, { actor }: Act = {}): Promise<EraseReport> {
    const { tenants, lifecycle, snapshots, objects } = this.#parts;
    const { catalog } = tenants;
    const record = await findTenant(catalog, id, { deleted: true });
    // Whether the rest can be reached is known before the first byte is gone.
    const store = await objects();
    if (store) await store.list(prefixOf(record))[Symbol.asyncIterator]().next();
    if (!store && record.backupState !== "none") throw replicaNotNamed(id);
    const taken = await snapshots.list(id);
    const by = actor === undefined ? {} : { actor };
    if (record.state !== "deleted") await lifecycle.suspend(id, { reason: "being erased", ...by });
    const files: ErasedFile[] = [];
    for (const path of await this.#filesOf(id)) files.push(await this.#described(path));
    if (record.state !== "deleted") await lifecycle.delete(id, by);
    for (const path of await this.#filesOf(id)) await rm(path, { force: true });
    await rm(replacedFolder(this.#parts.dir, id), { recursive: true, force: true });
    await snapshots.removeAll(id);
    const removed = store ? await this.#eraseObjects(store, record) : null;
    await this.#assertNothingLeft(id, store, record);
    const report: EraseReport = {
      tenant: id,
      incarnation: record.incarnation,
      erasedAt: Date.now(),
      files,
      snapshots: { place: snapshots.place, names: taken.map(({ name }) => name) },
      replica: removed,
    };
    await catalog.audit({ actor: actor ?? "system", action: "tenant.erase", tenant: id, detail: report });
    return report;
  }

  /** Everything on this machine that may hold rows of a tenant of that name. */
  async #filesOf(id: TenantId): Promise<string[]> {
    const { dir, files } = this.#parts;
    const path = files.pathOf(id);
    const own = (name: string): boolean => name === `${id}.db` || name.startsWith(`${id}.db-`);
    const kept = `.${basename(path)}-litestream`;
    const found = (await filesBelow(dirname(path), 0)).filter((file) => own(basename(file)));
    found.push(...(await filesBelow(join(dirname(path), kept))));
    found.push(...(await filesBelow(replacedFolder(dir, id))));
    for (const file of await filesBelow(join(dir, "orphans"))) {
      if (own(basename(file)) || file.includes(`/${kept}/`)) found.push(file);
    }
    return found;
  }

  async #described(path: string): Promise<ErasedFile> {
    const hash = createHash("sha256");
    // Suspended: nobody has it open, so that no lock is dropped by closing it here.
    await pipeline(createReadStream(path), hash);
    return {
      path: relative(this.#parts.dir, path),
      bytes: (await lstat(path)).size,
      sha256: hash.digest("hex"),
    };
  }

  async #eraseObjects(store: ObjectStore, record: TenantRecord): Promise<EraseReport["replica"]> {
    const all = await removeObjects(store, prefixOf(record));
    const listing = createHash("sha256");
    for (const { key, version = "", bytes } of all) listing.update(`${key}\0${version}\0${bytes}\n`);
    return {
      place: store.place,
      objects: all.length,
      bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
      listing: listing.digest("hex"),
    };
  }

  async #assertNothingLeft(
    id: TenantId,
    store: ObjectStore | undefined,
    record: TenantRecord,
  ): Promise<void> {
    const left = (await this.#filesOf(id)).map((path) => relative(this.#parts.dir, path));
    left.push(...(await this.#parts.snapshots.remains(id)).map((name) => `snapshot ${name}`));
    const objects = store ? await objectsBelow(store, prefixOf(record)) : [];
    left.push(...objects.map(({ key }) => `${store?.place}: ${key}`));
    const driver = this.#parts.tenants.driverOf(record);
    // What somebody else has made is not deleted with a tenant, and holds its rows.
    if (!driver.files && (await driver.exists(id))) left.push(`its database, which ${driver.name} keeps`);
    if (left.length === 0) return;
    const some = left.slice(0, 3).join(", ");
    throw new TenantryError(
      "ERASE_INCOMPLETE",
      `Of tenant "${id}" there is left: ${left.length}, such as ${some}.`,
      {
        tenant: id,
        hint: "Erase it again. What is still there then is kept by the storage itself: see its locks, versions and soft deletion, or remove it there.",
      },
    );
  }
}

/** Of all tenants that have had the name. */
function prefixOf({ shard, id }: TenantRecord): string {
  return `${shard}/${id}/`;
}

/** @param depth of folders below that are looked into. @default all */
async function filesBelow(folder: string, depth = Number.POSITIVE_INFINITY): Promise<string[]> {
  const entries = await readdir(folder, { recursive: depth > 0, withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    },
  );
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
}

function replicaNotNamed(tenant: TenantId): TenantryError {
  return new TenantryError(
    "BACKUPS_UNAVAILABLE",
    `Tenant "${tenant}" has been replicated, and the replica is not named.`,
    {
      tenant,
      hint: "Name it with --replica URL: what is there is to be erased, too.",
    },
  );
}
