// Owns the cost of executors: one row of an open tenant through `tenantry serve --executors N`, beside the same
// command with `--executors 0`, which runs SQL in its own process.
// Does not measure what they are for: noisy-neighbours.ts does.
import { type Finding, median, micros, type Pair, perSecond, ratioFinding, type Target } from "./figures.ts";
import { READ_ONE, temporaryFolder, tenantName } from "./fleet.ts";
import { load, type LoadResult } from "./load.ts";
import { makeCustomers, SAMPLE_MIGRATIONS } from "./customers.ts";
import { type CpuMicros, ServeProcess } from "./serve-process.ts";
import type { Settings } from "./settings.ts";

/** What of the settings matters here. */
type Sizes = Pick<Settings, "rounds" | "seconds" | "connections" | "executors" | "folder">;

interface Turn extends LoadResult {
  /** Processor time for a request. */
  readonly cpu: CpuMicros;
}

interface Ask {
  readonly name: string;
  readonly path: string;
  readonly body?: string;
}

/** Measures the first number of the executors. */
export async function throughExecutors(settings: Sizes): Promise<Finding[]> {
  const { rounds, seconds, connections, executors } = settings;
  await using folder = await temporaryFolder(settings.folder);
  const tenant = tenantName(0);
  await makeCustomers(folder.path, [tenant]);
  const migrations = SAMPLE_MIGRATIONS;
  // Each has a folder of its own: nobody else watches their catalogs.
  await using other = await temporaryFolder(settings.folder);
  await makeCustomers(other.path, [tenant]);
  await using inside = await ServeProcess.start({ data: folder.path, migrations, executors: 0 });
  await using apart = await ServeProcess.start({ data: other.path, migrations, executors });

  const compare = async (
    { name, path, body }: Ask,
    count: number,
    figure: "perSecond" | "p50Micros",
    target: Target,
  ): Promise<Finding> => {
    const turns: [inside: Turn, apart: Turn][] = [];
    const turnOf = async (server: ServeProcess): Promise<Turn> => {
      const before = server.cpu();
      const result = await load(server.url + path, count, seconds, body);
      const after = server.cpu();
      const each = (kind: keyof CpuMicros): number => (after[kind] - before[kind]) / result.requests;
      return { ...result, cpu: { main: each("main"), executors: each("executors") } };
    };
    // The first turn of each warms it up.
    for (let round = 0; round <= rounds; round++) {
      const pair: [Turn, Turn] = [await turnOf(inside), await turnOf(apart)];
      if (round > 0) turns.push(pair);
    }
    const pairs = turns.map(([bare, ours]): Pair => ({ bare: bare[figure], ours: ours[figure] }));
    const finding = ratioFinding(name, pairs, target, figure === "perSecond" ? perSecond : micros);
    return { ...finding, measured: `${finding.measured}; ${cpuOf(turns)}` };
  };

  const asks: readonly Ask[] = [
    { name: "GET /rest", path: `/t/${tenant}/rest/customers?id=eq.1` },
    {
      name: "POST /query",
      path: `/t/${tenant}/query`,
      body: JSON.stringify({ sql: READ_ONE, params: [1] }),
    },
  ];
  const findings: Finding[] = [];
  for (const ask of asks) {
    findings.push(
      await compare({ ...ask, name: `${ask.name}, ${connections} connections` }, connections, "perSecond", {
        atLeast: 0.9,
      }),
      await compare({ ...ask, name: `${ask.name}, 1 connection, p50` }, 1, "p50Micros", { atMost: 2.2 }),
    );
  }
  return findings;
}

function cpuOf(turns: readonly (readonly [inside: Turn, apart: Turn])[]): string {
  const inside = median(turns.map(([{ cpu }]) => cpu.main));
  const main = median(turns.map(([, { cpu }]) => cpu.main));
  const executor = median(turns.map(([, { cpu }]) => cpu.executors));
  return `processor time ${micros(main)} and ${micros(executor)} in the executor beside ${micros(inside)}`;
}
