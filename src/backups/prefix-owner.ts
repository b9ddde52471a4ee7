// Owns what it means that a prefix is one server's, and the error where it is another's.
// Takes none: take-prefix.ts does.
import { TenantryError } from "../tenantry-error.ts";
import type { ReplicaUrl } from "./replica-url.ts";

/** Who writes to a prefix. */
export interface PrefixOwner {
  /** The part of the catalog's path that rises with each data folder. */
  readonly catalogEpoch: number;
  /** Whether nobody else can take the prefix meanwhile: for sftp others are only looked for. */
  readonly fenced: boolean;
  /** Gives the prefix free for whoever comes next. Idempotent. */
  release(): Promise<void>;
}

/** The error where another server has the prefix. @param by who, if that is known */
export function prefixTaken(
  url: ReplicaUrl,
  by?: { readonly path: string; readonly host: string },
): TenantryError {
  const who = by ? ` by ${by.path} on ${by.host}` : "";
  return new TenantryError("REPLICA_TAKEN", `The replica ${url.shown} is being written to${who}.`, {
    hint: "End that server, or give this one another prefix. Two writers would spoil each other's backups.",
  });
}
