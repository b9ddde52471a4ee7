// Owns in what pieces the text of a dump leaves, and the moment that it is of.
// Does not know what the text says: dump-text.ts does.
import type Database from "better-sqlite3";

/** Pins what is read from now on. */
export function beginReading(sqlite: Database.Database): void {
  sqlite.exec("BEGIN");
  sqlite.prepare("SELECT 1 FROM sqlite_schema").get();
}

/** Characters of a piece of a dump, and the milliseconds after which it is given as it is. */
const DUMP_PIECE_LENGTH = 64 * 1024;
const DUMP_SLICE_MS = 10;

/** The next piece of a dump; "" after the last. */
export function nextPiece(text: Generator<string, void, undefined>): string {
  const sliceEnd = performance.now() + DUMP_SLICE_MS;
  let piece = "";
  while (piece.length < DUMP_PIECE_LENGTH && (piece === "" || performance.now() < sliceEnd)) {
    const next = text.next();
    if (next.done) break;
    piece += next.value;
  }
  return piece;
}
