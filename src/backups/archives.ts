// Owns archives: a tenant as one tar file, whose manifest says what everything in it has to come to.
// Makes and ends no tenants: the lifecycle imports what is taken out of one.
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { lstat, mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import * as v from "valibot";
import type { Catalog } from "../catalog/catalog.ts";
import type { TableDigest } from "../database/table-digest.ts";
import type { DatabaseFiles } from "../drivers/driver.ts";
import { rethrowAsOurs, syncFile } from "../drivers/local/database-file.ts";
import type { TenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import type { Lifecycle } from "../tenants/lifecycle.ts";
import { findTenant } from "../tenants/find-tenant.ts";
import type { FileExaminer } from "./file-examiner.ts";

const MANIFEST = "manifest.json";
const DATABASE = "database.db";
/** Bytes of a manifest that is read; ten thousand tables take less. */
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/** Where a tar file says that it is one, and what it says. */
const TAR_MAGIC = { at: 257, text: "ustar" } as const;

const MANIFEST_SHAPE = v.object({
  format: v.literal("tenantry-archive"),
  version: v.literal(1),
  tenant: v.string(),
  incarnation: v.string(),
  exportedAt: v.string(),
  schemaVersion: v.string(),
  database: v.object({ name: v.literal(DATABASE), bytes: v.number(), sha256: v.string() }),
  tables: v.array(v.object({ table: v.string(), rows: v.number(), digest: v.string() })),
});

/** What an archive says of itself. */
export interface ArchiveManifest {
  readonly format: "tenantry-archive";
  readonly version: 1;
  readonly tenant: string;
  readonly incarnation: string;
  /** In UTC. */
  readonly exportedAt: string;
  /** The newest migration that the database has. */
  readonly schemaVersion: string;
  readonly database: { readonly name: string; readonly bytes: number; readonly sha256: string };
  /** What each table comes to, wherever its rows are. */
  readonly tables: readonly TableDigest[];
}

/** What {@link Archives} is made of. */
export interface ArchivesParts {
  readonly catalog: Catalog;
  readonly lifecycle: Lifecycle;
  readonly files: DatabaseFiles;
  readonly examiner: FileExaminer;
}

/** Writes and reads archives. */
export class Archives {
  readonly #parts: ArchivesParts;

  constructor(parts: ArchivesParts) {
    this.#parts = parts;
  }

  /**
   * Writes an archive of a tenant to a new file at `to`, while it serves.
   * @throws {TenantryError} `TENANT_NOT_FOUND`, `DATABASE_CORRUPT`, `DATABASE_FULL`
   */
  async write(id: TenantId, to: string): Promise<ArchiveManifest> {
    const { catalog, lifecycle, files, examiner } = this.#parts;
    const record = await findTenant(catalog, id);
    const { packTar } = await import("modern-tar/fs");
    await using scratch = await files.scratch();
    await lifecycle.exportFile(id, scratch.path);
    const { digests } = await examiner.examine({ path: scratch.path, check: true, digests: true });
    const manifest: ArchiveManifest = {
      format: "tenantry-archive",
      version: 1,
      tenant: id,
      incarnation: record.incarnation,
      exportedAt: new Date().toISOString(),
      schemaVersion: record.schemaVersion,
      database: { name: DATABASE, ...(await sumOf(scratch.path)) },
      tables: digests,
    };
    const content = `${JSON.stringify(manifest, undefined, 2)}\n`;
    const packed = packTar([
      { type: "content", content, target: MANIFEST },
      { type: "file", source: scratch.path, target: DATABASE },
    ]);
    await pipeline(packed, createWriteStream(to, { flags: "wx" })).catch(rethrowAsOurs);
    await syncFile(to);
    return manifest;
  }

  /**
   * Takes the database out of the archive at `from`, to a new file at `to`, checked against the manifest byte by
   * byte. @throws {TenantryError} `IMPORT_INVALID`
   */
  async read(from: string, to: string): Promise<ArchiveManifest> {
    const { unpackTar } = await import("modern-tar/fs");
    const folder = `${to}.archive`;
    await mkdir(folder);
    try {
      const wanted = new Set([MANIFEST, DATABASE]);
      const unpack = unpackTar(folder, {
        strict: true,
        fmode: 0o600,
        // Nothing but the two plain files gets out, whatever else there is, by whatever way.
        filter: ({ name, type }) => type === "file" && wanted.has(name),
      });
      await pipeline(createReadStream(from), unpack).catch((error: unknown) => {
        if (isSystemError(error)) rethrowAsOurs(error);
        throw invalid("it is no whole tar file", error);
      });
      const manifest = await readManifest(join(folder, MANIFEST));
      const path = join(folder, DATABASE);
      const found = await sumOf(path).catch(() => {
        throw invalid(`${DATABASE} is not in it`);
      });
      const { bytes, sha256 } = manifest.database;
      if (found.bytes !== bytes || found.sha256 !== sha256) {
        throw invalid(`${DATABASE} is not what the manifest says: its SHA-256 is ${found.sha256}`);
      }
      await pipeline(createReadStream(path), createWriteStream(to, { flags: "wx" })).catch(rethrowAsOurs);
      return manifest;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

/** Whether a file is a tar file, by its content. */
export async function isTar(path: string): Promise<boolean> {
  const file = await open(path, "r");
  try {
    const found = Buffer.alloc(TAR_MAGIC.text.length);
    await file.read(found, 0, found.length, TAR_MAGIC.at);
    return found.toString("latin1") === TAR_MAGIC.text;
  } finally {
    await file.close();
  }
}

async function readManifest(path: string): Promise<ArchiveManifest> {
  const size = (await lstat(path).catch(() => undefined))?.size;
  if (size === undefined) throw invalid(`${MANIFEST} is not in it`);
  if (size > MAX_MANIFEST_BYTES) throw invalid(`${MANIFEST} is too large`);
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw invalid(`${MANIFEST} is no JSON`, error);
  }
  const checked = v.safeParse(MANIFEST_SHAPE, value);
  if (checked.success) return checked.output;
  throw invalid(`${MANIFEST} is not one of this version: ${checked.issues[0].message}`);
}

async function sumOf(path: string): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return { bytes: (await lstat(path)).size, sha256: hash.digest("hex") };
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && "syscall" in error;
}

function invalid(why: string, cause?: unknown): TenantryError {
  return new TenantryError("IMPORT_INVALID", `The archive cannot be taken: ${why}.`, {
    hint: "Export it again, and copy it as it is.",
    cause,
  });
}
