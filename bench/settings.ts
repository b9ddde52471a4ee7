// Owns the options of the benchmark: their names, sizes and defaults.
// Measures nothing.
import { availableParallelism, tmpdir } from "node:os";
import { parseArgs } from "node:util";

/** Sizes of a run. */
export interface Settings {
  /** Which of the numbers to measure. */
  readonly only: readonly number[];
  /** How often the two sides take turns. */
  readonly rounds: number;
  /** Seconds of load in one turn. */
  readonly seconds: number;
  /** Connections of the loaded server. */
  readonly connections: number;
  /** Tenants of the cold opens, and of the fleet that is migrated. */
  readonly tenants: number;
  /** Tenants in the catalog whose process's memory is watched. */
  readonly catalogued: number;
  /** Requests after which memory is read for the last time. */
  readonly requests: number;
  /** Handles open at once. */
  readonly maxOpen: number;
  /** New tenants in one turn. */
  readonly creations: number;
  /** Executor processes of numbers 6 and more. */
  readonly executors: number;
  /** Milliseconds after which number 7's endless statements are ended. */
  readonly statementTimeoutMs: number;
  /** Requests a second of who is watched in numbers 7 and 8. */
  readonly pace: number;
  /** How much more than that the other tenant of number 8 sends. */
  readonly times: number;
  /** Tenants that are written to in number 13, and dirty in number 14. */
  readonly replicated: number;
  /** Tenants in the catalog of number 13. */
  readonly replicatedCatalogued: number;
  /** Seconds of number 13's writes. */
  readonly replicatedSeconds: number;
  /** Where the data folder is made, and removed in the end. */
  readonly folder: string;
  readonly quick: boolean;
}

type Sizes = Omit<Settings, "only" | "folder" | "quick">;

const FULL: Sizes = {
  // Many short turns: a neighbour on the machine then disturbs a few of them, and not the median.
  rounds: 15,
  seconds: 1,
  connections: 64,
  tenants: 10_000,
  catalogued: 100_000,
  requests: 50_000,
  maxOpen: 256,
  creations: 500,
  executors: 2,
  statementTimeoutMs: 2_000,
  pace: 100,
  times: 100,
  replicated: 300,
  replicatedCatalogued: 20_000,
  replicatedSeconds: 300,
};

const QUICK: Sizes = {
  rounds: 3,
  seconds: 1,
  connections: 64,
  tenants: 1_000,
  catalogued: 5_000,
  requests: 5_000,
  maxOpen: 64,
  creations: 100,
  executors: 2,
  statementTimeoutMs: 1_000,
  pace: 100,
  times: 100,
  replicated: 60,
  replicatedCatalogued: 1_000,
  replicatedSeconds: 15,
};

const HELP = `npm run bench -- [options]

Measures Tenantry beside the bare thing, turn by turn in one run, and prints ratios.

  --only 1,2         which numbers: 1 hot read, 2 cold open, 3 new tenant, 4 migration, 5 memory,
                     6 executors, 7 endless statements, 8 fairness, 9 Hrana, 12 writes with a replica,
                     13 many of them at random, 14 a start with dirty tenants, 15 restore,
                     16 the libSQL driver, 17 copies, 18 a Durable Object;
                     all if not given
  --quick            small sizes, for a look; the ratios of a full run are the ones to go by
  --rounds N         turns of each side               (${FULL.rounds})
  --seconds N        seconds of load in a turn        (${FULL.seconds})
  --connections N    connections under load           (${FULL.connections})
  --tenants N        tenants of numbers 2 and 4       (${FULL.tenants})
  --catalogued N     tenants in the catalog, number 5 (${FULL.catalogued})
  --requests N       requests of number 5             (${FULL.requests})
  --max-open N       handles open at once             (${FULL.maxOpen})
  --creations N      new tenants in a turn, number 3  (${FULL.creations})
  --executors N      executor processes, numbers 6-8  (${FULL.executors})
  --statement-timeout MS  when 7 ends a statement     (${FULL.statementTimeoutMs})
  --pace N           requests a second, 7 and 8       (${FULL.pace})
  --times N          the other tenant's, number 8     (${FULL.times})
  --replicated N     tenants written to, 13, or dirty, 14 (${FULL.replicated})
  --replicated-catalogued N  tenants of number 13     (${FULL.replicatedCatalogued})
  --replicated-seconds N     of writes, number 13     (${FULL.replicatedSeconds})
  --folder DIR       where the data goes meanwhile    (${tmpdir()})
`;

/** The options of the command line; undefined when they ask for help, which has been printed then. */
export function readSettings(args: readonly string[]): Settings | undefined {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: text,
      quick: { type: "boolean", default: false },
      rounds: text,
      seconds: text,
      connections: text,
      tenants: text,
      catalogued: text,
      requests: text,
      "max-open": text,
      creations: text,
      executors: text,
      "statement-timeout": text,
      pace: text,
      times: text,
      replicated: text,
      "replicated-catalogued": text,
      "replicated-seconds": text,
      folder: { ...text, default: tmpdir() },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return undefined;
  }
  const sizes = values.quick ? QUICK : FULL;
  const size = (name: string, given: string | undefined, otherwise: number): number => {
    if (given === undefined) return otherwise;
    const number = Number(given);
    if (number > 0) return number;
    throw new Error(`--${name} is a number above 0, not "${given}".`);
  };
  return {
    only:
      values.only === undefined
        ? [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15, 16, 17, 18]
        : values.only.split(",").map(Number),
    rounds: size("rounds", values.rounds, sizes.rounds),
    seconds: size("seconds", values.seconds, sizes.seconds),
    connections: size("connections", values.connections, sizes.connections),
    tenants: size("tenants", values.tenants, sizes.tenants),
    catalogued: size("catalogued", values.catalogued, sizes.catalogued),
    requests: size("requests", values.requests, sizes.requests),
    maxOpen: size("max-open", values["max-open"], sizes.maxOpen),
    creations: size("creations", values.creations, sizes.creations),
    executors: size("executors", values.executors, sizes.executors),
    statementTimeoutMs: size("statement-timeout", values["statement-timeout"], sizes.statementTimeoutMs),
    pace: size("pace", values.pace, sizes.pace),
    times: size("times", values.times, sizes.times),
    replicated: size("replicated", values.replicated, sizes.replicated),
    replicatedCatalogued: size(
      "replicated-catalogued",
      values["replicated-catalogued"],
      sizes.replicatedCatalogued,
    ),
    replicatedSeconds: size("replicated-seconds", values["replicated-seconds"], sizes.replicatedSeconds),
    folder: values.folder,
    quick: values.quick,
  };
}

/** Processors, of which a fair run of number 1 needs two: one for the server and one for the load. */
export const PROCESSORS = availableParallelism();
