// Owns what can be known of a database's log, and done for it, without SQLite: when it was written, that it is on disk.
// Opens no database: closing it again would drop SQLite's locks.
import { open, stat } from "node:fs/promises";

/** How the log of a database looks. */
export interface DatabaseLog {
  /** When it was written to last, in ms since 1970; 0 where there is none, or nothing in it. */
  readonly wroteAt: number;
  readonly mark: string;
}

/** How the log of a database looks; undefined where the database is gone. Nothing is opened. */
export async function logOf(path: string): Promise<DatabaseLog | undefined> {
  const { mtimeMs, size } = await stat(`${path}-wal`).catch(async (error: unknown) => {
    if (!isGone(error)) throw error;
    return { mtimeMs: 0, size: 0 };
  });
  const there = await stat(path).catch((error: unknown) => {
    if (!isGone(error)) throw error;
    return undefined;
  });
  return there && { wroteAt: size === 0 ? 0 : mtimeMs, mark: `${size} ${mtimeMs}` };
}

/** Waits until a database's log is on the disk. SQLite holds no locks on it that closing it would drop. */
export async function syncLog(path: string): Promise<void> {
  const log = await open(`${path}-wal`, "r").catch((error: unknown) => {
    // Folded into the database, and on the disk with it.
    if (!isGone(error)) throw error;
    return undefined;
  });
  if (!log) return;
  try {
    await log.datasync();
  } finally {
    await log.close();
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
