import { execFile } from "node:child_process";
import { cp, glob } from "node:fs/promises";
import { basename, join } from "node:path";
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
    const copyUpTo = (last: number): Promise<void> =>
      cp(join(ROOT, "migrations"), folder, {
        recursive: true,
        filter: (path) => !path.endsWith(".sql") || Number.parseInt(basename(path), 10) <= last,
      });

    await copyUpTo(2);
    expect(await wranglerApply(dir)).toContain("0002_invoices.sql");

    await copyUpTo(3);
    const handle = await openDatabase(await databaseOf(dir));
    const three = await readMigrations(folder);
    const states = (await migrationStatus(handle, three)).map(({ state }) => state);
    expect(states).toEqual(["applied", "applied", "pending"]);
    expect(await migrateDatabase(handle, three)).toMatchObject({
      applied: ["0003_payments.sql"],
      drifted: [],
      missing: [],
    });
    expect(await rowsOf(handle, "SELECT name, checksum FROM d1_migrations ORDER BY id")).toEqual(
      three.migrations.map(({ name, checksum }) => ({ name, checksum })),
    );
    await handle.close();

    await copyUpTo(4);
    const said = await wranglerApply(dir);
    expect(said).toContain("0004_search.sql");
    expect(said).not.toContain("0003_payments.sql");

    const again = await openDatabase(await databaseOf(dir));
    const four = await readMigrations(folder);
    expect((await migrationStatus(again, four)).map(({ state }) => state)).toEqual(Array(4).fill("applied"));
    expect(await migrateDatabase(again, four, { requireIntact: true })).toMatchObject({ applied: [] });
    expect(await valueOf(again, "SELECT checksum FROM d1_migrations WHERE name = '0004_search.sql'")).toBe(
      four.migrations[3]?.checksum,
    );
    await again.close();
    expect(await wranglerApply(dir)).toContain("No migrations to apply");
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
