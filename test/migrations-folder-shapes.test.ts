import { mkdir, rename, symlink } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { migrateDatabase } from "../src/migrations/index.ts";
import { readMigrations } from "../src/migrations/read-migrations.ts";
import { folderOf, openDatabase, rowsOf } from "./migration-folder.ts";

const fixture = (name: string) => join(import.meta.dirname, "fixtures", `migrations-${name}`);

async function namesIn(dir: string): Promise<string[]> {
  return (await readMigrations(dir)).migrations.map(({ name }) => name);
}

describe("a folder of migrations", () => {
  it("is wrangler's, whatever else lies in it", async () => {
    const dir = await folderOf({
      "0001_a.sql": "CREATE TABLE a (b)",
      "0002_b.sql": "",
      "README.md": "",
      "seed.json": "{}",
      ".0003_editor.sql": "",
      "drafts/0003_c.sql": "",
    });
    expect(await namesIn(dir)).toEqual(["0001_a.sql", "0002_b.sql"]);
  });

  it("is drizzle-kit's of before 1.0", async () => {
    expect(await namesIn(fixture("drizzle"))).toEqual([
      "0000_wild_magneto.sql",
      "0001_needy_photon.sql",
      "0002_early_longshot.sql",
    ]);
  });

  it("is drizzle-kit's from 1.0 on", async () => {
    expect(await namesIn(fixture("drizzle-v1"))).toEqual([
      "20260110093000_brave_wolverine/migration.sql",
      "20260212101500_calm_storm/migration.sql",
    ]);
  });

  it("is Prisma's", async () => {
    expect(await namesIn(fixture("prisma"))).toEqual([
      "20240105081500_init/migration.sql",
      "20240219140200_required_email/migration.sql",
    ]);
  });

  it.each(["drizzle", "drizzle-v1", "prisma"])("of %s is applied as it is", async (shape) => {
    const handle = await openDatabase();
    const set = await readMigrations(fixture(shape));
    expect((await migrateDatabase(handle, set)).applied).toHaveLength(set.migrations.length);
    expect(await rowsOf(handle, "SELECT name, checksum FROM d1_migrations ORDER BY id")).toEqual(
      set.migrations.map(({ name, checksum }) => ({ name, checksum })),
    );
  });

  it("may be empty", async () => {
    expect(await readMigrations(await folderOf())).toMatchObject({ migrations: [], version: null });
  });

  it("may consist of symbolic links, as a mounted ConfigMap does", async () => {
    const dir = await folderOf({ "..data/0001_a.sql": "SELECT 1" });
    await symlink(join("..data", "0001_a.sql"), join(dir, "0001_a.sql"));
    expect(await namesIn(dir)).toEqual(["0001_a.sql"]);
  });

  it.each<[string, Record<string, string | Uint8Array>, string]>([
    ["both shapes", { "0001_a.sql": "", "0002_b/migration.sql": "" }, "holds both"],
    ["a lost migration.sql", { "0001_a/migration.sql": "", "0002_b/snapshot.json": "" }, "0002_b"],
    ["only a lost migration.sql", { "0002_b/snapshot.json": "" }, "0002_b"],
    ["an ending in capitals", { "0001_a.sql": "", "0002_b.SQL": "" }, "0002_b.SQL"],
    ["a file without a name", { ".sql": "" }, '".sql"'],
    ["one number twice", { "0001_a.sql": "", "0001_b.sql": "" }, "same number"],
    ["a roll-back beside its migration", { "0001_a.sql": "", "0001_a.down.sql": "" }, "same number"],
    ["Latin-1", { "0001_a.sql": Uint8Array.of(0x2d, 0x2d, 0xfc) }, "not UTF-8"],
    ["UTF-16", { "0001_a.sql": Buffer.from("\uFEFFSELECT 1", "utf16le") }, "not UTF-8"],
    ["a journal that is no JSON", { "0000_a.sql": "", "meta/_journal.json": "{" }, "not JSON"],
    ["a journal of something else", { "0000_a.sql": "", "meta/_journal.json": "[]" }, "drizzle-kit"],
    ["a journal of null", { "0000_a.sql": "", "meta/_journal.json": "null" }, "drizzle-kit"],
    [
      "a file lost that drizzle-kit lists",
      { "0000_a.sql": "", "meta/_journal.json": '{"entries":[{"tag":"0000_a"},{"tag":"0001_b"}]}' },
      "0001_b.sql",
    ],
    [
      "names that do not sort as drizzle-kit made them",
      { "b.sql": "", "a.sql": "", "meta/_journal.json": '{"entries":[{"tag":"b"},{"tag":"a"}]}' },
      "order of the names",
    ],
  ])("is refused with %s", async (_, files, words) => {
    await expect(readMigrations(await folderOf(files))).rejects.toMatchObject({
      code: "MIGRATIONS_INVALID",
      message: expect.stringContaining(words),
    });
  });

  it("may hold files that were written by hand beside drizzle-kit's", async () => {
    const dir = await folderOf({
      "0000_a.sql": "",
      "0001_by_hand.sql": "",
      "0002_b.sql": "",
      "meta/_journal.json": '{"entries":[{"tag":"0000_a"},{"tag":"0002_b"}]}',
    });
    expect(await namesIn(dir)).toEqual(["0000_a.sql", "0001_by_hand.sql", "0002_b.sql"]);
  });

  it("is refused when it is not there, is a file, or holds what cannot be read", async () => {
    const dir = await folderOf({ "a.txt": "" });
    const refused = { code: "MIGRATIONS_INVALID" };
    await expect(readMigrations(join(dir, "nowhere"))).rejects.toMatchObject(refused);
    await expect(readMigrations(join(dir, "a.txt"))).rejects.toMatchObject(refused);
    await symlink("nowhere", join(dir, "0001_a.sql"));
    await expect(readMigrations(dir)).rejects.toMatchObject(refused);
    await rename(join(dir, "0001_a.sql"), join(dir, ".gone"));
    await mkdir(join(dir, "0001_a.sql"));
    await expect(readMigrations(dir)).rejects.toMatchObject(refused);
  });
});
