// Owns `tenantry serve`: the settings of a server, its one line when it can serve, and its end on a signal.
// Does not answer requests.
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import type { Command } from "commander";

import { DEFAULT_DRILL_SAMPLE } from "../backups/timetable.ts";
import { hashApiKey } from "../auth/api-key.ts";
import { importVerificationKeys } from "../auth/verification-key.ts";
import type { ExecutorPool } from "../executors/executor-pool.ts";
import {
  DEFAULT_EXECUTOR_MAX_RSS_BYTES,
  DEFAULT_STATEMENT_TIMEOUT_MS,
} from "../executors/executor-pool-options.ts";
import { givenOptions } from "../given-options.ts";
import { DEFAULT_MAX_OPEN } from "../handle-cache/handle-cache.ts";
import { listenForCommands } from "../http/control-socket.ts";
import { DEFAULT_GRACE_MS, DEFAULT_HOST, DEFAULT_PORT, listen } from "../http/listen.ts";
import { assertBindable } from "../http/loopback.ts";
import { parseTenantId } from "../tenant-id.ts";
import type { Tenantry } from "../tenantry.ts";
import type { Cli } from "./cli.ts";
import { examples } from "./examples.ts";
import { counted, parseDurationSeconds, parseSize, wholeNumber } from "./quantity.ts";
import { makeSampleTenants, sampleMigrations } from "./sample-tenants.ts";
import { EXIT_FAILED, WrongUse } from "./report-error.ts";
import { startBackups } from "./served-backups.ts";
import { LOG_LEVELS, type LogLevel, serverLog } from "./server-log.ts";
import { setting } from "./setting.ts";

/** One for each core, and never so few that one of them stops everybody. */
const DEFAULT_EXECUTORS = Math.max(2, availableParallelism());

interface ServeOptions {
  readonly host: string;
  readonly port: number;
  readonly sample?: true;
  readonly durability?: "normal" | "full" | "replicated";
  readonly baseDomain?: string[];
  readonly publicKey?: string;
  readonly corsOrigin?: string[];
  readonly dumpHost?: string[];
  readonly maxOpen?: number;
  readonly idleMs?: number;
  readonly maxDatabaseBytes?: number;
  readonly acquireTimeout?: number;
  readonly busyTimeout?: number;
  readonly transactionTimeout?: number;
  readonly exceptHost?: string[];
  readonly maxImportBytes?: number;
  readonly maxBodyBytes?: number;
  readonly maxResponseBytes?: number;
  readonly maxRows?: number;
  readonly maxInFlight?: number;
  readonly maxRequestsPerSecond?: number;
  readonly executors: number;
  readonly statementTimeout: number;
  readonly executorMaxRss: number;
  readonly snapshotCron?: string;
  readonly snapshotKeep?: number;
  /** Seconds. */
  readonly snapshotMaxAge?: number;
  readonly verifyCron?: string;
  readonly verifySample: number;
  /** Bytes. */
  readonly diskBudget?: number;
  readonly logLevel: LogLevel;
  readonly graceMs: number;
}

/** Adds `serve`. */
export function serveCommand(program: Command, cli: Cli): void {
  program
    .command("serve")
    .description("serve every tenant over HTTP")
    .addOption(
      setting("--host <address>", "where to listen; others than loopback need a key").default(DEFAULT_HOST),
    )
    .addOption(
      setting("--port <n>", "0 for any free one").argParser(wholeNumber(0, 65_535)).default(DEFAULT_PORT),
    )
    .addOption(setting("--sample", "make three sample tenants where there is none"))
    .addOption(
      setting(
        "--durability <mode>",
        "what survives a power cut: all but the last writes with normal, every write with full; with replicated the loss of the machine",
      ).choices(["normal", "full", "replicated"]),
    )
    .addOption(setting("--base-domain <domains...>", "acme.DOMAIN is tenant acme").argParser(commaList))
    .addOption(
      setting("--except-host <hosts...>", "hosts below it that are no tenants, such as www").argParser(
        commaList,
      ),
    )
    .addOption(
      setting("--public-key <file>", "public keys that signed tokens are checked with: see token keygen"),
    )
    .addOption(
      setting("--cors-origin <origins...>", "web pages of these origins may call").argParser(commaList),
    )
    .addOption(
      setting(
        "--dump-host <hosts...>",
        "administrators may have dumps fetched from these; * for any public one",
      ).argParser(commaList),
    )
    .addOption(
      setting("--max-open <n>", `databases open at once; ${DEFAULT_MAX_OPEN} if not given`).argParser(
        wholeNumber(1),
      ),
    )
    .addOption(
      setting("--idle-ms <n>", "close a database that long unused; 60000 if not given").argParser(
        wholeNumber(0),
      ),
    )
    .addOption(
      setting(
        "--max-database-bytes <n>",
        "bytes that one database may grow to; no limit if not given",
      ).argParser(wholeNumber(0)),
    )
    .addOption(
      setting(
        "--acquire-timeout <ms>",
        "how long a request waits while all databases are in use; 5000 if not given",
      ).argParser(wholeNumber(0)),
    )
    .addOption(
      setting(
        "--busy-timeout <ms>",
        "how long a write waits for the tenant's other writers; 5000 if not given",
      ).argParser(wholeNumber(0)),
    )
    .addOption(
      setting(
        "--transaction-timeout <ms>",
        "how long a transaction may hold others up; 5000 if not given",
      ).argParser(wholeNumber(1)),
    )
    .addOption(
      setting("--max-import-bytes <n>", "bytes of a database that is uploaded; 1 GiB if not given").argParser(
        wholeNumber(1),
      ),
    )
    .addOption(setting("--max-body-bytes <n>", "bytes of a request").argParser(wholeNumber(1)))
    .addOption(setting("--max-response-bytes <n>", "bytes of an answer's values").argParser(wholeNumber(1)))
    .addOption(setting("--max-rows <n>", "rows of an answer").argParser(wholeNumber(1)))
    .addOption(setting("--max-in-flight <n>", "requests of one tenant at once").argParser(wholeNumber(1)))
    .addOption(
      setting(
        "--max-requests-per-second <n>",
        "requests of one tenant a second; no limit if not given",
      ).argParser(wholeNumber(1)),
    )
    .addOption(
      setting(
        "--executors <n>",
        "processes that run the tenants' SQL, so that none can stop another; 0 for none",
      )
        .argParser(wholeNumber(0, 256))
        .default(DEFAULT_EXECUTORS),
    )
    .addOption(
      setting("--statement-timeout <ms>", "how long a request may take; executors only")
        .argParser(wholeNumber(1))
        .default(DEFAULT_STATEMENT_TIMEOUT_MS),
    )
    .addOption(
      setting("--executor-max-rss <bytes>", "replace an executor that has grown beyond it")
        .argParser(wholeNumber(1))
        .default(DEFAULT_EXECUTOR_MAX_RSS_BYTES),
    )
    .addOption(
      setting("--snapshot-cron <line>", "when a snapshot of every tenant is taken, in UTC: '30 3 * * *'"),
    )
    .addOption(setting("--snapshot-keep <n>", "snapshots kept of each tenant").argParser(wholeNumber(1)))
    .addOption(
      setting("--snapshot-max-age <time>", "drop older ones, such as 30d; never the newest").argParser(
        parseDurationSeconds,
      ),
    )
    .addOption(setting("--verify-cron <line>", "when restores are tried out, in UTC: '0 4 * * *'"))
    .addOption(
      setting("--verify-sample <n>", "of how many tenants, at random")
        .argParser(wholeNumber(1))
        .default(DEFAULT_DRILL_SAMPLE),
    )
    .addOption(
      setting(
        "--disk-budget <size>",
        "such as 50GB: cold tenants leave the disk for the replica, and come back on use",
      ).argParser(parseSize),
    )
    .addOption(setting("--log-level <level>", "what is logged to stderr").choices(LOG_LEVELS).default("warn"))
    .addOption(
      setting("--grace-ms <n>", "how long running requests may take at the end")
        .argParser(wholeNumber(0))
        .default(DEFAULT_GRACE_MS),
    )
    .addHelpText(
      "after",
      examples([
        ["tenantry serve --sample", "three tenants, to try it"],
        ["tenantry serve --data /srv/tenants --durability full", "what is acknowledged survives a power cut"],
        ["tenantry serve --host 0.0.0.0 --base-domain example.com", "acme.example.com is acme; needs a key"],
      ]) +
        "\n\nTENANTRY_ADMIN_KEY, from tenantry token generate, is a key for everything that no catalog keeps." +
        "\nSIGTERM and SIGINT end it once the running requests are done; a second one ends it at once.",
    )
    .action((options: ServeOptions) => serve(cli, options));
}

async function serve(cli: Cli, options: ServeOptions): Promise<void> {
  const { screen } = cli;
  // From the environment alone: what is an argument is in every list of processes.
  const adminKey = process.env["TENANTRY_ADMIN_KEY"];
  const { host, port, sample, graceMs, durability, maxOpen, idleMs, maxDatabaseBytes } = options;
  const { acquireTimeout, busyTimeout, transactionTimeout } = options;
  const { replica } = cli.settings;
  if (durability === "replicated" && !replica) {
    throw new WrongUse("Nothing can be replicated without a replica.", "Name it with --replica URL.");
  }
  const tenantry = await cli.open({
    create: true,
    migrations: sample ? await sampleMigrations(cli) : true,
    ...givenOptions({
      durability,
      maxOpen,
      idleMs,
      maxDatabaseBytes,
      acquireTimeoutMs: acquireTimeout,
      busyTimeoutMs: busyTimeout,
      transactionTimeoutMs: transactionTimeout,
    }),
  });
  const stopping = new AbortController();
  try {
    await startRecovery(cli, tenantry, options);
    // Neither waits for the other.
    const [pool] = await Promise.all([
      startExecutors(tenantry, options),
      replica ? startBackups(screen, tenantry, options.logLevel, stopping.signal) : undefined,
    ]);
    // What is written is to be in the replica, with that durability.
    if (sample) await makeSampleTenants(tenantry);
    const { hono, access, control, sockets, direct } = tenantry.app({
      ...(pool && { pool }),
      ...givenOptions({
        baseDomains: options.baseDomain,
        exceptHosts: options.exceptHost,
        corsOrigins: options.corsOrigin,
        dumpHosts: options.dumpHost,
        maxImportBytes: options.maxImportBytes,
        maxBodyBytes: options.maxBodyBytes,
        maxResponseBytes: options.maxResponseBytes,
        maxRows: options.maxRows,
        maxInFlight: options.maxInFlight,
        maxRequestsPerSecond: options.maxRequestsPerSecond,
      }),
      ...(options.publicKey !== undefined && {
        publicKeys: await importVerificationKeys(await readFile(options.publicKey, "utf8")),
      }),
      ...(adminKey && { adminKeyHash: await hashApiKey(adminKey) }),
    });
    assertBindable(host, !(await access.isOpen()));
    const stopped = untilStopped();
    await using commands = await listenForCommands(tenantry.driver.dir, control.fetch);
    for (const { id } of await tenantry.recovery.restores.mend()) {
      screen.note(`A restore of ${id} had been killed: its file is whole, and it serves again.`);
    }
    const server = await listen(hono.fetch, { host, port, sockets, direct });
    await announce(cli, tenantry, server.url);
    if (sample) await suggest(cli, tenantry, server.url);
    await stopped;
    screen.note("Stopping: finishing what runs.");
    await Promise.all([server.close(graceMs), commands?.close()]);
  } finally {
    stopping.abort();
    await tenantry.close(graceMs);
  }
}

async function startRecovery(cli: Cli, { recovery }: Tenantry, options: ServeOptions): Promise<void> {
  const { snapshotCron, snapshotKeep, snapshotMaxAge, verifyCron, verifySample, diskBudget } = options;
  if ((verifyCron || diskBudget !== undefined) && !cli.settings.replica) {
    throw new WrongUse("Drills and a disk budget need a replica.", "Name it with --replica URL.");
  }
  await recovery.startTimetable({
    ...(snapshotCron && {
      snapshots: {
        cron: snapshotCron,
        keep: snapshotKeep,
        maxAgeMs: snapshotMaxAge === undefined ? undefined : snapshotMaxAge * 1000,
      },
    }),
    ...(verifyCron && { drills: { cron: verifyCron, sample: verifySample } }),
  });
  if (diskBudget !== undefined) {
    recovery.keepWithin(diskBudget, { onProblem: (message) => cli.screen.note(`Disk budget: ${message}`) });
  }
}

async function startExecutors(tenantry: Tenantry, options: ServeOptions): Promise<ExecutorPool | undefined> {
  // They run the SQL of files: a remote database runs its own.
  if (options.executors === 0 || tenantry.tenants.driver !== tenantry.driver) return undefined;
  const { maxBodyBytes, maxResponseBytes, maxRows } = options;
  const pool = tenantry.executors({
    executors: options.executors,
    statementTimeoutMs: options.statementTimeout,
    maxRssBytes: options.executorMaxRss,
    app: givenOptions({ maxBodyBytes, maxResponseBytes, maxRows }),
    onEvent: serverLog(options.logLevel),
  });
  await pool.start();
  return pool;
}

async function announce({ screen, settings }: Cli, { catalog }: Tenantry, url: string): Promise<void> {
  const { deleted: _, ...states } = await catalog.count();
  const tenants = Object.values(states).reduce((sum, count) => sum + count, 0);
  if (screen.json) return screen.print(JSON.stringify({ url, data: settings.data, tenants }));
  await screen.print(
    `Tenantry serves ${counted(tenants, "tenant")} of ${settings.data} at ${screen.style("bold", url)}`,
  );
}

/** Several values, also in one variable of the environment: by commas. */
function commaList(value: string, previous: readonly string[] = []): string[] {
  return [...previous, ...value.split(",").filter(Boolean)];
}

/** What to open, for somebody who looks at it for the first time. */
async function suggest({ screen }: Cli, { catalog }: Tenantry, url: string): Promise<void> {
  if (!(await catalog.get(parseTenantId("acme")))) return;
  const paths = [
    ["/t/acme/rest/customers?limit=5", "rows of a tenant"],
    ["/t/acme/rest/invoices?status=eq.open", "only some of them"],
    ["/t/globex/schema", "another one's tables"],
    ["/admin/tenants", "all tenants"],
    ["/openapi.json", "everything else"],
  ] as const;
  const width = Math.max(...paths.map(([path]) => path.length));
  screen.note("Open:");
  for (const [path, what] of paths) {
    screen.note(`  ${url}${path.padEnd(width)}  ${screen.noteStyle("dim", what)}`);
  }
  screen.note("Ctrl-C ends it.");
}

/** Fulfils on the first signal to stop; the second one ends the process. */
function untilStopped(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let asked = false;
  const stop = (): void => {
    if (asked) process.exit(EXIT_FAILED);
    asked = true;
    resolve();
  };
  process.on("SIGTERM", stop).on("SIGINT", stop);
  return promise;
}
