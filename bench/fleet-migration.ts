// Owns number 4: migrating a fleet that is up to date, and one that gets a column, beside a bare loop.
import { migrateBare } from "./bare.ts";
import { benchMigrations, makeFleet, openTenantry, range, temporaryFolder, tenantName } from "./fleet.ts";
import { figureFinding, type Finding, median, type Pair, ratioFinding, seconds } from "./figures.ts";
import type { Settings } from "./settings.ts";

/** Measures number 4. */
export async function fleetMigration(settings: Settings): Promise<Finding[]> {
  const { tenants, rounds } = settings;
  await using ours = await temporaryFolder(settings.folder);
  await using bare = await temporaryFolder(settings.folder);
  await makeFleet(ours.path, tenants);
  await makeFleet(bare.path, tenants);

  const nothing: number[] = [];
  for (let round = 0; round < rounds; round++) nothing.push(await migrateOurs(ours.path, [], 0));

  const columns: string[] = [];
  const pairs: Pair[] = [];
  // A turn takes long: three of them are enough.
  for (let round = 0; round < Math.min(rounds, 3); round++) {
    columns.push(`ALTER TABLE customers ADD COLUMN extra_${round} TEXT`);
    pairs.push({
      bare: await migrateByHand(bare.path, columns, tenants),
      ours: await migrateOurs(ours.path, columns, tenants),
    });
  }
  const many = tenants.toLocaleString("en");
  return [
    figureFinding(`nothing to do, ${many} tenants`, median(nothing), { atMost: 1 }, seconds),
    ratioFinding(`ADD COLUMN, ${many} tenants`, pairs, { atMost: 1.4 }, seconds),
  ];
}

/** Seconds from opening the data folder until it is closed again. */
async function migrateOurs(data: string, columns: readonly string[], expected: number): Promise<number> {
  const migrations = await benchMigrations(columns);
  const started = performance.now();
  const tenantry = await openTenantry({ data, migrations });
  const { migrated, failed } = await tenantry.fleet.run();
  await tenantry.close();
  if (migrated !== expected || failed.length > 0) throw new Error(`${migrated} tenants were migrated.`);
  return (performance.now() - started) / 1000;
}

/** Seconds that a loop over all files takes, a transaction each. */
async function migrateByHand(data: string, columns: readonly string[], tenants: number): Promise<number> {
  const migration = (await benchMigrations(columns)).migrations.at(-1)!;
  await using tenantry = await openTenantry({ data });
  const started = performance.now();
  for (const index of range(tenants)) migrateBare(tenantry.driver.files.pathOf(tenantName(index)), migration);
  return (performance.now() - started) / 1000;
}
