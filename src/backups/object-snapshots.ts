// Owns snapshots as objects: compressed on their way in, and out again.
// Does not know which store it is.
import { createReadStream, createWriteStream } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import zlib from "node:zlib";
import { rethrowAsOurs } from "../drivers/local/database-file.ts";
import { isTenantId, type TenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import { type ObjectStore, objectMissing, type StoredObject } from "./object-store.ts";
import { objectsBelow, removeObjects } from "./remove-objects.ts";
import { snapshotMoment } from "./snapshot-name.ts";
import type { SnapshotStore, StoredSnapshot } from "./snapshot-store.ts";

/** How a snapshot is compressed, by the end of its name. Node has zstd from 22.15 on; older ones take gzip. */
const COMPRESSIONS = {
  ".db.zst": { compress: () => zlib.createZstdCompress(), decompress: () => zlib.createZstdDecompress() },
  ".db.gz": { compress: () => zlib.createGzip(), decompress: () => zlib.createGunzip() },
} as const;

type Ending = keyof typeof COMPRESSIONS;

/** Snapshots below the prefix of a store: `<tenant>/<name>.db.zst`. */
export function objectSnapshots(open: () => Promise<ObjectStore>, place: string): SnapshotStore {
  const ending: Ending = "createZstdCompress" in zlib ? ".db.zst" : ".db.gz";
  const objectsOf = async (
    tenant: TenantId,
  ): Promise<(StoredSnapshot & { readonly object: StoredObject })[]> => {
    const found: (StoredSnapshot & { readonly object: StoredObject })[] = [];
    for await (const object of (await open()).list(`${tenant}/`)) {
      const { name } = named(object.key);
      if (name !== undefined) found.push({ name, storedBytes: object.bytes, object });
    }
    return found.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  };
  return {
    place,
    async put(tenant, name, path) {
      if ((await objectsOf(tenant)).some((one) => one.name === name)) throw there(tenant, name);
      const compressed = `${path}${ending}`;
      try {
        await pipeline(
          createReadStream(path),
          COMPRESSIONS[ending].compress(),
          createWriteStream(compressed),
        ).catch(rethrowAsOurs);
        await (await open()).put(`${tenant}/${name}${ending}`, compressed);
        return { name, storedBytes: (await stat(compressed)).size };
      } finally {
        await rm(compressed, { force: true });
      }
    },
    list: async (tenant) => (await objectsOf(tenant)).map(({ name, storedBytes }) => ({ name, storedBytes })),
    async fetch(tenant, name, to) {
      const found = (await objectsOf(tenant)).find((one) => one.name === name);
      if (!found) throw objectMissing(`${tenant}/${name}`, place);
      const { end = ending } = named(found.object.key);
      const compressed = `${to}${end}`;
      try {
        await (await open()).get(found.object.key, compressed);
        await pipeline(
          createReadStream(compressed),
          COMPRESSIONS[end].decompress(),
          createWriteStream(to, { flags: "wx" }),
        ).catch(damaged);
      } finally {
        await rm(compressed, { force: true });
      }
    },
    async remove(tenant, name) {
      const store = await open();
      for (const one of await objectsOf(tenant)) if (one.name === name) await store.remove(one.object);
    },
    removeAll: async (tenant) => void (await removeObjects(await open(), `${tenant}/`)),
    async remains(tenant) {
      return (await objectsBelow(await open(), `${tenant}/`)).map(({ key }) => key.slice(tenant.length + 1));
    },
    async *tenants() {
      const seen = new Set<string>();
      for await (const { key } of (await open()).list("")) {
        const [tenant = ""] = key.split("/");
        if (named(key).name === undefined || seen.has(tenant) || !isTenantId(tenant)) continue;
        seen.add(tenant);
        yield tenant;
      }
    },
  };
}

function named(key: string): { readonly name?: string; readonly end?: Ending } {
  const file = key.slice(key.lastIndexOf("/") + 1);
  const end = (Object.keys(COMPRESSIONS) as Ending[]).find((one) => file.endsWith(one));
  const name = end && file.slice(0, -end.length);
  return name !== undefined && snapshotMoment(name) !== undefined && end ? { name, end } : {};
}

function there(tenant: TenantId, name: string): TenantryError {
  return new TenantryError("DATABASE_EXISTS", `There is a snapshot ${name} of "${tenant}" already.`, {
    tenant,
    hint: "Take another one a moment later.",
  });
}

function damaged(error: unknown): never {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (!code.startsWith("Z_") && !code.startsWith("ZSTD_")) rethrowAsOurs(error);
  throw new TenantryError("DATABASE_CORRUPT", "The snapshot cannot be decompressed: it is damaged.", {
    hint: "Take another snapshot, or another moment.",
    cause: error,
  });
}
