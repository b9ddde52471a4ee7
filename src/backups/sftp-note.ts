// Owns the note beside the replicas at an SFTP server: a folder in which every version is a file named by its number.
// Who makes the next number has written; nobody holds a lock that he could die with.
// Does not know what the text means.
import type { Note, ReplicaNote } from "./replica-note.ts";
import type { ReplicaUrl } from "./replica-url.ts";
import { sftpConnection } from "./sftp-connection.ts";
import type { SftpRequests } from "./sftp-requests.ts";
import { pause } from "./time-limits.ts";

/** Bytes of the longest text. */
const MAX_BYTES = 32 * 1024;
/** Versions that stay: who comes late with the number of one that is gone sees by the others that he is late. */
const KEPT = 4;
/** How often a version is looked at that is being written, and milliseconds between; then its writer is dead. */
const LOOKS = 20;
const LOOK_MS = 100;

/** The end of a version that is whole. */
const END = "\n";
/** Follows the number in the tag of who has not seen the newest version's text, for it had none yet. */
const UNSEEN = "?";

/** The note at `path` below the prefix. @throws {TenantryError} `UNSUPPORTED` without `ssh2` */
export async function sftpNote(url: ReplicaUrl, path: string): Promise<ReplicaNote> {
  const connection = await sftpConnection(url);
  const folder = url.keyOf(path);
  return {
    async read() {
      for (let look = 1; ; look++) {
        const found = await connection((sftp) => newest(sftp, folder, look === LOOKS));
        if (found !== "unfinished") return found;
        await pause(LOOK_MS);
      }
    },
    write: (text, tag) =>
      connection(async (sftp) => {
        const before = tag === undefined ? 0 : Number.parseInt(tag, 10);
        const version = before + 1;
        await sftp.makeFolder(folder);
        const own = `${folder}/${version}`;
        const file = await sftp.create(own);
        if (!file) return false;
        try {
          // Its writer was not dead. He looks for a newer one when his is whole, so that never both have written.
          if (tag?.endsWith(UNSEEN) && (await textOf(sftp, folder, before)) !== undefined) return false;
          await file.write(Buffer.from(text + END), 0);
          await file.sync();
        } catch (error) {
          // While the disk is full every try would leave an empty one.
          await sftp.remove(own).catch(() => undefined);
          throw error;
        } finally {
          await file.close();
        }
        const versions = await versionsOf(sftp, folder);
        if (versions[0] !== version) return false;
        for (const old of versions) {
          if (old <= version - KEPT) await sftp.remove(`${folder}/${old}`);
        }
        return true;
      }),
  };
}

/** @param isLastLook whether what is still being written is passed over */
async function newest(
  sftp: SftpRequests,
  folder: string,
  isLastLook: boolean,
): Promise<Note | "unfinished" | undefined> {
  const versions = await versionsOf(sftp, folder);
  const [first] = versions;
  if (first === undefined) return undefined;
  for (const version of versions) {
    const text = await textOf(sftp, folder, version);
    if (text !== undefined) return { text, tag: version === first ? `${first}` : `${first}${UNSEEN}` };
    if (!isLastLook) return "unfinished";
  }
  return { text: "", tag: `${first}${UNSEEN}` };
}

/** Their numbers, the newest first. */
async function versionsOf(sftp: SftpRequests, folder: string): Promise<number[]> {
  const entries = (await sftp.entries(folder)) ?? [];
  const numbers = entries.map(({ name }) => (/^[1-9]\d{0,14}$/.test(name) ? Number(name) : 0));
  return numbers.filter((number) => number > 0).toSorted((a, b) => b - a);
}

/** A version's text; undefined where it is not whole, or gone. */
async function textOf(sftp: SftpRequests, folder: string, version: number): Promise<string | undefined> {
  const file = await sftp.open(`${folder}/${version}`);
  if (!file) return undefined;
  try {
    const buffer = Buffer.alloc(MAX_BYTES);
    const text = buffer.toString("utf8", 0, await file.read(buffer, 0));
    return text.endsWith(END) ? text.slice(0, -END.length) : undefined;
  } finally {
    await file.close();
  }
}
