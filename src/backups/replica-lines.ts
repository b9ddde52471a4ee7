// Owns finding a tenant's lines in a replica, what moments each covers, and which of them a restore takes.
// Restores nothing.
import type { TenantRecord } from "../catalog/tenant-record.ts";
import { TenantryError } from "../tenantry-error.ts";
import type { ReplicaSource } from "./restore-source.ts";

/** A file of a line, as `litestream ltx -json` lists it. */
export interface LtxFile {
  readonly level: number;
  readonly min_txid: string;
  readonly max_txid: string;
  readonly size: number;
  /** To the second. */
  readonly timestamp: string;
}

/** What a replica has of one tenant between two restores of it. */
export interface ReplicaLine {
  readonly epoch: number;
  /** In milliseconds since 1970, to the second: the oldest moment that can be restored, and the newest. */
  readonly from: number;
  readonly to: number;
  /** The newest transaction. */
  readonly txid: string;
}

/** Lines in a row that may be empty: each began with a restore after which nothing was written. */
export const MAX_GAP = 3;

/** Litestream lists moments to the second. */
export const LISTED_TO_MS = 1000;

/** The line that files make; undefined where there are none. */
export function lineOf(epoch: number, files: readonly LtxFile[]): ReplicaLine | undefined {
  if (files.length === 0) return undefined;
  const times = files.map(({ timestamp }) => Date.parse(timestamp));
  return {
    epoch,
    from: Math.min(...times),
    to: Math.max(...times),
    txid: files.map(({ max_txid }) => max_txid).reduce((a, b) => (a > b ? a : b)),
  };
}

/**
 * The line that `source` is about: the newest one, or the one that had begun at its moment.
 * @param lines newest first
 * @throws {TenantryError} `REPLICA_EMPTY`, `REPLICA_RANGE`, which says the range
 */
export function chooseLine(
  { id }: Pick<TenantRecord, "id">,
  { at }: ReplicaSource,
  lines: readonly ReplicaLine[],
  place: string,
): ReplicaLine {
  const [newest] = lines;
  if (!newest) {
    throw new TenantryError("REPLICA_EMPTY", `${place} has nothing of tenant "${id}".`, {
      tenant: id,
      hint: 'See what it has with "tenantry backups status"; snapshots are listed by "tenantry snapshot list".',
    });
  }
  if (at === undefined) return newest;
  const line = lines.find(({ from }) => from <= at);
  if (line) return line;
  throw outsideRange({ id }, at, lines);
}

/** The error for a moment that the replica does not have. @param lines newest first, at least one */
export function outsideRange(
  { id }: Pick<TenantRecord, "id">,
  at: number,
  lines: readonly ReplicaLine[],
  why = "",
): TenantryError {
  const from = Math.min(...lines.map((line) => line.from));
  const to = Math.max(...lines.map((line) => line.to));
  return new TenantryError(
    "REPLICA_RANGE",
    `The replica of tenant "${id}" reaches from ${moment(from)} to ${moment(to)}, and has no ${moment(at)}${why}.`,
    { tenant: id, hint: "Name a moment in that range with --at, or say --latest." },
  );
}

/** `2026-11-22T10:00:00Z`, with the milliseconds if there are any. */
export function moment(at: number): string {
  return new Date(at).toISOString().replace(".000Z", "Z");
}
