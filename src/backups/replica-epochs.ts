// Owns finding the newest of the lines that a catalog has in a replica, from where there is no catalog yet.
// Restores none of them.
import type { LitestreamBinary } from "./litestream-binary.ts";
import { fromLitestream, runLitestream } from "./litestream-command.ts";
import { lineOf, type LtxFile, MAX_GAP, type ReplicaLine } from "./replica-lines.ts";
import { catalogPath, type ReplicaUrl } from "./replica-url.ts";

/** Where lines are looked for. */
export interface ReplicaEpochsParts {
  readonly binary: LitestreamBinary;
  readonly url: ReplicaUrl;
  /** What is read, for people. */
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
}

/** The newest line; undefined where there is none. @throws {TenantryError} `BACKUPS_UNAVAILABLE`, `REPLICA_DAMAGED` */
export async function newestCatalogLine(parts: ReplicaEpochsParts): Promise<ReplicaLine | undefined> {
  let newest: ReplicaLine | undefined;
  for (let next = 1; ; next = newest.epoch + 1) {
    const epochs = Array.from({ length: MAX_GAP }, (_, n) => next + n);
    const lines = await Promise.all(epochs.map((epoch) => lineAt(parts, epoch)));
    const last = lines.findLast((line) => line !== undefined);
    if (!last) return newest;
    newest = last;
  }
}

async function lineAt(
  { binary, url, what, signal }: ReplicaEpochsParts,
  epoch: number,
): Promise<ReplicaLine | undefined> {
  const args = ["ltx", "-level", "all", "-json", url.at(catalogPath(epoch))];
  const listed = await runLitestream(binary, args, signal).catch((error: unknown) => {
    throw fromLitestream(error, what);
  });
  return lineOf(epoch, JSON.parse(listed) as LtxFile[]);
}
