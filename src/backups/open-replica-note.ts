// Owns which note a replica's URL means.
// Is no note itself.
import { folderNote, type ReplicaNote } from "./replica-note.ts";
import type { ReplicaUrl } from "./replica-url.ts";

/** The note at `path` below the prefix. @throws {TenantryError} as the kind's client does */
export async function openReplicaNote(url: ReplicaUrl, path: string): Promise<ReplicaNote> {
  if (url.scheme === "file") return folderNote(url.keyOf(path));
  if (url.scheme === "s3") return (await import("./s3-note.ts")).s3Note(url, path);
  if (url.scheme === "gs") return (await import("./gs-note.ts")).gsNote(url, path);
  if (url.scheme === "abs") return (await import("./abs-note.ts")).absNote(url, path);
  return (await import("./sftp-note.ts")).sftpNote(url, path);
}
