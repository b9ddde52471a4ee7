// Owns what a libSQL primary hands out of one SQLite file: its pages when a generation began, and every change after
// that as frames of a write-ahead log. Serves nothing: test/fixtures/libsql-primary does.
import Database from "better-sqlite3";

const PAGE_BYTES = 4096;
/** Page number, pages of the database after a commit, and 16 bytes of salts and checksums that nobody reads here. */
const HEADER_BYTES = 24;

interface Generation {
  readonly base: Buffer;
  readonly frames: Buffer[];
}

/** The log of one file, as it is while others write to it. What was committed between two looks is one commit. */
export class FrameLog {
  readonly #sqlite: Database.Database;
  readonly #generations: Generation[] = [];
  #pages: Buffer;

  constructor(path: string) {
    this.#sqlite = new Database(path, { readonly: true });
    this.#pages = this.#sqlite.serialize();
    this.#generations.push({ base: this.#pages, frames: [] });
  }

  /** The generation that grows, from 1. */
  get generation(): number {
    return this.#generations.length;
  }

  /** Begins another generation with the file as it is. */
  rotate(): void {
    this.#readOn();
    this.#generations.push({ base: this.#pages, frames: [] });
  }

  /** The file when a generation began. */
  baseOf(generation: number): Buffer {
    return this.#of(generation).base;
  }

  /** Frames of a generation from `start`, counted from 1, up to but not with `end`; empty at its end. */
  slice(generation: number, start: number, end: number): Buffer {
    this.#readOn();
    return Buffer.concat(this.#of(generation).frames.slice(start - 1, end - 1));
  }

  /** All of the first generation, its pages first, as number, pages after a commit, and page. */
  all(): { readonly page: number; readonly sizeAfter: number; readonly bytes: Buffer }[] {
    this.#readOn();
    const { base, frames } = this.#of(1);
    const count = base.length / PAGE_BYTES;
    const pages = Array.from({ length: count }, (_, at) => ({
      page: at + 1,
      sizeAfter: at + 1 === count ? count : 0,
      bytes: base.subarray(at * PAGE_BYTES, (at + 1) * PAGE_BYTES),
    }));
    const changes = frames.map((frame) => ({
      page: frame.readUInt32BE(0),
      sizeAfter: frame.readUInt32BE(4),
      bytes: frame.subarray(HEADER_BYTES),
    }));
    return [...pages, ...changes];
  }

  #of(generation: number): Generation {
    const found = this.#generations[generation - 1];
    if (!found) throw new Error(`there is no generation ${generation}`);
    return found;
  }

  #readOn(): void {
    const now = this.#sqlite.serialize();
    const count = now.length / PAGE_BYTES;
    const changed = Array.from({ length: count }, (_, page) => page * PAGE_BYTES).filter(
      (at) => !now.subarray(at, at + PAGE_BYTES).equals(this.#pages.subarray(at, at + PAGE_BYTES)),
    );
    for (const at of changed) {
      const frame = Buffer.alloc(HEADER_BYTES + PAGE_BYTES);
      frame.writeUInt32BE(at / PAGE_BYTES + 1, 0);
      frame.writeUInt32BE(at === changed.at(-1) ? count : 0, 4);
      now.copy(frame, HEADER_BYTES, at, at + PAGE_BYTES);
      this.#of(this.generation).frames.push(frame);
    }
    this.#pages = now;
  }
}
