// Owns number 9: Hrana beside the same statement through /query, beside better-sqlite3 behind a bare handler, and
// interactive transactions over a WebSocket. Each for one process, and for executors.
// Does not start or load a server itself.
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import Database from "better-sqlite3";
import { databasePath } from "../src/drivers/local/database-file.ts";
import { makeCustomers, SAMPLE_MIGRATIONS } from "./customers.ts";
import {
  type Finding,
  figureFinding,
  median,
  micros,
  type Pair,
  perSecond,
  ratioFinding,
  type Target,
} from "./figures.ts";
import { temporaryFolder, tenantName } from "./fleet.ts";
import {
  clientTransaction,
  INSERT_BATCH,
  makeTables,
  MANY_ROWS,
  ONE_ROW,
  plainTransaction,
  type SocketTurn,
  STORE_TRANSACTION,
} from "./hrana-statements.ts";
import { load } from "./load.ts";
import { ServeProcess } from "./serve-process.ts";
import { ServerProcess } from "./server-process.ts";
import type { Settings } from "./settings.ts";
import type { SocketLoadOrder, SocketLoadResult } from "./socket-load.ts";

/** What of the settings matters here. */
type Sizes = Pick<
  Settings,
  "rounds" | "seconds" | "connections" | "executors" | "folder" | "maxOpen" | "quick"
>;

/** A turn of one side. */
interface Turn {
  readonly figure: number;
  /** Microseconds of processor time for a request, of all of the server's processes. */
  readonly cpuMicros: number;
}

type Side = (seconds: number) => Promise<Turn>;

/** Seconds of the first turns, which count for nothing: it takes V8 as long to be done with so much code. */
const WARM_UP_SECONDS = 10;

/** Seconds of a turn; the one before the first warms up. */
function secondsOf(round: number, { seconds, quick }: Pick<Sizes, "seconds" | "quick">): number {
  return round === 0 && !quick ? WARM_UP_SECONDS : seconds;
}

/** Measures number 9. */
export async function hrana(settings: Sizes): Promise<Finding[]> {
  const { connections, executors, folder, maxOpen } = settings;
  const tenant = tenantName(0);
  await using own = await tenantFolder(folder);
  await using bare = await ServerProcess.start({ kind: "bare", data: own.path, maxOpen });
  const findings: Finding[] = [];
  for (const count of [0, executors]) {
    await using data = await tenantFolder(folder);
    await using server = await ServeProcess.start({
      data: data.path,
      migrations: SAMPLE_MIGRATIONS,
      executors: count,
    });
    const where = count === 0 ? "one process" : `${count} executors`;
    const root = `/t/${tenant}`;
    const cpu = (): number => server.cpu().main + server.cpu().executors;
    const bareCpu = async (): Promise<number> => (await bare.report()).cpuMicros;
    const ours = (path: string, body: string, many: number, figure: "perSecond" | "p50Micros"): Side =>
      sideOf(server.url + root + path, { body, connections: many, figure, cpu });
    const bareSide = (path: string, body: string, figure: "perSecond" | "p50Micros", many: number): Side =>
      sideOf(bare.url + root + path, {
        body,
        connections: many,
        figure,
        cpu: bareCpu,
      });

    findings.push(
      await compare(`one row, ${connections} connections, beside /query, ${where}`, settings, {
        bare: ours("/query", ONE_ROW.query, connections, "perSecond"),
        ours: ours("/v2/pipeline", ONE_ROW.pipeline, connections, "perSecond"),
        target: { atLeast: 0.8 },
        show: perSecond,
      }),
      await compare(
        `100 inserts, p50, beside a handler that looks at nothing it is sent, ${where}`,
        settings,
        {
          bare: bareSide("/inserts", INSERT_BATCH, "p50Micros", 1),
          ours: ours("/v2/pipeline", INSERT_BATCH, 1, "p50Micros"),
          target: { atMost: 1.5 },
          show: micros,
        },
      ),
      await compare(`100 inserts, p50, beside a handler that inserts what it is sent, ${where}`, settings, {
        bare: bareSide("/read-inserts", INSERT_BATCH, "p50Micros", 1),
        ours: ours("/v2/pipeline", INSERT_BATCH, 1, "p50Micros"),
        target: { atMost: 1.5 },
        show: micros,
      }),
      await compare(`10,000 rows of 5 columns, ${where}`, settings, {
        bare: bareSide("/rows", MANY_ROWS, "perSecond", 4),
        ours: ours("/v2/pipeline", MANY_ROWS, 4, "perSecond"),
        target: { atLeast: 0.5 },
        show: perSecond,
      }),
      await transactions(`four statements in a transaction on a WebSocket, ${where}`, server, {
        ...settings,
        transaction: clientTransaction,
      }),
      await transactions(`the same with BEGIN by itself, ${where}`, server, {
        ...settings,
        transaction: plainTransaction,
      }),
    );
  }
  return findings;
}

/** A data folder with one tenant that has the tables. */
async function tenantFolder(parent: string): Promise<Awaited<ReturnType<typeof temporaryFolder>>> {
  const folder = await temporaryFolder(parent);
  const tenant = tenantName(0);
  await makeCustomers(folder.path, [tenant]);
  const sqlite = new Database(databasePath(folder.path, tenant));
  makeTables(sqlite);
  sqlite.close();
  return folder;
}

function sideOf(
  url: string,
  {
    body,
    connections,
    figure,
    cpu,
  }: {
    readonly body: string;
    readonly connections: number;
    readonly figure: "perSecond" | "p50Micros";
    readonly cpu: () => number | Promise<number>;
  },
): Side {
  return async (seconds) => {
    const before = await cpu();
    const result = await load(url, connections, seconds, body);
    return { figure: result[figure], cpuMicros: ((await cpu()) - before) / result.requests };
  };
}

async function compare(
  name: string,
  settings: Pick<Sizes, "rounds" | "seconds" | "quick">,
  sides: {
    readonly bare: Side;
    readonly ours: Side;
    readonly target: Target;
    readonly show: (value: number) => string;
  },
): Promise<Finding> {
  const turns: [bare: Turn, ours: Turn][] = [];
  for (let round = 0; round <= settings.rounds; round++) {
    const lasts = secondsOf(round, settings);
    const pair: [Turn, Turn] = [await sides.bare(lasts), await sides.ours(lasts)];
    if (round > 0) turns.push(pair);
  }
  const pairs = (figure: keyof Turn): Pair[] =>
    turns.map(([bare, ours]) => ({ bare: bare[figure], ours: ours[figure] }));
  const finding = ratioFinding(name, pairs("figure"), sides.target, sides.show);
  const cpu = ratioFinding("", pairs("cpuMicros"), undefined, micros);
  return { ...finding, measured: `${finding.measured}; processor time ${cpu.measured}` };
}

async function transactions(
  name: string,
  server: ServeProcess,
  settings: Pick<Sizes, "rounds" | "seconds" | "quick"> & {
    readonly transaction: (streamId: number) => readonly SocketTurn[];
  },
): Promise<Finding> {
  const url = `${server.url.replace("http", "ws")}/t/${tenantName(0)}`;
  const rates: number[] = [];
  const cpus: number[] = [];
  for (let round = 0; round <= settings.rounds; round++) {
    const before = server.cpu();
    const child = fork(join(import.meta.dirname, "socket-load.ts"));
    child.send({
      url,
      before: STORE_TRANSACTION,
      streams: [1, 2, 3, 4].map(settings.transaction),
      seconds: secondsOf(round, settings),
    } satisfies SocketLoadOrder);
    const ended = once(child, "exit");
    const endedEarly = ended.then((): never => {
      throw new Error("The load ended before its time.");
    });
    const [result] = (await Promise.race([once(child, "message"), endedEarly])) as [SocketLoadResult];
    await ended;
    const after = server.cpu();
    if (round === 0) continue;
    rates.push(result.perSecond);
    cpus.push((after.main - before.main + after.executors - before.executors) / result.transactions);
  }
  const finding = figureFinding(name, median(rates), { atLeast: 500 }, perSecond);
  return { ...finding, measured: `${finding.measured}; processor time ${micros(median(cpus))}` };
}
