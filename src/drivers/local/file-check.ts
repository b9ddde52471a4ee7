// Owns seeing, before SQLite opens them, what SQLite takes for an empty database or an empty log.
// Reads headers only: whatever lies deeper is integrity_check's.
import { closeSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { TenantryError } from "../../tenantry-error.ts";

/** The first four bytes of a write-ahead log but for the last bit, which tells the order of its checksums' bytes. */
const WAL_MAGIC = 0x377f0682;
const WAL_HEADER_BYTES = 32;
/** The first bytes of every SQLite 3 file. */
const MAGIC = "SQLite format 3\0";

/** Milliseconds that a file system's clock may stand still between two writes, and more. */
const SAME_MOMENT_MS = 2_000;

/** A database's file as it lies there. */
export interface FileState {
  /** 0 where there is none, or where a log may say otherwise. */
  readonly sizeBytes: number;
  /**
   * The same again means that nothing has been written in between. undefined where that cannot be told: beside a log,
   * and where the last write was just now, so that another may bear the same time.
   */
  readonly state: string | undefined;
}

const UNKNOWN: FileState = { sizeBytes: 0, state: undefined };

/**
 * SQLite makes a new database of a file without a byte, and passes over a log whose first bytes are wrong,
 * with all the commits in it. About 10 µs.
 * @throws {TenantryError} `DATABASE_CORRUPT`
 */
export function assertNotHollow(path: string): FileState {
  const file = statSync(path, { throwIfNoEntry: false });
  if (file?.size === 0) throw hollow("The database file is empty.");
  const header = headerOfLog(`${path}-wal`);
  if (header === undefined) return file ? stateOf(file) : UNKNOWN;
  // A log begins with zeros where a power cut came before its first sync: nothing in it was promised.
  if (header === 0 || (header & ~1) >>> 0 === WAL_MAGIC) return UNKNOWN;
  throw hollow("What lies beside the database as its write-ahead log is none: commits would be lost.");
}

/** By the time of its last change, which unlike that of its last write nobody can set. */
function stateOf({ ino, size, ctimeMs }: Stats): FileState {
  const settled = Date.now() - ctimeMs > SAME_MOMENT_MS;
  return { sizeBytes: size, state: settled ? `${ino} ${size} ${ctimeMs}` : undefined };
}

/** Whether a file begins as a SQLite 3 database does. */
export async function isDatabase(path: string): Promise<boolean> {
  const file = await open(path, "r");
  try {
    const bytes = Buffer.alloc(MAGIC.length);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    return bytesRead === bytes.length && bytes.toString("latin1") === MAGIC;
  } finally {
    await file.close();
  }
}

function headerOfLog(path: string): number | undefined {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) < WAL_HEADER_BYTES) return undefined;
  // SQLite has no locks on this file that closing it would drop.
  const file = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(4);
    return readSync(file, bytes, 0, 4, 0) === 4 ? bytes.readUInt32BE() : undefined;
  } finally {
    closeSync(file);
  }
}

function hollow(message: string): TenantryError {
  return new TenantryError("DATABASE_CORRUPT", message, {
    hint: "Restore it from a snapshot or a backup, with its files moved away first.",
  });
}
