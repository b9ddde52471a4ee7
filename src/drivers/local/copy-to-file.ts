// Owns making one file of what a connection reads.
// Does not choose the moment that the copy is of: whoever calls it has begun to read.
import Database from "better-sqlite3";

/** Copies a database to a new file, without its write-ahead log. */
export async function copyToFile(sqlite: Database.Database, path: string): Promise<void> {
  await sqlite.backup(path);
  const copy = new Database(path);
  try {
    // Without a write-ahead log the copy is one file, and can be read where nothing can be written.
    copy.pragma("journal_mode = DELETE");
  } finally {
    copy.close();
  }
}
