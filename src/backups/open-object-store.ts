// Owns which store of objects a replica's URL means.
// Is no store itself.
import { folderStore, type ObjectStore } from "./object-store.ts";
import type { ReplicaUrl } from "./replica-url.ts";

/** The store of a replica. @throws {TenantryError} `UNSUPPORTED` where the package for it is not installed */
export async function openObjectStore(url: ReplicaUrl): Promise<ObjectStore> {
  if (url.scheme === "file") return folderStore(url);
  if (url.scheme === "s3") return (await import("./s3-store.ts")).s3Store(url);
  if (url.scheme === "gs") return (await import("./gs-store.ts")).gsStore(url);
  if (url.scheme === "abs") return (await import("./abs-store.ts")).absStore(url);
  return (await import("./sftp-store.ts")).sftpStore(url);
}
