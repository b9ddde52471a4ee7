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
import { SAMPLE_MIGRATIONS } from "./customers.ts";
import { NODE_FLAGS } from "../src/executors/executor.ts";
import { ServeProcess } from "./serve-process.ts";
import type { Settings } from "./settings.ts";

/** Places that the cache keeps free, where nobody needs them. */
const FREE_PLACES = 8;

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

  const each = Math.floor(requests / LOOKS);
  const run = async (executors: number): Promise<{ sizes: number[]; handlesOpen: number }> => {
    await using server = await ServeProcess.start({
      data,
      migrations: SAMPLE_MIGRATIONS,
      executors,
      args: [`--max-open=${maxOpen + FREE_PLACES}`],
      nodeFlags: executors === 0 ? NODE_FLAGS : [],
    });
    const sizes: number[] = [];
    for (let look = 0; look < LOOKS; look++) {
      const paths = asked
        .slice(look * each, (look + 1) * each)
        .map((index) => `/t/${tenantName(index)}/rest/customers?id=eq.1`);
      await loadPaths(server.url, paths, { connections, requests: each });
      const rss = server.rss();
      sizes.push(rss.main + rss.executors);
    }
    return { sizes, handlesOpen: await server.metric("tenantry_handles_open") };
  };

  const { sizes, handlesOpen } = await run(0);
  const apart = await run(settings.executors);
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
    figureFinding(
      `resident memory of server, ${settings.executors} executors and the one in reserve together`,
      Math.max(...apart.sizes),
      undefined,
      megabytes,
    ),
  ];
}
