// Owns which way a prefix is kept for one server: by a note there, or by watching for others.
// Is neither of them.
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import type { PrefixOwner } from "./prefix-owner.ts";
import { openReplicaNote } from "./open-replica-note.ts";
import { ReplicaOwner, type ReplicaOwnerOptions } from "./replica-owner.ts";
import { OWNER_PATH, type ReplicaUrl } from "./replica-url.ts";
import { ReplicaWatch, type ReplicaWatchOptions } from "./replica-watch.ts";

/**
 * Takes the prefix for a data folder, whose lock the caller has.
 * @throws {TenantryError} `REPLICA_TAKEN`; `BACKUPS_UNAVAILABLE` where the replica cannot be reached
 */
export async function takePrefix(
  url: ReplicaUrl,
  dir: string,
  options: ReplicaOwnerOptions & ReplicaWatchOptions,
): Promise<PrefixOwner> {
  try {
    const note = await openReplicaNote(url, OWNER_PATH);
    return note
      ? await ReplicaOwner.take(note, url, dir, options)
      : await ReplicaWatch.take(url, dir, options);
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
