// Owns number 2: a tenant that is not open, beside opening its file by hand.
// Does not know how tenants are made.
import { join } from "node:path";
import { readOnce } from "./bare.ts";
import {
  benchMigrations,
  makeFleet,
  openTenantry,
  randomIndexes,
  range,
  READ_ONE,
  temporaryFolder,
  tenantName,
  writeBenchMigrations,
} from "./fleet.ts";
import { type Finding, median, micros, type Pair, perSecond, ratioFinding } from "./figures.ts";
import { loadPaths } from "./load.ts";
import { ServeProcess } from "./serve-process.ts";
import { ServerProcess } from "./server-process.ts";
import { seededRandom } from "../src/sample/seeded-random.ts";
import type { TenantId } from "../src/tenant-id.ts";
import type { Settings } from "./settings.ts";

/** Opens in one turn of each side, in one process. */
const OPENS_PER_TURN = 250;

/** Measures number 2. */
export async function coldOpen(settings: Settings): Promise<Finding[]> {
  await using folder = await temporaryFolder(settings.folder);
  await makeFleet(folder.path, settings.tenants);
  return [await oneByOne(folder.path, settings), ...(await overHttp(folder.path, settings))];
}

/** One open after the other in this process; the cache is full, so that each closes another handle. */
async function oneByOne(data: string, { rounds, tenants, maxOpen }: Settings): Promise<Finding> {
  await using tenantry = await openTenantry({ data, maxOpen, migrations: await benchMigrations() });
  // Round and round in one random order: who comes has not been open for long.
  const order = seededRandom("cold").shuffled([...range(tenants)]);
  let at = 0;
  const next = (): TenantId => tenantName(order[at++ % tenants]!);
  // By hand one would know where the files are.
  const paths = order.map((index) => tenantry.driver.files.pathOf(tenantName(index)));
  const bare = (): void => {
    readOnce(paths[at++ % tenants]!, READ_ONE, 1);
  };
  const ours = async (): Promise<void> => {
    await tenantry.database(next()).prepare(READ_ONE).bind(1).first();
  };
  for (let i = 0; i < maxOpen * 2; i++) await ours();

  const pairs: Pair[] = [];
  for (let round = 0; round <= rounds; round++) {
    const pair = { bare: await p50(bare), ours: await p50(ours) };
    if (round > 0) pairs.push(pair);
  }
  return ratioFinding("open, check, read one row, close: p50", pairs, { atMost: 1.5 }, micros);
}

async function p50(call: () => void | Promise<void>): Promise<number> {
  const took: number[] = [];
  for (let i = 0; i < OPENS_PER_TURN; i++) {
    // Each in a turn of the event loop of its own, as requests come.
    await new Promise<void>((resolve) => void setImmediate(resolve));
    const started = performance.now();
    await call();
    took.push((performance.now() - started) * 1000);
  }
  return median(took);
}

/** Random tenants over HTTP, beside a loop that opens, reads and closes in one process. */
async function overHttp(data: string, settings: Settings): Promise<Finding[]> {
  const { rounds, seconds, connections, executors, tenants, maxOpen } = settings;
  const migrations = join(data, "bench-migrations");
  await writeBenchMigrations(migrations);
  await using route = await ServerProcess.start({ kind: "route", data, maxOpen });
  await using served = await ServeProcess.start({
    data,
    migrations,
    executors,
    args: [`--max-open=${maxOpen}`],
  });
  await using tenantry = await openTenantry({ data, maxOpen, migrations: await benchMigrations() });
  const next = randomIndexes(tenants);
  const files = [...range(tenants)].map((index) => tenantry.driver.files.pathOf(tenantName(index)));
  const bare = (): number => {
    const started = performance.now();
    const endsAt = started + seconds * 1000;
    let opens = 0;
    for (; performance.now() < endsAt; opens++) {
      readOnce(files[next()]!, READ_ONE, 1);
    }
    return (opens * 1000) / (performance.now() - started);
  };
  const ours = async (url: string, path: string): Promise<number> => {
    const paths = Array.from({ length: 50_000 }, () => `/t/${tenantName(next())}${path}`);
    return (await loadPaths(url, paths, { connections, seconds })).perSecond;
  };
  const inOne: Pair[] = [];
  const inExecutors: Pair[] = [];
  for (let round = 0; round <= rounds; round++) {
    const alone = bare();
    const pairs = [
      { bare: alone, ours: await ours(route.url, "/customers/1") },
      { bare: alone, ours: await ours(served.url, "/rest/customers?id=eq.1") },
    ] as const;
    if (round === 0) continue;
    inOne.push(pairs[0]);
    inExecutors.push(pairs[1]);
  }
  const name = `${tenants.toLocaleString("en")} tenants at random over HTTP, ${maxOpen} open`;
  return [
    ratioFinding(`${name}, as served: ${executors} executors`, inExecutors, { atLeast: 0.6 }, perSecond),
    ratioFinding(`${name}, in one process`, inOne, undefined, perSecond),
  ];
}
