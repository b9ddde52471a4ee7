// Owns how the file of the catalog is opened, and made where there is none.
// Does not know what is in it.
import { join } from "node:path";
import { exists, makeFolder } from "./drivers/local/database-file.ts";
import { CHECKPOINT_PAGES_REPLICATED, localDriver } from "./drivers/local/local-driver.ts";
import type { LocalHandle } from "./drivers/local/local-handle.ts";

/** Bytes of page cache of the catalog: a million tenants are looked up at random. */
const CATALOG_CACHE_BYTES = 16 * 1024 * 1024;

/** The catalog is written durably whatever the tenants are: who exists must survive a power cut. */
export async function openCatalogFile(dir: string, isReplicated: boolean): Promise<LocalHandle> {
  await makeFolder(dir);
  const path = join(dir, "catalog.db");
  return localDriver({
    dir,
    durability: "full",
    cacheBytes: CATALOG_CACHE_BYTES,
    ...(isReplicated && { checkpointPages: CHECKPOINT_PAGES_REPLICATED }),
  }).openFile(path, { create: !(await exists(path)) });
}
