// Owns the doctor's comparison of the data folder with the catalog: by names alone, opening no database.
// Closing a file that SQLite has open in this process would drop its locks, so nothing here opens one.
import { lstat, readdir, rm } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import type { Catalog } from "../catalog/catalog.ts";
import type { TenantRecord } from "../catalog/tenant-record.ts";
import { databasePath, exists, SIDE_FILE_SUFFIXES } from "../drivers/local/database-file.ts";
import { isTenantId, type TenantId } from "../tenant-id.ts";
import type { Finding } from "./finding.ts";

/** Milliseconds after which a file in `scratch/` is nobody's: what is under way is younger. */
export const DEFAULT_SCRATCH_AGE_MS = 3_600_000;

const REMOVED_SOON = "tenantry doctor --fix removes it.";

/** What to examine. */
export interface FolderExamination {
  /** The data folder. */
  readonly dir: string;
  readonly catalog: Catalog;
  /** The hash of the present migrations; templates of others are old. @default templates are not looked at */
  readonly schemaHash?: string | undefined;
  /** Remove what is harmless: old scratch files and templates. @default false */
  readonly fix?: boolean | undefined;
  /** Milliseconds. @default 3600000 */
  readonly scratchAgeMs?: number | undefined;
  /** Called with every tenant of the catalog. */
  readonly onTenant?: ((record: TenantRecord) => void) | undefined;
}

/** Files of the folder `tenants/`. */
interface Listing {
  /** Databases in their right place. */
  readonly databases: Set<TenantId>;
  /** Side files whose database is not there. */
  readonly stale: string[];
  /** Files that no tenant of that name would have there. */
  readonly strange: string[];
}

/** Compares the folder with the catalog. */
export async function examineFolder(examination: FolderExamination): Promise<Finding[]> {
  const { dir, catalog, onTenant } = examination;
  const { databases, stale, strange } = await listDatabases(dir);
  const findings: Finding[] = [];
  let tenants = 0;
  for await (const record of catalog.iterate()) {
    tenants++;
    onTenant?.(record);
    const present = databases.delete(record.id);
    if (record.driver === "local" && record.awaySince === null && !present) {
      findings.push(...(await missing(catalog, record, databasePath(dir, record.id))));
    }
  }
  for (const id of databases) findings.push(...(await orphan(catalog, id, databasePath(dir, id))));
  for (const path of stale) {
    if (!(await exists(path))) continue;
    findings.push({
      check: "side-files",
      severity: "warn",
      message: `A side file without its database: ${relative(dir, path)}.`,
      hint: "Put its database back beside it, or remove it.",
      path,
    });
  }
  for (const path of strange) {
    findings.push({
      check: "strange-files",
      severity: "warn",
      message: `Not a file of Tenantry's: ${relative(dir, path)}.`,
      hint: "Move it elsewhere: what lies in tenants/ is Tenantry's.",
      path,
    });
  }
  findings.push(
    ...(await movedAside(dir)),
    ...(await scratch(examination)),
    ...(await templates(examination)),
  );
  if (!findings.some(({ severity }) => severity === "error")) {
    const message =
      tenants === 1
        ? "1 tenant, with its file."
        : `${tenants.toLocaleString("en")} tenants, each with its file.`;
    findings.unshift({ check: "files", severity: "ok", message });
  }
  return findings;
}

async function listDatabases(dir: string): Promise<Listing> {
  const listing: Listing = { databases: new Set(), stale: [], strange: [] };
  const root = join(dir, "tenants");
  for (const folder of await list(root)) {
    const here = join(root, folder.name);
    if (!folder.isDirectory()) {
      listing.strange.push(here);
      continue;
    }
    const entries = await list(here);
    const names = new Set(entries.map(({ name }) => name));
    for (const entry of entries) {
      const path = join(here, entry.name);
      const suffix = SIDE_FILE_SUFFIXES.find((each) => entry.name.endsWith(`.db${each}`)) ?? "";
      const database = entry.name.slice(0, entry.name.length - suffix.length);
      const id = basename(database, ".db");
      if (entry.isDirectory() && names.has(replicatedBy(entry.name))) continue;
      if (!entry.isFile() || !isTenantId(id) || databasePath(dir, id) !== join(here, database)) {
        listing.strange.push(path);
      } else if (suffix === "") {
        listing.databases.add(id);
      } else if (!names.has(database)) {
        listing.stale.push(path);
      }
    }
  }
  return listing;
}

/** Whose folder of Litestream's this is: the name of a database, or nothing. */
function replicatedBy(name: string): string {
  return /^\.(.+)-litestream$/.exec(name)?.[1] ?? "";
}

/** Asked again: another process may be creating or deleting the tenant just now. */
async function missing(catalog: Catalog, { id }: TenantRecord, path: string): Promise<Finding[]> {
  const now = await catalog.get(id, { fresh: true });
  if (!now || (await exists(path))) return [];
  const check = "missing-files";
  if (now.state === "suspended" && now.reason === "being deleted") {
    return [
      {
        check,
        severity: "warn",
        message: `The deletion of tenant "${id}" did not come to its end.`,
        hint: `Delete it again: tenantry tenants delete ${id}`,
        tenant: id,
      },
    ];
  }
  return [
    {
      check,
      severity: "error",
      message: `Tenant "${id}" has no database file.`,
      hint: `Put the file back at ${path}, or delete the tenant: tenantry tenants delete ${id}`,
      tenant: id,
      path,
    },
  ];
}

async function orphan(catalog: Catalog, id: TenantId, path: string): Promise<Finding[]> {
  if ((await catalog.get(id, { fresh: true })) || !(await exists(path))) return [];
  return [
    {
      check: "orphan-files",
      severity: "warn",
      message: `A database that is no tenant's: ${id}.db.`,
      hint: `Keep it as a tenant (tenantry tenants import ${id} ${path}), or remove it.`,
      path,
    },
  ];
}

async function movedAside(dir: string): Promise<Finding[]> {
  const folder = join(dir, "orphans");
  const entries = await list(folder);
  if (entries.length === 0) return [];
  return [
    {
      check: "orphan-files",
      severity: "warn",
      message: `Databases that stood where a new tenant was made: ${entries.length} in orphans/.`,
      hint: "Look at them, and remove them when nobody misses them.",
      path: folder,
    },
  ];
}

async function scratch({
  dir,
  fix,
  scratchAgeMs = DEFAULT_SCRATCH_AGE_MS,
}: FolderExamination): Promise<Finding[]> {
  const folder = join(dir, "scratch");
  const findings: Finding[] = [];
  for (const entry of await list(folder)) {
    const path = join(folder, entry.name);
    const stats = await lstat(path).catch(ignoreGone);
    if (!stats || Date.now() - Math.max(stats.mtimeMs, stats.ctimeMs) < scratchAgeMs) continue;
    findings.push(await leftover("scratch", `What a killed process left: scratch/${entry.name}`, path, fix));
  }
  return findings;
}

async function templates({ dir, schemaHash, fix }: FolderExamination): Promise<Finding[]> {
  if (schemaHash === undefined) return [];
  const findings: Finding[] = [];
  for (const { name } of await list(dir)) {
    const hash = /^template-([0-9a-f]+)\.db(?:-wal|-shm|-journal)?$/.exec(name)?.[1];
    if (hash === undefined || hash === schemaHash) continue;
    findings.push(
      await leftover("templates", `A template of other migrations: ${name}`, join(dir, name), fix),
    );
  }
  return findings;
}

/** Something that nobody needs; a template that another process does need, it makes anew. */
async function leftover(check: string, message: string, path: string, fix = false): Promise<Finding> {
  if (!fix) return { check, severity: "warn", message: `${message}.`, hint: REMOVED_SOON, path };
  await rm(path, { recursive: true, force: true });
  return { check, severity: "ok", message: `${message}: removed.`, path };
}

async function list(folder: string) {
  return (await readdir(folder, { withFileTypes: true }).catch(ignoreGone)) ?? [];
}

function ignoreGone(error: unknown): undefined {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
  throw error;
}
