// Owns running something synchronous on a connection wholly or not at all.
// Does not know who may write: that is the handle's business.
import type Database from "better-sqlite3";

/**
 * Runs `fn` in a transaction of its own or, where one is open, in a part of that one which can be undone
 * alone. @throws what `fn` throws, when nothing of it remains
 */
export function atomically<T>(sqlite: Database.Database, begin: "BEGIN" | "BEGIN IMMEDIATE", fn: () => T): T {
  return sqlite.inTransaction
    ? between(sqlite, "SAVEPOINT part", "RELEASE part", "ROLLBACK TO part; RELEASE part", fn)
    : between(sqlite, begin, "COMMIT", "ROLLBACK", fn);
}

function between<T>(
  sqlite: Database.Database,
  begin: string,
  commit: string,
  rollback: string,
  fn: () => T,
): T {
  sqlite.exec(begin);
  try {
    const result = fn();
    sqlite.exec(commit);
    return result;
  } catch (error) {
    // A full disk, an I/O error and OR ROLLBACK roll all of it back by themselves.
    if (sqlite.inTransaction) sqlite.exec(rollback);
    throw error;
  }
}
