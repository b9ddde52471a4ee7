// Owns number 5: the memory of a server over a large catalog, while requests come for tenants at random.
// There is no bare thing beside it: the figures stand for themselves.
import {
  benchMigrations,
  catalogueTenants,
  createTenants,
  openTenantry,
  randomIndexes,
  range,
  temporaryFolder,
  tenantName,
} from "./fleet.ts";
import { figureFinding, type Finding, megabytes, median, times } from "./figures.ts";
import { loadPaths } from "./load.ts";
import { ServerProcess } from "./server-process.ts";
import type { Settings } from "./settings.ts";

/**
 * Opening and closing databases leaves much that outlives one scavenge but not two, and Node answers by letting
 * the space for new objects grow to 130 MB. With this bound it stays at 48 MB.
 */
const NODE_FLAGS = ["--max-semi-space-size=16"];

/** Looks at the memory, evenly over the run. */
const LOOKS = 20;

/** Measures number 5. */
export async function memory(settings: Settings): Promise<Finding[]> {
  const { catalogued, requests, connections, maxOpen } = settings;
  await using folder = await temporaryFolder(settings.folder);
  const data = folder.path;
  const next = randomIndexes(catalogued);
  const asked = Array.from({ length: requests }, next);
  {
    await using tenantry = await openTenantry({ data, migrations: await benchMigrations() });
    // Every tenant is in the catalog; a file is made for each that will be asked for.
    const touched = new Set(asked);
    await createTenants(tenantry, touched);
    await catalogueTenants(
      tenantry,
      [...range(catalogued)].filter((index) => !touched.has(index)),
    );
  }

  await using server = await ServerProcess.start({ kind: "app", data, maxOpen }, NODE_FLAGS);
  const sizes: number[] = [];
  const each = Math.floor(requests / LOOKS);
  for (let look = 0; look < LOOKS; look++) {
    const paths = asked
      .slice(look * each, (look + 1) * each)
      .map((index) => `/t/${tenantName(index)}/rest/customers?id=eq.1`);
    await loadPaths(server.url, paths, { connections, requests: each });
    sizes.push((await server.report()).rssBytes);
  }
  const { handlesOpen } = await server.report();
  const third = median(sizes.slice(LOOKS / 2, (LOOKS * 3) / 4));
  const last = median(sizes.slice((LOOKS * 3) / 4));
  const name = `${catalogued.toLocaleString("en")} tenants, ${requests.toLocaleString("en")} requests`;
  return [
    figureFinding(`handles open after ${name}`, handlesOpen, { atLeast: maxOpen }, String),
    figureFinding(
      `resident memory, at its most, with ${NODE_FLAGS.join(" ")}`,
      Math.max(...sizes),
      { atMost: 350_000_000 },
      megabytes,
    ),
    figureFinding("last quarter beside the third", last / third, { atMost: 1.05 }, times),
  ];
}
