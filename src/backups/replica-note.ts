// Owns a small text beside the replicas that is only replaced by who has seen what it says: in a folder, or in S3.
// Does not know what the text means.
import { link, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { randomUUID } from "node:crypto";
import { makeFolder } from "../drivers/local/database-file.ts";
import type { ReplicaUrl } from "./replica-url.ts";

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

/** The note at `path` below the prefix; undefined where the kind of replica has none that is safe. */
export async function replicaNote(url: ReplicaUrl, path: string): Promise<ReplicaNote | undefined> {
  if (url.scheme === "file") return folderNote(url.keyOf(path));
  if (url.scheme === "s3") return s3Note(url, path);
  return undefined;
}

function folderNote(path: string): ReplicaNote {
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

async function s3Note(url: ReplicaUrl, path: string): Promise<ReplicaNote> {
  const { s3Client } = await import("./s3-store.ts");
  const { client, bucket } = await s3Client(url);
  const target = `${bucket}${url.keyOf(path).split("/").map(encodeURIComponent).join("/")}`;
  const failed = async (what: string, answer: Response): Promise<Error> =>
    new Error(`${what} ${url.shown} was answered ${answer.status}: ${(await answer.text()).slice(0, 300)}`);
  return {
    async read() {
      const answer = await client.fetch(target, { cache: "no-store" });
      if (answer.status === 404) return undefined;
      if (!answer.ok) throw await failed("Reading", answer);
      return { text: await answer.text(), tag: answer.headers.get("etag") ?? "" };
    },
    async write(text, tag) {
      const answer = await client.fetch(target, {
        method: "PUT",
        body: text,
        headers: {
          "content-type": "application/json",
          ...(tag === undefined ? { "if-none-match": "*" } : { "if-match": tag }),
        },
      });
      if (answer.status === 412 || answer.status === 409) return false;
      if (!answer.ok) throw await failed("Writing to", answer);
      // Not every service keeps to the condition: what is there now tells.
      return (await (await client.fetch(target, { cache: "no-store" })).text()) === text;
    },
  };
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
