// Owns the tenants that are measured: their migrations, their names, and making many of them.
// Measures nothing.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type MigrationSet, migrationSet } from "../src/migrations/migration-set.ts";
import { readMigrations } from "../src/migrations/read-migrations.ts";
import { seededRandom } from "../src/sample/seeded-random.ts";
import { parseTenantId, type TenantId } from "../src/tenant-id.ts";
import { createTenantry, type Tenantry } from "../src/tenantry.ts";
import type { TenantryOptions } from "../src/tenantry-options.ts";

/** What is read everywhere: one row of four columns by its primary key. */
export const READ_ONE = "SELECT id, name, email, city FROM customers WHERE id = ?";
/** The same row with all of its columns. */
export const READ_WHOLE = "SELECT * FROM customers WHERE id = ?";

/** Creations that run at the same time. */
const AT_ONCE = 100;

const FIRST_CUSTOMER = `INSERT INTO customers (name, email, city, country)
VALUES ('Lindqvist & Søner', 'post@lindqvist.example', 'Bergen', 'NO');`;

/** The sample's schema. */
export function sampleMigrations(): Promise<MigrationSet> {
  return readMigrations(join(import.meta.dirname, "../migrations"));
}

/** The sample's schema with one customer, and then `more`. */
export async function benchMigrations(more: readonly string[] = []): Promise<MigrationSet> {
  const { migrations } = await sampleMigrations();
  return migrationSet([
    ...migrations,
    ...[FIRST_CUSTOMER, ...more].map((sql, index) => ({ name: `${5001 + index}_bench.sql`, sql })),
  ]);
}

/** Writes the same into a new folder, for who reads them from one. */
export async function writeBenchMigrations(folder: string): Promise<void> {
  const { migrations } = await benchMigrations();
  await mkdir(folder);
  await Promise.all(migrations.map(({ name, sql }) => writeFile(join(folder, name), sql)));
}

/** A folder for one measurement, removed when it is disposed of. */
export async function temporaryFolder(parent: string): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(parent, "tenantry-bench-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Opens a data folder as a server does, without its timers. */
export function openTenantry(options: TenantryOptions): Promise<Tenantry> {
  return createTenantry({ idleMs: 0, ...options });
}

/** The tenant of that number. */
export function tenantName(index: number): TenantId {
  return parseTenantId(`t${String(index).padStart(6, "0")}`);
}

/** Makes the tenants with these numbers, with their databases. */
export async function createTenants(tenantry: Tenantry, indexes: Iterable<number>): Promise<void> {
  await eachAtOnce(indexes, (index) => tenantry.lifecycle.create(tenantName(index)));
}

/** Makes a data folder with `count` tenants, and closes it. */
export async function makeFleet(data: string, count: number): Promise<void> {
  await using tenantry = await openTenantry({ data, migrations: await benchMigrations() });
  await createTenants(tenantry, range(count));
}

/** Enters the tenants with these numbers into the catalog, without a database. */
export async function catalogueTenants(tenantry: Tenantry, indexes: Iterable<number>): Promise<void> {
  const { catalog, driver, migrations } = tenantry;
  await eachAtOnce(indexes, (index) =>
    catalog.create({
      id: tenantName(index),
      driver: driver.name,
      shard: "default",
      schemaVersion: migrations.version ?? "",
      schemaHash: migrations.hash,
      sizeBytes: 0,
      provision: async () => {},
    }),
  );
}

async function eachAtOnce(indexes: Iterable<number>, fn: (index: number) => Promise<unknown>): Promise<void> {
  const queue = indexes[Symbol.iterator]();
  const work = async (): Promise<void> => {
    for (let next = queue.next(); !next.done; next = queue.next()) await fn(next.value);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

/** The numbers from `from` on, `count` of them. */
export function* range(count: number, from = 0): Generator<number, void, undefined> {
  for (let index = from; index < from + count; index++) yield index;
}

/** A source of numbers below `count`, the same in every run. */
export function randomIndexes(count: number): () => number {
  const random = seededRandom("bench");
  return () => random.between(0, count - 1);
}
