// Owns what a note beside the replicas is: a small text that is only replaced by who has seen what it says. And the
// file as the plainest of notes. Does not know what the text means.
import { link, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { randomUUID } from "node:crypto";
import { makeFolder } from "../drivers/local/database-file.ts";

/** Milliseconds after which whoever holds the lock of a folder's note is dead: it is held for one write. */
const LOCK_TIMEOUT_MS = 10_000;

/** What the note says, and by what its next writer is known to have read it. */
export interface Note {
  readonly text: string;
  readonly tag: string;
}

/** A note. */
export interface ReplicaNote {
  read(): Promise<Note | undefined>;
  /**
   * Writes the text if the note is as it was read. @param tag undefined where there was none
   * @returns whether nobody else has written meanwhile
   */
  write(text: string, tag: string | undefined): Promise<boolean>;
}

/** A file of this machine. */
export function folderNote(path: string): ReplicaNote {
  const read = async (): Promise<Note | undefined> => {
    try {
      const text = await readFile(path, "utf8");
      return { text, tag: text };
    } catch (error) {
      if (isCode(error, "ENOENT")) return undefined;
      throw error;
    }
  };
  return {
    read,
    async write(text, tag) {
      await makeFolder(dirname(path));
      const fresh = `${path}.${randomUUID()}`;
      await writeFile(fresh, text, { flush: true });
      try {
        // A link is made only where there is nothing yet.
        if (tag === undefined) return await link(fresh, path).then(() => true, refusedBy("EEXIST"));
        await using lock = await lockFile(`${path}.lock`);
        if (!lock || (await read())?.tag !== tag) return false;
        await rename(fresh, path);
        return true;
      } finally {
        await rm(fresh, { force: true });
      }
    },
  };
}

async function lockFile(path: string): Promise<AsyncDisposable | undefined> {
  try {
    await (await open(path, "wx")).close();
    return { [Symbol.asyncDispose]: () => rm(path, { force: true }) };
  } catch (error) {
    if (!isCode(error, "EEXIST")) throw error;
    const held = await stat(path).catch(() => undefined);
    // The next try finds none.
    if (held && Date.now() - held.mtimeMs > LOCK_TIMEOUT_MS) await rm(path, { force: true });
    return undefined;
  }
}

function refusedBy(code: string): (error: unknown) => false {
  return (error) => {
    if (isCode(error, code)) return false;
    throw error;
  };
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
