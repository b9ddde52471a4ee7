// Owns files as the ends of copies: written aside and moved into place when they are whole.
// For Node; the rows' way is copy-database.ts's.
import { createHash } from "node:crypto";
import { rename } from "node:fs/promises";
import { dirname } from "node:path";
import type { Handle, SqlRunner } from "../drivers/driver.ts";
import { exists, removeDatabase, syncFile } from "../drivers/local/database-file.ts";
import { localDriver } from "../drivers/local/local-driver.ts";
import type { LocalHandle } from "../drivers/local/local-handle.ts";
import type { TableDigest } from "../database/table-digest.ts";
import { TenantryError } from "../tenantry-error.ts";
import { copyDatabase, type CopyProgress, type CopyReport } from "./copy-database.ts";
import type { CopySource, CopyTarget } from "./copy-end.ts";
import { streamDigests } from "./stream-digest.ts";

/** SHA-256 as digests of tables take it. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}

/**
 * Copies a database into a new file at `path`, which any SQLite and any libSQL reads. Nothing is at `path` before
 * all of it is there and has been compared; what a killed copy left beside it goes with the next one.
 * @throws {TenantryError} `DATABASE_EXISTS`, and those of `copyDatabase()`
 */
export async function copyToFile(
  source: CopySource & { readonly handle?: Handle },
  path: string,
  onProgress?: (progress: CopyProgress) => void,
): Promise<CopyReport> {
  if (await exists(path)) {
    throw new TenantryError("DATABASE_EXISTS", `There is a file at ${path} already.`, {
      hint: "Name a new file. Nothing of this one was changed.",
    });
  }
  const partial = `${path}.partial`;
  await removeDatabase(partial);
  const report = source.handle
    ? await copyWhole(source.handle, partial, onProgress)
    : await copyByRows(source, partial, onProgress);
  await syncFile(partial);
  await rename(partial, path);
  return report;
}

/** Page by page: faster than by rows, and just what was there. */
async function copyWhole(
  handle: Handle,
  path: string,
  onProgress: ((progress: CopyProgress) => void) | undefined,
): Promise<CopyReport> {
  let report: CopyReport | undefined;
  await handle.snapshot(path, async (asCopied) => {
    await withFile(path, false, async (copy) => {
      const theirs = await digestsOf(asCopied, onProgress);
      const ours = await digestsOf(copy);
      const wrong = theirs.find(
        ({ table, digest }, index) => ours[index]?.table !== table || ours[index]?.digest !== digest,
      );
      if (wrong || ours.length !== theirs.length) {
        throw new TenantryError(
          "COPY_DIFFERS",
          `The copy differs from its source in table "${wrong?.table ?? ""}".`,
          {
            hint: "Look at the disk, and run it again.",
          },
        );
      }
      report = { rows: theirs.reduce((sum, { rows }) => sum + rows, 0), tables: theirs };
    });
  });
  return report as CopyReport;
}

async function copyByRows(
  source: CopySource,
  path: string,
  onProgress: ((progress: CopyProgress) => void) | undefined,
): Promise<CopyReport> {
  return withFile(path, true, (handle) => copyDatabase(source, fileTarget(handle), { sha256, onProgress }));
}

/** A new file as a target: durable when it is whole, and not before. */
function fileTarget(handle: LocalHandle): CopyTarget {
  return {
    db: handle,
    limits: { name: "A file" },
    maxStatementBytes: 500_000,
    shadowTables: true,
    write: (statements) =>
      handle.withSqlite((sqlite) => {
        // The tables in which a virtual one keeps its content are written as they were.
        sqlite.unsafeMode(true);
        sqlite.pragma("foreign_keys = OFF");
        sqlite.exec("BEGIN");
        try {
          for (const { sql, params } of statements) sqlite.prepare(sql).run(...params);
          sqlite.exec("COMMIT");
        } catch (error) {
          if (sqlite.inTransaction) sqlite.exec("ROLLBACK");
          throw error;
        }
      }),
  };
}

async function withFile<T>(
  path: string,
  create: boolean,
  fn: (handle: LocalHandle) => Promise<T>,
): Promise<T> {
  const driver = localDriver({ dir: dirname(path) });
  const handle = await driver.openFile(path, { create });
  try {
    return await fn(handle);
  } finally {
    // One file, without a log beside it.
    await handle.withSqlite((sqlite) => sqlite.pragma("journal_mode = DELETE"));
    await handle.close();
  }
}

async function digestsOf(
  db: SqlRunner,
  onProgress?: (progress: CopyProgress) => void,
): Promise<TableDigest[]> {
  const found: TableDigest[] = [];
  for await (const digest of streamDigests(db)) {
    found.push(digest);
    onProgress?.({ phase: "verifying", table: digest.table, done: found.length, total: found.length });
  }
  return found;
}
