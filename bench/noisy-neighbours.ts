// Owns what executors are for: how little a tenant with endless statements, or with a hundred times the
// requests, takes from the others.
// Does not measure what executors cost: executors.ts does.
import { setTimeout as sleep } from "node:timers/promises";
import { makeCustomers, SAMPLE_MIGRATIONS } from "./customers.ts";
import { figureFinding, type Finding, median, milliseconds, type Pair, ratioFinding } from "./figures.ts";
import { temporaryFolder, tenantName } from "./fleet.ts";
import { loadPaths } from "./load.ts";
import { ServeProcess } from "./serve-process.ts";
import type { Settings } from "./settings.ts";
import { jumpHash } from "../src/executors/jump-hash.ts";
import type { TenantId } from "../src/tenant-id.ts";

/** What of the settings matters here. */
type Sizes = Pick<Settings, "rounds" | "seconds" | "folder" | "statementTimeoutMs" | "pace" | "times">;

const EXECUTORS = 2;
const ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS n FROM n";
/** Connections of each generator, enough that none of its requests waits for one. */
const CONNECTIONS = 64;
/** Milliseconds beyond the time limit until the offender's neighbours are served again. */
const RECOVERY_MS = 500;
/** Milliseconds that the offender waits before it tries again. */
const AGAIN_MS = 10;
/** Milliseconds after which an endless statement has certainly begun. */
const BEGUN_MS = 50;

/** Measures the second number of the executors. */
export async function endlessStatements(settings: Sizes): Promise<Finding[]> {
  const { rounds, statementTimeoutMs, pace } = settings;
  // A new offender for each turn: what was found out about one must not help against the next.
  const offenders = tenantsOf(0, rounds + 1);
  const [mate, far] = [tenantsOf(0, rounds + 2).at(-1)!, tenantsOf(1, 1)[0]!];
  await using folder = await temporaryFolder(settings.folder);
  await makeCustomers(folder.path, [...offenders, mate, far]);
  await using server = await serve(folder.path, ["--statement-timeout", String(statementTimeoutMs)]);
  const seconds = (statementTimeoutMs * 2) / 1000;
  const others = async (): Promise<{ far: number; health: number }> => {
    const [row, health] = await Promise.all([
      p99(server.url + rowOf(far), pace, seconds),
      p99(`${server.url}/healthz`, pace, seconds),
    ]);
    return { far: row, health };
  };

  const pairs: Pair[] = [];
  const health: number[] = [];
  const servedAfter: number[] = [];
  for (const [round, offender] of offenders.entries()) {
    const quiet = await others();
    const ended = new AbortController();
    const running = endlessly(server.url, offender, ended.signal);
    const [loud, served] = await Promise.all([others(), servedAgain(server.url, mate)]);
    ended.abort();
    await running;
    if (round === 0) continue;
    pairs.push({ bare: quiet.far, ours: loud.far });
    health.push(loud.health);
    servedAfter.push(served - statementTimeoutMs);
  }
  const worst = Math.max(...servedAfter);
  return [
    ratioFinding("another executor's tenant, p99", pairs, { atMost: 2 }, milliseconds),
    figureFinding("/healthz, p99", median(health), { atMost: 50 }, milliseconds),
    figureFinding(
      `the same executor's tenants, served again after the time limit of ${statementTimeoutMs} ms, at worst`,
      worst,
      { atMost: RECOVERY_MS },
      milliseconds,
    ),
  ];
}

/** Measures the third. */
export async function fairness(settings: Sizes): Promise<Finding[]> {
  const { rounds, seconds, pace, times } = settings;
  const [small, big] = tenantsOf(0, 2) as [TenantId, TenantId];
  await using folder = await temporaryFolder(settings.folder);
  await makeCustomers(folder.path, [small, big]);
  await using server = await serve(folder.path, ["--max-in-flight", "1000"]);
  const pairs: Pair[] = [];
  for (let round = 0; round <= rounds; round++) {
    const quiet = await p99(server.url + rowOf(small), pace, seconds);
    const [loud] = await Promise.all([
      p99(server.url + rowOf(small), pace, seconds),
      p99(server.url + rowOf(big), pace * times, seconds),
    ]);
    if (round > 0) pairs.push({ bare: quiet, ours: loud });
  }
  const name = `${pace}/s beside ${pace * times}/s of another tenant, p99`;
  return [ratioFinding(name, pairs, { atMost: 3 }, milliseconds)];
}

function serve(data: string, args: readonly string[]): Promise<ServeProcess> {
  return ServeProcess.start({ data, migrations: SAMPLE_MIGRATIONS, executors: EXECUTORS, args });
}

/** Milliseconds within which 99 of 100 requests are answered that are sent `rate` times a second. */
async function p99(url: string, rate: number, seconds: number): Promise<number> {
  const { p99Micros } = await loadPaths(url, [""], { connections: CONNECTIONS, rate, seconds });
  return p99Micros / 1000;
}

function rowOf(tenant: TenantId): string {
  return `/t/${tenant}/rest/customers?id=eq.1`;
}

/** The first `count` tenants that belong to an executor. */
function tenantsOf(executor: number, count: number): TenantId[] {
  const tenants: TenantId[] = [];
  for (let index = 0; tenants.length < count; index++) {
    const tenant = tenantName(index);
    if (jumpHash(tenant, EXECUTORS) === executor) tenants.push(tenant);
  }
  return tenants;
}

/** Sends statements without an end, the next soon after one was ended or refused, until told to stop. */
async function endlessly(url: string, tenant: TenantId, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const response = await fetch(`${url}/t/${tenant}/query`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ sql: ENDLESS }),
    });
    await response.arrayBuffer();
    if (response.status !== 408 && response.status !== 429) {
      throw new Error(`An endless statement was answered with ${response.status}.`);
    }
    await sleep(AGAIN_MS);
  }
}

/** Milliseconds from now until a request that came later than an endless statement is answered. */
async function servedAgain(url: string, tenant: TenantId): Promise<number> {
  const started = performance.now();
  await sleep(BEGUN_MS);
  const response = await fetch(url + rowOf(tenant));
  await response.arrayBuffer();
  if (response.status !== 200) throw new Error(`A neighbour was answered with ${response.status}.`);
  return performance.now() - started;
}
