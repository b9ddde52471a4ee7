// Owns number 3: making a tenant, beside running the sample's migrations on a new file.
import { join } from "node:path";
import { createBare } from "./bare.ts";
import { createTenants, openTenantry, range, sampleMigrations, temporaryFolder } from "./fleet.ts";
import { figureFinding, type Finding, median, type Pair, perSecond, ratioFinding } from "./figures.ts";
import type { Settings } from "./settings.ts";

/** Measures number 3. */
export async function newTenant({ rounds, creations, folder: parent }: Settings): Promise<Finding[]> {
  await using folder = await temporaryFolder(parent);
  const set = await sampleMigrations();
  await using tenantry = await openTenantry({ data: folder.path, migrations: set });
  const pairs: Pair[] = [];
  for (let round = 0; round <= rounds; round++) {
    const pair = {
      bare: await rate(creations, () => {
        for (const index of range(creations, round * creations)) {
          createBare(join(folder.path, `bare-${index}.db`), set.migrations);
        }
      }),
      ours: await rate(creations, () => createTenants(tenantry, range(creations, round * creations))),
    };
    if (round > 0) pairs.push(pair);
  }
  return [
    ratioFinding("new tenants", pairs, { atLeast: 5 }, perSecond),
    figureFinding(
      "new tenants in one process",
      median(pairs.map(({ ours }) => ours)),
      { atLeast: 500 },
      perSecond,
    ),
  ];
}

async function rate(count: number, make: () => void | Promise<void>): Promise<number> {
  const started = performance.now();
  await make();
  return (count * 1000) / (performance.now() - started);
}
