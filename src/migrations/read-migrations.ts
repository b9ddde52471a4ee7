// Owns reading a folder of migrations in the shapes that wrangler, drizzle-kit and Prisma write.
// Node only, and the only file of this room that touches a file system; migration-set.ts judges what is read.
import type { Dirent } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { TenantryError } from "../tenantry-error.ts";
import { migrationSet } from "./migration-set.ts";
import type { MigrationFile, MigrationSet } from "./migration-set.ts";

const NESTED_FILE = "migration.sql";

/**
 * Reads the migrations in the folder `dir`. Two shapes are known, and a folder has one of them:
 *
 * - flat: `0001_init.sql`, `0002_….sql` (wrangler; drizzle-kit before 1.0, whose `meta/_journal.json` is held
 *   against the files). The journal records `0001_init.sql`.
 * - nested: `20260102030405_init/migration.sql` (Prisma; drizzle-kit from 1.0 on). The journal records
 *   `20260102030405_init/migration.sql`, as wrangler does with `migrations_pattern = "…/*\/migration.sql"`.
 *
 * Everything else is ignored: dot files, files that do not end in `.sql` (README.md, migration_lock.toml,
 * snapshot.json), other folders, and other files in a migration's folder. An empty folder is an empty set.
 *
 * @throws {TenantryError} `MIGRATIONS_INVALID`: no such folder, unreadable, not UTF-8, both shapes at once, a
 * numbered folder without its migration.sql, a drizzle-kit journal that disagrees with the files, and all that
 * {@link migrationSet} refuses.
 */
export async function readMigrations(dir: string): Promise<MigrationSet> {
  const { files, folders } = await listFolder(dir);
  const flat = files.filter((name) => name.endsWith(".sql"));
  const odd = files.find((name) => !name.endsWith(".sql") && name.toLowerCase().endsWith(".sql"));
  if (odd !== undefined) {
    throw invalid(`"${join(dir, odd)}" would be left out.`, 'Write its ending in lower case: ".sql".');
  }
  const nested: string[] = [];
  const hollow: string[] = [];
  for (const folder of folders) {
    if ((await listFolder(join(dir, folder))).files.includes(NESTED_FILE)) {
      nested.push(`${folder}/${NESTED_FILE}`);
    } else if (/^\d/.test(folder)) hollow.push(folder);
  }
  if (flat.length > 0 && nested.length > 0) {
    throw invalid(
      `"${dir}" holds both "${flat[0]}" and "${nested[0]}".`,
      "Keep one shape: files in the folder itself, or a folder with a migration.sql for each.",
    );
  }
  if (flat.length === 0 && hollow[0] !== undefined) {
    throw invalid(
      `"${join(dir, hollow[0])}" has no ${NESTED_FILE}.`,
      "Put the file back, or remove its folder.",
    );
  }
  const names = [...flat, ...nested];
  const set = await migrationSet(await Promise.all(names.map((name) => readMigration(dir, name))));
  if (flat.length > 0 && folders.includes("meta")) await compareWithDrizzle(dir, set);
  return set;
}

async function readMigration(dir: string, name: string): Promise<MigrationFile> {
  const path = join(dir, name);
  const bytes = await readFile(path).catch((error: unknown) => {
    throw invalid(`Migration "${path}" cannot be read: ${messageOf(error)}.`, undefined, error);
  });
  try {
    return { name, sql: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch (error) {
    throw invalid(`Migration "${path}" is not UTF-8.`, "Save it as UTF-8.", error);
  }
}

/** What is in a folder, dot files left out, symbolic links followed (a mounted ConfigMap consists of them). */
async function listFolder(dir: string): Promise<{ files: string[]; folders: string[] }> {
  let entries: Dirent[];
  try {
    entries = await readdir(dir, { withFileTypes: true });
  } catch (error) {
    const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
    throw invalid(
      missing ? `There is no folder "${dir}".` : `The folder "${dir}" cannot be read: ${messageOf(error)}.`,
      "Name the folder that holds the migrations with --migrations.",
      error,
    );
  }
  const files: string[] = [];
  const folders: string[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith(".") && entry.name !== ".sql") continue;
    const target = entry.isSymbolicLink() ? await statOf(join(dir, entry.name)) : entry;
    if (target.isDirectory()) folders.push(entry.name);
    else if (target.isFile()) files.push(entry.name);
  }
  return { files, folders };
}

async function statOf(path: string): Promise<{ isDirectory(): boolean; isFile(): boolean }> {
  return stat(path).catch((error: unknown) => {
    throw invalid(`"${path}" cannot be read: ${messageOf(error)}.`, undefined, error);
  });
}

/** drizzle-kit lists its files in `meta/_journal.json`, in the order in which it made them. */
async function compareWithDrizzle(dir: string, set: MigrationSet): Promise<void> {
  const path = join(dir, "meta", "_journal.json");
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return;
    throw invalid(`"${path}" cannot be read: ${messageOf(error)}.`, undefined, error);
  }
  const listed = tagsOf(text, path).map((tag) => `${tag}.sql`);
  const known = set.migrations.map(({ name }) => name);
  const lost = listed.find((name) => !known.includes(name));
  if (lost !== undefined) {
    throw invalid(`"${path}" lists "${lost}", which is not there.`, "Put the file back.");
  }
  const order = known.filter((name) => listed.includes(name));
  const wrong = listed.findIndex((name, index) => name !== order[index]);
  if (wrong >= 0) {
    throw invalid(
      `"${path}" has "${listed[wrong]}" where the order of the names has "${order[wrong]}".`,
      'Let drizzle-kit number its files: migrations.prefix "index", "timestamp" or "unix".',
    );
  }
}

function tagsOf(text: string, path: string): string[] {
  let journal: unknown;
  try {
    journal = JSON.parse(text);
  } catch (error) {
    throw invalid(`"${path}" is not JSON.`, "Restore the file that drizzle-kit wrote.", error);
  }
  const entries: unknown = Object(journal).entries;
  const tags: unknown[] = Array.isArray(entries)
    ? entries.map((entry: unknown) => Object(entry).tag)
    : [null];
  if (!tags.every((tag) => typeof tag === "string")) {
    throw invalid(`"${path}" is not a journal of drizzle-kit's.`, "Restore the file that drizzle-kit wrote.");
  }
  return tags;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function invalid(message: string, hint?: string, cause?: unknown): TenantryError {
  return new TenantryError("MIGRATIONS_INVALID", message, {
    cause,
    ...(hint === undefined ? {} : { hint }),
  });
}
