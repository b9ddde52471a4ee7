// Owns looking at what Litestream keeps beside databases: it may grow without end where a replica is away.
// Removes nothing.
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { replicationFolder } from "../drivers/local/database-file.ts";
import { LARGE_FOLDER_BYTES } from "./backups-status.ts";

/** Milliseconds between two looks. */
const LOOK_MS = 60_000;
/** Beyond {@link LARGE_FOLDER_BYTES}, times the database itself. */
const LARGE_TIMES = 4;

/** The databases beside which much is kept. */
export class FolderSizes {
  readonly #paths: () => readonly string[];
  readonly #timer: ReturnType<typeof setInterval>;
  #large: readonly string[] = [];
  #looking = false;

  constructor(paths: () => readonly string[]) {
    this.#paths = paths;
    this.#timer = setInterval(() => void this.look(), LOOK_MS);
    this.#timer.unref();
  }

  /** Their paths, as of the last look. */
  get large(): readonly string[] {
    return this.#large;
  }

  /** Looks now. */
  async look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    const large: string[] = [];
    for (const path of this.#paths()) {
      const kept = await bytesBelow(replicationFolder(path));
      if (kept <= LARGE_FOLDER_BYTES) continue;
      if (kept > LARGE_FOLDER_BYTES + LARGE_TIMES * (await bytesOf(path))) large.push(path);
    }
    this.#large = large;
    this.#looking = false;
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

async function bytesBelow(folder: string): Promise<number> {
  // It comes and goes while it is looked at.
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  let bytes = 0;
  for (const entry of entries) {
    if (entry.isFile()) bytes += await bytesOf(join(entry.parentPath, entry.name));
  }
  return bytes;
}

async function bytesOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}
