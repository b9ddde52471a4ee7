import { execFile } from "node:child_process";
import { cp, glob, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { migrateDatabase, migrationStatus } from "../src/migrations/index.ts";
import { readMigrations } from "../src/migrations/read-migrations.ts";
import { folderOf, openDatabase, rowsOf, valueOf } from "./migration-folder.ts";

const ROOT = join(import.meta.dirname, "..");
const WRANGLER = join(ROOT, "node_modules", "wrangler", "bin", "wrangler.js");
const config = (more = "") => `name = "product"
compatibility_date = "2026-01-01"
[[d1_databases]]
binding = "DB"
database_name = "tenant"
database_id = "00000000-0000-0000-0000-000000000000"
migrations_dir = "migrations"
${more}`;

/** Runs `wrangler d1 migrations apply --local` in `dir`, offline, and gives what it prints. */
async function wranglerApply(dir: string): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [WRANGLER, "d1", "migrations", "apply", "tenant", "--local", "--persist-to", join(dir, "state")],
    {
      cwd: dir,
      env: {
        PATH: process.env["PATH"],
        HOME: dir,
        XDG_CONFIG_HOME: dir,
        CI: "1",
        WRANGLER_SEND_METRICS: "false",
        WRANGLER_HIDE_BANNER: "true",
      },
    },
  );
  return stdout;
}

/** The SQLite file of wrangler's local D1. */
async function databaseOf(dir: string): Promise<string> {
  const found: string[] = [];
  for await (const path of glob(join(dir, "state/v3/d1/miniflare-D1DatabaseObject/*.sqlite"))) {
    if (!path.endsWith("metadata.sqlite")) found.push(path);
  }
  expect(found).toHaveLength(1);
  return found[0]!;
}

describe("a database that wrangler migrates too", { timeout: 120_000 }, () => {
  it("goes on where the other one stopped, both ways", async () => {
    const dir = await folderOf({ "wrangler.toml": config() });
    const folder = join(dir, "migrations");
    await cp(join(ROOT, "migrations"), folder, {
      recursive: true,
      filter: (path) => !/000[34]_/.test(path),
    });
    expect(await wranglerApply(dir)).toContain("0002_invoices.sql");

    await cp(join(ROOT, "migrations"), folder, { recursive: true });
    const handle = await openDatabase(await databaseOf(dir));
    const set = await readMigrations(folder);
    expect((await migrationStatus(handle, set)).map(({ state }) => state)).toEqual([
      "applied",
      "applied",
      "pending",
      "pending",
    ]);
    expect(await migrateDatabase(handle, set)).toMatchObject({
      applied: ["0003_payments.sql", "0004_search.sql"],
      drifted: [],
      missing: [],
    });
    expect(await rowsOf(handle, "SELECT name, checksum FROM d1_migrations ORDER BY id")).toEqual(
      set.migrations.map(({ name, checksum }) => ({ name, checksum })),
    );
    await handle.close();

    expect(await wranglerApply(dir)).toContain("No migrations to apply");
    await writeFile(join(folder, "0005_tags.sql"), "CREATE TABLE tags (name TEXT PRIMARY KEY);\n");
    expect(await wranglerApply(dir)).toContain("0005_tags.sql");

    const again = await openDatabase(await databaseOf(dir));
    const five = await readMigrations(folder);
    expect((await migrationStatus(again, five)).map(({ state }) => state)).toEqual(Array(5).fill("applied"));
    expect(await migrateDatabase(again, five, { requireIntact: true })).toMatchObject({ applied: [] });
    expect(await valueOf(again, "SELECT checksum FROM d1_migrations WHERE name = '0005_tags.sql'")).toBe(
      five.migrations[4]?.checksum,
    );
  });

  it("has the same names for a folder a migration, as Prisma and drizzle-kit 1.0 make them", async () => {
    const dir = await folderOf({
      "wrangler.toml": config('migrations_pattern = "migrations/*/migration.sql"'),
    });
    const folder = join(dir, "migrations");
    await cp(join(import.meta.dirname, "fixtures", "migrations-prisma"), folder, { recursive: true });
    await wranglerApply(dir);
    const handle = await openDatabase(await databaseOf(dir));
    const set = await readMigrations(folder);
    expect(await migrateDatabase(handle, set)).toMatchObject({ applied: [], missing: [] });
    expect(await rowsOf(handle, "SELECT name FROM d1_migrations ORDER BY id")).toEqual(
      set.migrations.map(({ name }) => ({ name })),
    );
  });
});
