// Owns number 1: one row of an open tenant over HTTP, beside a bare Hono handler that reads the same row.
// Does not start or load a server itself.
import { makeFleet, temporaryFolder, tenantName } from "./fleet.ts";
import { type Finding, micros, type Pair, perSecond, ratioFinding, type Target } from "./figures.ts";
import { load, type LoadResult } from "./load.ts";
import { ServerProcess } from "./server-process.ts";
import type { Settings } from "./settings.ts";

interface Turn extends LoadResult {
  /** Microseconds of the server's processor time for a request. */
  readonly cpuMicros: number;
}

/** Measures number 1. */
export async function hotRead(settings: Settings): Promise<Finding[]> {
  const { rounds, seconds, connections, maxOpen } = settings;
  await using folder = await temporaryFolder(settings.folder);
  const data = folder.path;
  await makeFleet(data, 1);

  await using bare = await ServerProcess.start({ kind: "bare", data, maxOpen });
  await using route = await ServerProcess.start({ kind: "route", data, maxOpen });
  await using app = await ServerProcess.start({ kind: "app", data, maxOpen });
  const row = `/t/${tenantName(0)}/customers/1`;
  const rest = `/t/${tenantName(0)}/rest/customers?id=eq.1`;

  const compare = async (
    name: string,
    server: ServerProcess,
    path: string,
    count: number,
    figure: "perSecond" | "p50Micros",
    target: Target,
  ): Promise<Finding> => {
    const turns = await takeTurns(rounds, (side) =>
      turn(side === "bare" ? bare : server, path, count, seconds),
    );
    const show = figure === "perSecond" ? perSecond : micros;
    const finding = ratioFinding(name, pairsOf(turns, figure), target, show);
    const cpu = ratioFinding("", pairsOf(turns, "cpuMicros"), undefined, micros);
    return { ...finding, measured: `${finding.measured}; processor time ${cpu.measured}` };
  };
  return [
    await compare(`route, ${connections} connections`, route, row, connections, "perSecond", {
      atLeast: 0.95,
    }),
    await compare("route, 1 connection, p50", route, row, 1, "p50Micros", { atMost: 1.3 }),
    await compare(`/rest, ${connections} connections`, app, rest, connections, "perSecond", {
      atLeast: 0.75,
    }),
    await compare("/rest, 1 connection, p50", app, rest, 1, "p50Micros", undefined),
  ];
}

async function takeTurns<T>(rounds: number, side: (side: "bare" | "ours") => Promise<T>): Promise<[T, T][]> {
  const turns: [T, T][] = [];
  // The first turn of each warms it up.
  for (let round = 0; round <= rounds; round++) {
    const pair: [T, T] = [await side("bare"), await side("ours")];
    if (round > 0) turns.push(pair);
  }
  return turns;
}

async function turn(
  server: ServerProcess,
  path: string,
  connections: number,
  seconds: number,
): Promise<Turn> {
  const before = await server.report();
  const result = await load(server.url + path, connections, seconds);
  const after = await server.report();
  return { ...result, cpuMicros: (after.cpuMicros - before.cpuMicros) / result.requests };
}

function pairsOf(turns: readonly [Turn, Turn][], figure: "perSecond" | "p50Micros" | "cpuMicros"): Pair[] {
  return turns.map(([bare, ours]) => ({ bare: bare[figure], ours: ours[figure] }));
}
