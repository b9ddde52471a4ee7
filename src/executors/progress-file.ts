// Owns the note that an executor leaves before each statement: whose it is, and since when. When it hangs, the main
// process reads the note and knows whom to blame. A synchronous write to a file costs about a microsecond; a message
// would never leave, since the statement holds the event loop.
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";

const NAME_BYTES = 64;
const NOTE_BYTES = NAME_BYTES + 8;
/** Milliseconds by which a note may be too old: statements of one tenant that follow each other share one. */
const SHARED_MS = 1;

/** Whose statement an executor began last. */
export interface Progress {
  /** "" when it began none. */
  readonly name: string;
  /** Milliseconds since then. The statement may have ended meanwhile. */
  readonly ms: number;
}

/** The executor's side. */
export class ProgressWriter {
  readonly #file: number;
  readonly #note = Buffer.alloc(NOTE_BYTES);
  #last = "";
  #since = 0;

  constructor(path: string) {
    mkdirSync(dirname(path), { recursive: true });
    this.#file = openSync(path, "w", 0o600);
    // Takes its place on the disk now: a note must not fail because the disk has become full.
    writeSync(this.#file, this.#note, 0, NOTE_BYTES, 0);
  }

  /** Notes that what follows is done for the database of that name. */
  enter(name: string): void {
    const now = monotonicMs();
    if (name === this.#last && now - this.#since < SHARED_MS) return;
    this.#since = now;
    if (name !== this.#last) {
      this.#last = name;
      this.#note.fill(0, 0, NAME_BYTES);
      this.#note.write(name);
    }
    this.#note.writeDoubleLE(now, NAME_BYTES);
    writeSync(this.#file, this.#note, 0, NOTE_BYTES, 0);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** Whose statement an executor began last. */
export function readProgress(path: string): Progress {
  try {
    const note = readFileSync(path);
    if (note.byteLength < NOTE_BYTES) return NOTHING;
    return {
      name: note.toString("utf8", 0, note.indexOf(0)),
      ms: monotonicMs() - note.readDoubleLE(NAME_BYTES),
    };
  } catch (error) {
    // It hung before it had begun to write, or it is gone; and a hang is ended also where nobody can be blamed.
    if (error instanceof Error && "code" in error) return NOTHING;
    throw error;
  }
}

/** Forgets the note. */
export function removeProgress(path: string): void {
  rmSync(path, { force: true });
}

const NOTHING: Progress = { name: "", ms: 0 };

/** A clock that all processes of this machine share, and nobody sets. */
function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1e6;
}
