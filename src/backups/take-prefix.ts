// Owns taking a prefix: the note there, the lease in it, and what there was before the lease.
// Is none of them.
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import { openObjectStore } from "./open-object-store.ts";
import { openReplicaNote } from "./open-replica-note.ts";
import { ReplicaOwner, type ReplicaOwnerOptions } from "./replica-owner.ts";
import { CANARY_PATH, CATALOG_PATH, OWNER_PATH, type ReplicaUrl } from "./replica-url.ts";

/**
 * Takes the prefix for a data folder, whose lock the caller has.
 * @throws {TenantryError} `REPLICA_TAKEN`; `BACKUPS_UNAVAILABLE` where the replica cannot be reached
 */
export async function takePrefix(
  url: ReplicaUrl,
  dir: string,
  options: Omit<ReplicaOwnerOptions, "newestEpoch">,
): Promise<ReplicaOwner> {
  try {
    const note = await openReplicaNote(url, OWNER_PATH);
    const newestEpoch = (): Promise<number> => newestEpochOf(url);
    return await ReplicaOwner.take(note, url, dir, { ...options, newestEpoch });
  } catch (error) {
    if (isTenantryError(error) || !(error instanceof Error)) throw error;
    const { cause } = error;
    const why = cause instanceof Error && cause.message !== "" ? cause.message : error.message;
    throw new TenantryError("BACKUPS_UNAVAILABLE", `The replica ${url.shown} cannot be reached: ${why}.`, {
      hint: "Check the replica's URL, its credentials and the network.",
      retryAfterSeconds: 10,
      cause: error,
    });
  }
}

/** Whoever lost the lease, or replicated there before there were any, is not written over. */
async function newestEpochOf(url: ReplicaUrl): Promise<number> {
  const store = await openObjectStore(url);
  let newest = 0;
  for (const path of [CATALOG_PATH, CANARY_PATH]) {
    for await (const { key } of store.list(`${path}/`)) {
      const epoch = Number(key.split("/")[1]);
      if (Number.isSafeInteger(epoch)) newest = Math.max(newest, epoch);
    }
  }
  return newest;
}
