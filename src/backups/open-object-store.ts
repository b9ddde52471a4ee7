// Owns which store of objects a replica's URL means.
// Is no store itself.
import { TenantryError } from "../tenantry-error.ts";
import { folderStore, type ObjectStore } from "./object-store.ts";
import type { ReplicaUrl } from "./replica-url.ts";

/** The store of a replica. @throws {TenantryError} `UNSUPPORTED` for those that only Litestream reaches */
export async function openObjectStore(url: ReplicaUrl): Promise<ObjectStore> {
  if (url.scheme === "file") return folderStore(url);
  if (url.scheme === "s3") return (await import("./s3-store.ts")).s3Store(url);
  if (url.scheme === "gs") return (await import("./gs-store.ts")).gsStore(url);
  if (url.scheme === "abs") return (await import("./abs-store.ts")).absStore(url);
  throw new TenantryError(
    "UNSUPPORTED",
    `Objects in ${url.scheme}:// are not listed or removed by Tenantry.`,
    {
      hint: "Litestream replicates there and restores from there. For the rest use the provider's own tool, or s3:// or file://.",
    },
  );
}
