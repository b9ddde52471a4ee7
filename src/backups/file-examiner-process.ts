// Owns the process that reads whole databases: checks, migrates and digests files that are nobody's yet, which holds
// an event loop for as long as the file is large. Is started by file-examiner.ts, and ends with who started it.
import { hash } from "node:crypto";
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import Database from "better-sqlite3";
import { type TableDigest, tableDigests } from "../database/table-digest.ts";
import type { Handle } from "../drivers/driver.ts";
import { localDriver } from "../drivers/local/local-driver.ts";
import { type MigrationResult, migrateDatabase } from "../migrations/migrate-database.ts";
import type { MigrationSet } from "../migrations/migration-set.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";

/** What is to be done with the file at `path`. */
export interface Examination {
  readonly path: string;
  /** `integrity_check` in full. */
  readonly check?: boolean;
  /** Migrations to bring the file up to. */
  readonly migrations?: MigrationSet;
  /** What every table's content comes to. */
  readonly digests?: boolean;
}

/** What was found. The file is one file again: without a write-ahead log. */
export interface Examined {
  readonly sizeBytes: number;
  readonly migrated: MigrationResult | undefined;
  readonly digests: readonly TableDigest[];
}

/** What the process is sent. */
export interface ExaminationRequest {
  readonly id: number;
  readonly examination: Examination;
}

/** What the process answers. */
export interface ExaminationAnswer {
  readonly id: number;
  readonly examined?: Examined;
  readonly error?: { readonly code: string | undefined; readonly message: string; readonly hint?: string };
}

/** Bytes of page cache: everything is read, indexes in no order of the pages. */
const CACHE_BYTES = 64 * 1024 * 1024;

/** Findings of `integrity_check` that an error names. */
const MAX_FINDINGS = 10;

const sha256 = (bytes: Uint8Array): Uint8Array => hash("sha256", bytes, "buffer");

async function examine({ path, check, migrations, digests }: Examination): Promise<Examined> {
  if ((await stat(path)).size === 0) throw damaged("it is empty");
  const handle = await localDriver({ dir: dirname(path), cacheBytes: CACHE_BYTES }).openFile(path);
  let migrated: MigrationResult | undefined;
  const found: TableDigest[] = [];
  try {
    if (check) await assertSound(handle);
    if (migrations) migrated = await migrateDatabase(handle, migrations);
    if (digests) for await (const one of tableDigests(handle, { sha256 })) found.push(one);
  } finally {
    await handle.close();
  }
  const sqlite = new Database(path);
  try {
    sqlite.pragma("journal_mode = DELETE");
  } finally {
    sqlite.close();
  }
  return { sizeBytes: (await stat(path)).size, migrated, digests: found };
}

async function assertSound(handle: Handle): Promise<void> {
  const { rows } = await handle.run(
    { sql: `PRAGMA integrity_check(${MAX_FINDINGS})`, params: [] },
    { rows: "arrays" },
  );
  const findings = (rows as unknown[][]).map(([finding]) => String(finding));
  if (findings.length === 1 && findings[0] === "ok") return;
  throw damaged(findings.join("; "));
}

function damaged(findings: string): TenantryError {
  return new TenantryError("DATABASE_CORRUPT", `The database fails SQLite's integrity_check: ${findings}.`, {
    hint: "Take another moment, another snapshot or another file.",
  });
}

function answer(found: ExaminationAnswer): void {
  process.send?.(found);
}

// A terminal sends its signals to both; it is ended by who started it.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
process.on("disconnect", () => process.exit());
process.on("message", ({ id, examination }: ExaminationRequest) => {
  examine(examination).then(
    (examined) => answer({ id, examined }),
    (error: unknown) => {
      const { code, message, hint } = isTenantryError(error)
        ? error
        : { code: undefined, message: String(error), hint: undefined };
      answer({ id, error: { code, message, ...(hint !== undefined && { hint }) } });
    },
  );
});
