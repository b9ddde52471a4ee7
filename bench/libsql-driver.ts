// Owns number 16: a row by the libSQL driver from Tenantry's own endpoint, beside bare @libsql/client.
// Both sides ask in this process; the server is another's.
import { createClient } from "@libsql/client";
import { tenantDatabase } from "../src/database/tenant-database.ts";
import { libsqlDriver } from "../src/drivers/libsql/libsql-driver.ts";
import { type Finding, type Pair, perSecond, ratioFinding } from "./figures.ts";
import { makeFleet, READ_ONE, temporaryFolder, tenantName } from "./fleet.ts";
import { ServerProcess } from "./server-process.ts";
import type { Settings } from "./settings.ts";
import { turnAbout } from "./turn-about.ts";

/** Milliseconds of one side's turn. */
const TURN_MS = 100;
const WARM_UP_SECONDS = 1;

/** Measures number 16. */
export async function libsqlClient({
  rounds,
  seconds,
  maxOpen,
  folder: parent,
}: Settings): Promise<Finding[]> {
  await using folder = await temporaryFolder(parent);
  await makeFleet(folder.path, 1);
  await using server = await ServerProcess.start({ kind: "app", data: folder.path, maxOpen });
  const url = `${server.url}/t/${tenantName(0)}/`;
  const client = createClient({ url });
  const handle = await libsqlDriver({ url: `${server.url}/t/{tenant}/` }).open(tenantName(0));
  const statement = tenantDatabase(handle).prepare(READ_ONE);
  const sides = {
    bare: () => client.execute({ sql: READ_ONE, args: [1] }),
    ours: () => statement.bind(1).all(),
  };
  const findings: Finding[] = [];
  for (const atOnce of [1, 16]) {
    const turns = {
      bare: () => turnOf(sides.bare, atOnce),
      ours: () => turnOf(sides.ours, atOnce),
    };
    await turnAbout(turns, WARM_UP_SECONDS);
    const pairs: Pair[] = [];
    for (let round = 0; round < rounds; round++) pairs.push(await turnAbout(turns, seconds));
    findings.push(ratioFinding(`a row, ${atOnce} at once`, pairs, { atLeast: 0.8 }, perSecond));
  }
  client.close();
  await handle.close();
  return findings;
}

/** Calls for a moment, so many at once; how many they were. */
async function turnOf(call: () => Promise<unknown>, atOnce: number): Promise<number> {
  const end = performance.now() + TURN_MS;
  let count = 0;
  const work = async (): Promise<void> => {
    while (performance.now() < end) {
      await call();
      count++;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return count;
}
