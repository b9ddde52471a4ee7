// Owns the run: which numbers are measured, in what order, and the table that is printed.
// Measures nothing itself. Ends with 1 when a target is missed in a full run.
import { cpus } from "node:os";
import Database from "better-sqlite3";
import { randomWritesWithReplica, startWithDirty, writesWithReplica } from "./backups.ts";
import { coldOpen } from "./cold-open.ts";
import { throughExecutors } from "./executors.ts";
import { copies } from "./copies.ts";
import { edge } from "./edge.ts";
import type { Finding } from "./figures.ts";
import { fleetMigration } from "./fleet-migration.ts";
import { hrana } from "./hrana.ts";
import { hotRead } from "./hot-read.ts";
import { libsqlClient } from "./libsql-driver.ts";
import { hasWrk } from "./load.ts";
import { memory } from "./memory.ts";
import { newTenant } from "./new-tenant.ts";
import { endlessStatements, fairness } from "./noisy-neighbours.ts";
import { restoring } from "./restore.ts";
import { PROCESSORS, readSettings, type Settings } from "./settings.ts";

interface Measurement {
  readonly title: string;
  readonly measure: (settings: Settings) => Promise<Finding[]>;
}

/** By their numbers, some of which are nobody's yet. */
const NUMBERS: readonly (Measurement | undefined)[] = [
  { title: "hot read", measure: hotRead },
  { title: "cold open", measure: coldOpen },
  { title: "new tenant", measure: newTenant },
  { title: "migration", measure: fleetMigration },
  { title: "memory", measure: memory },
  { title: "executors", measure: throughExecutors },
  { title: "endless statements", measure: endlessStatements },
  { title: "fairness", measure: fairness },
  { title: "Hrana", measure: hrana },
  undefined,
  undefined,
  { title: "writes with a replica", measure: writesWithReplica },
  { title: "many tenants with a replica", measure: randomWritesWithReplica },
  { title: "a start with dirty tenants", measure: startWithDirty },
  { title: "restore", measure: restoring },
  { title: "the libSQL driver", measure: libsqlClient },
  { title: "copies", measure: copies },
  { title: "a Durable Object", measure: edge },
];

const settings = readSettings(process.argv.slice(2));
if (settings) await run(settings);

async function run(settings: Settings): Promise<void> {
  const sqlite = new Database(":memory:");
  const version = sqlite.prepare("SELECT sqlite_version()").pluck().get();
  sqlite.close();
  const generator = (await hasWrk()) ? "wrk" : "a generator of its own";
  print(
    `Node ${process.versions.node}, SQLite ${version}, ${PROCESSORS} × ${cpus()[0]?.model ?? "?"}, load by ${generator}.`,
    "Ratios are ours to bare: the median of the turns, and in brackets the least and the greatest.",
    "",
  );
  let missed = 0;
  for (const [index, measurement] of NUMBERS.entries()) {
    if (!measurement || !settings.only.includes(index + 1)) continue;
    const { title, measure } = measurement;
    print(`${index + 1} ${title}`);
    for (const { name, measured, target, met } of await measure(settings)) {
      if (!met) missed++;
      print(
        `  ${name}`,
        `    ${measured}${target === "" ? "" : `   (${target}: ${met ? "met" : "MISSED"})`}`,
      );
    }
  }
  if (missed > 0 && !settings.quick) process.exitCode = 1;
}

function print(...lines: string[]): void {
  process.stdout.write(`${lines.join("\n")}\n`);
}
