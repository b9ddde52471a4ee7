// Owns catalogs for tests: each in a file of its own that goes when the test ends.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type Catalog, type CatalogOptions, type NewTenant, openCatalog } from "../src/catalog/index.ts";
import type { Handle } from "../src/drivers/driver.ts";
import { localDriver } from "../src/drivers/local/local-driver.ts";
import { parseTenantId, type TenantId } from "../src/tenant-id.ts";

export interface CatalogFile {
  readonly path: string;
  /** Opens the catalog once more, on a connection of its own as another process would. */
  open(options?: Partial<CatalogOptions>): Promise<{ catalog: Catalog; handle: Handle }>;
}

/** A place for a catalog; nothing is there before `open()`. */
export async function catalogFile(): Promise<CatalogFile> {
  const dir = await mkdtemp(join(tmpdir(), "catalog-"));
  const opened: { catalog: Catalog; handle: Handle }[] = [];
  onTestFinished(async () => {
    for (const { catalog, handle } of opened) {
      await catalog.close();
      await handle.close();
    }
    await rm(dir, { recursive: true });
  });
  const path = join(dir, "catalog.db");
  return {
    path,
    async open(options = {}) {
      const handle = await localDriver({ dir }).openFile(path, { create: true });
      const catalog = await openCatalog({ handle, dataVersion: () => handle.dataVersion(), ...options });
      opened.push({ catalog, handle });
      return { catalog, handle };
    },
  };
}

/** A catalog with nothing in it. */
export async function emptyCatalog(options?: Partial<CatalogOptions>): Promise<Catalog> {
  return (await (await catalogFile()).open(options)).catalog;
}

/** A tenant to be, whose database needs no making. */
export function tenant(id: string, more: Partial<NewTenant> = {}): NewTenant {
  return {
    id: parseTenantId(id),
    driver: "local",
    shard: "local",
    schemaVersion: "0001_initial.sql",
    schemaHash: "h1",
    sizeBytes: 4096,
    provision: async () => {},
    ...more,
  };
}

/** The tenants `t00000`, `t00001`, … */
export function tenantIds(count: number): TenantId[] {
  return Array.from({ length: count }, (_, n) => parseTenantId(`t${String(n).padStart(5, "0")}`));
}

/** Everything that a sweep gives. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** The next turn of the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(() => setImmediate(resolve));
  });
}
