// Owns number 15: restoring a tenant of 100 MB, beside Litestream's own restore of the same replica; and for how
// long the tenant pauses meanwhile. Needs Litestream; without it there is nothing to measure.
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { findLitestream } from "../src/backups/litestream-binary.ts";
import { replicaPath } from "../src/backups/replica-url.ts";
import { migrationSet } from "../src/migrations/migration-set.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { createTenantry } from "../src/tenantry.ts";
import {
  figureFinding,
  type Finding,
  median,
  milliseconds,
  type Pair,
  ratioFinding,
  seconds,
} from "./figures.ts";
import { temporaryFolder } from "./fleet.ts";
import type { Settings } from "./settings.ts";

const TENANT_BYTES = 100_000_000;
const ROW_BYTES = 4_000;
/** Restores of each side: each takes seconds. */
const MAX_ROUNDS = 7;

const run = promisify(execFile);

/** Measures number 15. */
export async function restoring({ rounds, quick, folder: parent }: Settings): Promise<Finding[]> {
  const litestream = await findLitestream();
  await using folder = await temporaryFolder(parent);
  const replica = `file://${join(folder.path, "replica")}`;
  const migrations = await migrationSet([
    { name: "0001_rows.sql", sql: "CREATE TABLE rows (id INTEGER PRIMARY KEY, content BLOB)" },
  ]);
  await using tenantry = await createTenantry({ data: join(folder.path, "data"), migrations, replica });
  const id = parseTenantId("large");
  await tenantry.lifecycle.create(id);
  const rows = (quick ? TENANT_BYTES / 10 : TENANT_BYTES) / ROW_BYTES;
  await tenantry.withSqlite("large", (sqlite) => {
    const insert = sqlite.prepare("INSERT INTO rows (content) VALUES (?)");
    sqlite.transaction(() => {
      // What cannot be compressed, as the worst that there is.
      for (let row = 0; row < rows; row++) insert.run(randomBytes(ROW_BYTES));
    })();
  });
  // As the server does: every restore begins a line of its own, which is replicated before the next one.
  const replicated = async (): Promise<string> => {
    const record = await tenantry.catalog.get(id);
    if (!record) throw new Error("The tenant is gone.");
    const url = `${replica}/${replicaPath(record)}`;
    await run(litestream.path, ["replicate", "-once", tenantry.driver.files.pathOf(id), url]);
    return url;
  };

  const pairs: Pair[] = [];
  const pauses: number[] = [];
  for (let round = 0; round <= Math.min(rounds, MAX_ROUNDS); round++) {
    const url = await replicated();
    const to = join(folder.path, "bare.db");
    const bare = await took(() => run(litestream.path, ["restore", "-o", to, url]));
    await rm(to);
    let pausedMs = 0;
    const ours = await took(async () => {
      ({ pausedMs } = await tenantry.recovery.restores.inPlace(id, { kind: "replica" }));
    });
    if (round === 0) continue;
    pairs.push({ bare, ours });
    pauses.push(pausedMs);
  }
  return [
    ratioFinding("restore of 100 MB in place, checked in full", pairs, { atMost: 1.5 }, seconds),
    figureFinding("the tenant's pause", median(pauses), { atMost: 1000 }, milliseconds),
  ];
}

async function took(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}
