// Owns what tests of backups share: Litestream if it is there, data folders with a replica beside them, and
// bringing a database back with bare Litestream. Skips nothing itself: `withLitestream` says what is skipped.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import Database from "better-sqlite3";
import { onTestFinished, test } from "vitest";
import type { Backups } from "../src/backups/backups.ts";
import { findLitestream, type LitestreamBinary } from "../src/backups/litestream-binary.ts";
import { parseReplicaUrl, replicaPath } from "../src/backups/replica-url.ts";
import type { TenantRecord } from "../src/catalog/index.ts";
import { migrationSet } from "../src/migrations/index.ts";
import type { TenantId } from "../src/tenant-id.ts";
import type { TenantryOptions } from "../src/tenantry-options.ts";
import { createTenantry, type Tenantry } from "../src/tenantry.ts";

const found: LitestreamBinary | Error = await findLitestream().catch((error: Error) => error);

if (found instanceof Error && process.env.CI) throw found;

/** The program; there is one wherever a test of {@link withLitestream} runs. */
export const LITESTREAM = found instanceof Error ? { path: "litestream", version: "0" } : found;

/** A test that needs Litestream: skipped, with the reason in its name, where there is none. */
export const withLitestream =
  found instanceof Error
    ? (name: string, _fn: unknown) => test.skip(`${name} (skipped: ${found.message})`, () => {})
    : test;

const run = promisify(execFile);

/** A folder that goes when the test ends. */
export async function scratchFolder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "tenantry-backups-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** A Tenantry with a table `notes` and a replica in a folder, both of which go when the test ends. */
export async function replicatedTenantry(
  dir: string,
  more: Partial<TenantryOptions> = {},
): Promise<Tenantry> {
  const tenantry = await createTenantry({
    data: join(dir, "data"),
    replica: `file://${join(dir, "replica")}`,
    migrations: await migrationSet([
      { name: "0001_notes.sql", sql: "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT)" },
    ]),
    ...more,
  });
  onTestFinished(() => tenantry.close());
  return tenantry;
}

/** What a tenant's replica brings back: its notes, by bare `litestream restore`. */
export async function restoredNotes(dir: string, record: TenantRecord, url?: string): Promise<string[]> {
  const replica = parseReplicaUrl(url ?? `file://${join(dir, "replica")}`);
  const out = join(await scratchFolder(), "restored.db");
  await run(LITESTREAM.path, [
    "restore",
    "-integrity-check",
    "full",
    "-o",
    out,
    replica.at(replicaPath(record)),
  ]);
  const db = new Database(out, { readonly: true });
  try {
    return db.prepare<[], string>("SELECT body FROM notes ORDER BY id").pluck().all();
  } finally {
    db.close();
  }
}

/** Waits until `check` gives something that is not false, null or undefined. Fails after `ms`. */
export async function until<T>(
  what: string,
  check: () => T | Promise<T>,
  ms = 30_000,
): Promise<Exclude<T, false | null | undefined>> {
  const deadline = Date.now() + ms;
  for (;;) {
    const value = await check();
    if (value) return value as Exclude<T, false | null | undefined>;
    if (Date.now() > deadline) throw new Error(`It never came to this: ${what}.`);
    await new Promise((resolve) => void setTimeout(resolve, 20));
  }
}

/** Waits until what a tenant has is in its replica, however long Litestream takes to begin. */
export async function untilReplicated(backups: Backups, id: TenantId): Promise<void> {
  await until(`${id} is in the replica`, () => backups.replicated(id, 1_000).catch(() => false), 50_000);
}
