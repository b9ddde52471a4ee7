// Owns the note that an executor leaves before each statement: whose it is. When it hangs, the main process reads
// the note and knows whom to blame. A synchronous write to a file costs about a microsecond; a message would
// never leave, since the statement holds the event loop.
import { closeSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";

const NAME_BYTES = 64;

/** The executor's side. */
export class ProgressWriter {
  readonly #file: number;
  readonly #note = Buffer.alloc(NAME_BYTES);
  #last = "";

  constructor(path: string) {
    this.#file = openSync(path, "w", 0o600);
  }

  /** Notes that what follows is done for the database of that name. */
  enter(name: string): void {
    if (name === this.#last) return;
    this.#last = name;
    this.#note.fill(0);
    this.#note.write(name);
    writeSync(this.#file, this.#note, 0, NAME_BYTES, 0);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** Whose statement an executor began last; "" when it began none. */
export function readProgress(path: string): string {
  try {
    const note = readFileSync(path);
    const end = note.indexOf(0);
    return note.toString("utf8", 0, end < 0 ? note.byteLength : end);
  } catch (error) {
    // It hung before it had begun to write.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
}

/** Forgets the note. */
export function removeProgress(path: string): void {
  rmSync(path, { force: true });
}
