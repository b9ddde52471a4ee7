// Owns what backups cost, and whether they keep up: numbers 12 to 14, all with a replica in a folder.
// Measures no object store: its network would be what is measured.
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import Database from "better-sqlite3";
import type { BackupsReport } from "../src/backups/backups-status.ts";
import { findLitestream } from "../src/backups/litestream-binary.ts";
import { replicaPath } from "../src/backups/replica-url.ts";
import { askReport } from "../src/backups/replication-gate.ts";
import { seededRandom } from "../src/sample/seeded-random.ts";
import type { TenantId } from "../src/tenant-id.ts";
import type { Tenantry } from "../src/tenantry.ts";
import { makeCustomers, SAMPLE_MIGRATIONS } from "./customers.ts";
import {
  figureFinding,
  type Finding,
  megabytes,
  milliseconds,
  type Pair,
  perSecond,
  quantile,
  ratioFinding,
  seconds as inSeconds,
} from "./figures.ts";
import { createTenants, openTenantry, range, temporaryFolder, tenantName } from "./fleet.ts";
import { load } from "./load.ts";
import { ServeProcess } from "./serve-process.ts";
import type { Settings } from "./settings.ts";

const WRITE = "UPDATE customers SET payment_terms_days = (payment_terms_days + 1) % 100 WHERE id = 1";
const ADD = "INSERT INTO customers (name, email, country) VALUES (?, ?, 'NO')";

/** Milliseconds between two looks at how far the replication is. */
const LOOK_MS = 250;
/** Milliseconds after which the confirmations of number 14 are given up. */
const CONFIRM_TIMEOUT_MS = 180_000;
/** Restores at once when contents are compared. */
const RESTORES_AT_ONCE = 2;

const run = promisify(execFile);

/** Measures number 12: hot writes with a replica, beside the same server without. */
export async function writesWithReplica(settings: Settings): Promise<Finding[]> {
  const { rounds, seconds, connections, executors } = settings;
  await using without = await temporaryFolder(settings.folder);
  await using folder = await temporaryFolder(settings.folder);
  const data = join(folder.path, "data");
  const tenant = tenantName(0);
  for (const each of [without.path, data]) await makeCustomers(each, [tenant]);
  const order = { migrations: SAMPLE_MIGRATIONS, executors };
  await using bare = await ServeProcess.start({ ...order, data: without.path });
  const args = [`--replica=file://${join(folder.path, "replica")}`];
  await using ours = await ServeProcess.start({ ...order, data, args });
  const body = JSON.stringify({ sql: WRITE });
  const rate = async ({ url }: ServeProcess): Promise<number> =>
    (await load(`${url}/t/${tenant}/query`, connections, seconds, body)).perSecond;
  const pairs: Pair[] = [];
  for (let round = 0; round <= rounds; round++) {
    const pair = { bare: await rate(bare), ours: await rate(ours) };
    if (round > 0) pairs.push(pair);
  }
  return [ratioFinding(`writes, ${connections} connections`, pairs, { atLeast: 0.7 }, perSecond)];
}

/** Measures number 13: many tenants written at random, for minutes, with fewer open than are written to. */
export async function randomWritesWithReplica(settings: Settings): Promise<Finding[]> {
  const { replicated: written, replicatedSeconds, pace, maxOpen } = settings;
  const catalogued = Math.max(written, settings.replicatedCatalogued);
  await using folder = await temporaryFolder(settings.folder);
  const data = join(folder.path, "data");
  {
    await using tenantry = await openTenantry({ data, migrations: SAMPLE_MIGRATIONS });
    await createTenants(tenantry, range(catalogued));
  }
  // As if they had been replicated for long: what is measured is who is written to.
  sql(data, "UPDATE tenants SET backup_state = 'clean'");
  const replica = `file://${join(folder.path, "replica")}`;
  const tenantry = await openTenantry({
    data,
    migrations: SAMPLE_MIGRATIONS,
    replica,
    maxOpen,
    idleMs: 60_000,
  });
  const backups = await tenantry.backups();
  const lags: number[] = [];
  let rss = 0;
  let descriptors = 0;
  let processes = 0;
  const looks = setInterval(() => {
    for (const { lagMs } of backups.tenants()) lags.push(lagMs);
    const used = backups.status().pids.map(usedBy);
    rss = Math.max(rss, sum(used.map((one) => one.rssBytes)));
    descriptors = Math.max(descriptors, sum(used.map((one) => one.descriptors)));
    processes = Math.max(processes, used.length);
  }, LOOK_MS);
  const random = seededRandom("13");
  const names = new Set<TenantId>();
  const until = performance.now() + replicatedSeconds * 1000;
  let writes = 0;
  for (; performance.now() < until; writes++) {
    const name = tenantName(random.between(0, written - 1));
    names.add(name);
    await tenantry.database(name).prepare(ADD).bind(`n${writes}`, `m${writes}@example.com`).run();
    await new Promise((resolve) => void setTimeout(resolve, 1000 / pace));
  }
  clearInterval(looks);
  await backups.close(60_000);
  const same = await compare(tenantry, names, replica, folder.path);
  await tenantry.close();
  return [
    figureFinding(
      `replication lag, p99, ${catalogued} tenants, ${names.size} written, ${writes} writes, maxOpen ${maxOpen}`,
      quantile(lags, 0.99),
      { atMost: 5_000 },
      milliseconds,
    ),
    figureFinding(
      "tenants whose replica restores to what they hold",
      same / names.size,
      { atLeast: 1 },
      share,
    ),
    figureFinding(`resident memory of Litestream, ${processes} processes`, rss, undefined, megabytes),
    figureFinding("descriptors of Litestream", descriptors, undefined, String),
  ];
}

/** Measures number 14: a server's start with many tenants catalogued, and some that are dirty. */
export async function startWithDirty(settings: Settings): Promise<Finding[]> {
  const { replicated: dirty, catalogued } = settings;
  await using folder = await temporaryFolder(settings.folder);
  const data = join(folder.path, "data");
  await makeCustomers(data, Array.from(range(dirty), tenantName));
  sql(
    data,
    `UPDATE tenants SET backup_state = 'dirty';
     WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${Math.max(1, catalogued - dirty)})
     INSERT INTO tenants (id, incarnation, state, driver, shard, schema_version, schema_hash, size_bytes,
       created_at, updated_at, backup_state)
     SELECT printf('z%07d', i), lower(hex(randomblob(16))), 'active', driver, shard, schema_version, schema_hash,
       size_bytes, 1, 1, 'clean' FROM n, (SELECT * FROM tenants LIMIT 1)`,
  );
  const started = performance.now();
  const args = [`--replica=file://${join(folder.path, "replica")}`];
  await using _server = await ServeProcess.start({
    data,
    migrations: SAMPLE_MIGRATIONS,
    executors: settings.executors,
    args,
  });
  const readyMs = performance.now() - started;
  let confirmed = 0;
  while (confirmed < dirty && performance.now() - started < CONFIRM_TIMEOUT_MS) {
    await new Promise((resolve) => void setTimeout(resolve, LOOK_MS));
    const report = (await askReport(data)) as BackupsReport | undefined;
    if (!report) continue;
    const hot = report.tenants.filter((one) => one.confirmed).length;
    // Those that nobody writes to are let go as soon as they are confirmed.
    const clean = sql(data, "SELECT count(*) FROM tenants WHERE backup_state = 'clean' AND id LIKE 't%'");
    // Some may be let go between the two questions.
    confirmed = Math.min(dirty, hot + clean);
  }
  const confirmedMs = performance.now() - started;
  return [
    figureFinding(`ready, ${catalogued} catalogued`, readyMs / 1000, { atMost: 3 }, inSeconds),
    figureFinding(
      `${confirmed} of ${dirty} dirty ones confirmed`,
      confirmedMs / 1000,
      { atMost: 60 },
      inSeconds,
    ),
  ];
}

/** How many of the tenants the replica brings back as they are. */
async function compare(
  tenantry: Tenantry,
  names: Iterable<TenantId>,
  replica: string,
  folder: string,
): Promise<number> {
  const { path: litestream } = await findLitestream();
  let same = 0;
  const queue = [...names];
  const work = async (): Promise<void> => {
    for (let name = queue.pop(); name; name = queue.pop()) {
      const record = await tenantry.catalog.get(name, { fresh: true });
      if (!record) continue;
      const out = join(folder, `${name}.restored`);
      await run(litestream, [
        "restore",
        "-integrity-check",
        "full",
        "-o",
        out,
        `${replica}/${replicaPath(record)}`,
      ]);
      if (contentOf(out) === contentOf(tenantry.driver.files.pathOf(name))) same++;
    }
  };
  await Promise.all(Array.from({ length: RESTORES_AT_ONCE }, work));
  return same;
}

/** All rows of the table that was written to. */
function contentOf(path: string): string {
  const db = new Database(path);
  try {
    return JSON.stringify(db.prepare("SELECT * FROM customers ORDER BY id").raw().all());
  } finally {
    db.close();
  }
}

/** Runs SQL on a catalog that is otherwise closed, or only read; gives the first number of what it reads. */
function sql(data: string, text: string): number {
  const db = new Database(join(data, "catalog.db"));
  try {
    if (!text.startsWith("SELECT")) {
      db.exec(text);
      return 0;
    }
    return db.prepare(text).pluck().get() as number;
  } finally {
    db.close();
  }
}

function usedBy(pid: number): { readonly rssBytes: number; readonly descriptors: number } {
  try {
    const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
    return { rssBytes: pages * 4096, descriptors: readdirSync(`/proc/${pid}/fd`).length };
  } catch {
    // It has ended, or there is no /proc.
    return { rssBytes: 0, descriptors: 0 };
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const share = (value: number): string => `${(value * 100).toFixed(1)} %`;
