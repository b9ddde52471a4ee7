// Owns finding the newest of the lines that a database has in a replica, for one that is in no catalog.
// Restores none of them.
import type { LitestreamBinary } from "./litestream-binary.ts";
import { fromLitestream, runLitestream } from "./litestream-command.ts";
import { lineOf, type LtxFile, MAX_GAP, type ReplicaLine } from "./replica-lines.ts";
import type { ReplicaUrl } from "./replica-url.ts";

/** Where lines are looked for. */
export interface ReplicaEpochsParts {
  readonly binary: LitestreamBinary;
  readonly url: ReplicaUrl;
  /** The path of an epoch's line, below the prefix. */
  readonly pathOf: (epoch: number) => string;
  /** What is read, for people. */
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
}

/** A line by its epoch; undefined where there is nothing. @throws {TenantryError} `BACKUPS_UNAVAILABLE`, `REPLICA_DAMAGED` */
export async function lineAt(
  { binary, url, pathOf, what, signal }: ReplicaEpochsParts,
  epoch: number,
): Promise<ReplicaLine | undefined> {
  const args = ["ltx", "-level", "all", "-json", url.at(pathOf(epoch))];
  const listed = await runLitestream(binary, args, signal).catch((error: unknown) => {
    throw fromLitestream(error, what);
  });
  return lineOf(epoch, JSON.parse(listed) as LtxFile[]);
}

/** The newest line, from an epoch on. @throws {TenantryError} as {@link lineAt} does */
export async function newestLine(parts: ReplicaEpochsParts, from = 1): Promise<ReplicaLine | undefined> {
  let newest: ReplicaLine | undefined;
  for (let next = from; ; next = newest.epoch + 1) {
    const epochs = Array.from({ length: MAX_GAP }, (_, n) => next + n);
    const lines = await Promise.all(epochs.map((epoch) => lineAt(parts, epoch)));
    const last = lines.findLast((line) => line !== undefined);
    if (!last) return newest;
    newest = last;
  }
}
