// Owns reading tenants out of a replica with Litestream: what there is, and restoring one into a new file.
// Writes nothing to the replica, and replaces nobody's database.
import { rm } from "node:fs/promises";
import type { TenantRecord } from "../catalog/tenant-record.ts";
import { TenantryError } from "../tenantry-error.ts";
import type { LitestreamBinary } from "./litestream-binary.ts";
import { fromLitestream, isRace, LitestreamFailure, runLitestream } from "./litestream-command.ts";
import {
  chooseLine,
  LISTED_TO_MS,
  lineOf,
  type LtxFile,
  outsideRange,
  type ReplicaLine,
} from "./replica-lines.ts";
import { replicaPath, type ReplicaUrl } from "./replica-url.ts";
import type { ReplicaSource, RestorePlan } from "./restore-source.ts";

/** How often a restore begins anew whose files were compacted under it. */
export const RESTORE_ATTEMPTS = 5;

/** What {@link Replica} is made of. */
export interface ReplicaParts {
  readonly binary: LitestreamBinary;
  readonly url: ReplicaUrl;
}

/** Options of {@link Replica.restore}. */
export interface ReplicaRestoreOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * Brings what the tenant wrote up to now into the replica. @returns its last transaction; undefined where
   * nobody can. @default nobody can
   */
  readonly flush?: (() => Promise<number | undefined>) | undefined;
}

/** What a line of the replica is restored to. */
interface Target {
  readonly line: ReplicaLine;
  /** Litestream's arguments. */
  readonly args: readonly string[];
  readonly plan: RestorePlan;
}

interface DryRun {
  readonly max_txid: string;
  readonly files: readonly LtxFile[];
}

/** A replica, to be read. */
export class Replica {
  readonly #parts: ReplicaParts;

  constructor(parts: ReplicaParts) {
    this.#parts = parts;
  }

  /** For people. */
  get place(): string {
    return this.#parts.url.shown;
  }

  /** What there is of a tenant, newest line first. @throws {TenantryError} `BACKUPS_UNAVAILABLE` */
  async lines(record: TenantRecord, incarnation = record.incarnation): Promise<ReplicaLine[]> {
    const lines: ReplicaLine[] = [];
    if (incarnation === record.incarnation) {
      for (let epoch = record.backupEpoch; epoch >= 1; epoch--) {
        const line = lineOf(epoch, await this.#files(record, incarnation, epoch));
        if (line) lines.push(line);
      }
      return lines;
    }
    // Of a tenant of before the catalog no longer knows how many lines it had. They begin at 1.
    for (let epoch = 1; ; epoch++) {
      const line = lineOf(epoch, await this.#files(record, incarnation, epoch));
      if (!line) return lines.toReversed();
      lines.push(line);
    }
  }

  /**
   * What a restore would bring. @throws {TenantryError} `REPLICA_EMPTY`, `REPLICA_RANGE`, `REPLICA_DAMAGED`,
   * `BACKUPS_UNAVAILABLE`
   */
  async plan(
    record: TenantRecord,
    source: ReplicaSource,
    options: ReplicaRestoreOptions = {},
  ): Promise<RestorePlan> {
    return (await this.#retried(record, options, () => this.#target(record, source, options))).plan;
  }

  /** Restores into a new file at `to`. @throws {TenantryError} as {@link plan} does, and `DATABASE_FULL` */
  async restore(
    record: TenantRecord,
    source: ReplicaSource,
    to: string,
    options: ReplicaRestoreOptions = {},
  ): Promise<RestorePlan> {
    return this.#retried(record, options, async () => {
      const { line, args, plan } = await this.#target(record, source, options);
      const url = this.#urlOf(record, source.incarnation, line.epoch);
      await rm(to, { force: true });
      const printed = await this.#run(["restore", "-json", "-o", to, ...args, url], options);
      const { txid } = JSON.parse(printed) as { readonly txid: string };
      return { ...plan, txid };
    });
  }

  async #target(
    record: TenantRecord,
    source: ReplicaSource,
    options: ReplicaRestoreOptions,
  ): Promise<Target> {
    const { incarnation = record.incarnation, at, txid } = source;
    let lines = await this.lines(record, incarnation);
    let line = chooseLine(record, source, lines, this.place);
    let args: readonly string[] = [];
    if (txid !== undefined) {
      args = ["-txid", txid];
    } else if (at !== undefined && line !== lines[0]) {
      // Before the next line began nothing more was written to this one.
      args = at < line.to + LISTED_TO_MS ? ["-timestamp", new Date(at).toISOString()] : [];
    } else if (at !== undefined) {
      if (at >= line.to + LISTED_TO_MS) {
        await assertNothingLater(record, at, lines, options);
        lines = await this.lines(record, incarnation);
        line = chooseLine(record, source, lines, this.place);
      }
      if (at < line.to + LISTED_TO_MS) args = ["-timestamp", new Date(at).toISOString()];
    }
    const url = this.#urlOf(record, incarnation, line.epoch);
    const found = await this.#dryRun(url, args, options).catch((error: unknown) => {
      if (!(error instanceof LitestreamFailure)) throw error;
      // Within the second to which its newest moment is listed.
      if (/timestamp does not exist/.test(error.message) && at !== undefined && at >= line.to) {
        args = [];
        return this.#dryRun(url, args, options);
      }
      if (/timestamp does not exist/.test(error.message) && at !== undefined)
        throw outsideRange(record, at, lines);
      if (txid !== undefined && /no matching backup files/.test(error.message))
        throw noTransaction(record, txid, line);
      throw error;
    });
    if (at === undefined && txid === undefined && incarnation === record.incarnation) {
      assertComplete(record, line, found.max_txid);
    }
    return {
      line,
      args,
      plan: {
        kind: "replica",
        at: Math.max(...found.files.map(({ timestamp }) => Date.parse(timestamp))),
        txid: found.max_txid,
        epoch: line.epoch,
        bytes: found.files.reduce((sum, { size }) => sum + size, 0),
      },
    };
  }

  async #dryRun(url: string, args: readonly string[], options: ReplicaRestoreOptions): Promise<DryRun> {
    const none = "/nonexistent/tenantry.db";
    return JSON.parse(
      await this.#run(["restore", "-dry-run", "-json", "-o", none, ...args, url], options),
    ) as DryRun;
  }

  async #files(record: TenantRecord, incarnation: string, epoch: number): Promise<readonly LtxFile[]> {
    const url = this.#urlOf(record, incarnation, epoch);
    try {
      return JSON.parse(await this.#run(["ltx", "-level", "all", "-json", url])) as LtxFile[];
    } catch (error) {
      throw fromLitestream(error, this.#what(record));
    }
  }

  /** Retention and compaction take files away that a restore has just listed. */
  async #retried<T>(
    record: TenantRecord,
    { signal }: ReplicaRestoreOptions,
    call: () => Promise<T>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await call();
      } catch (error) {
        if (!isRace(error) || attempt === RESTORE_ATTEMPTS || signal?.aborted) {
          throw fromLitestream(error, this.#what(record));
        }
      }
    }
  }

  #run(args: readonly string[], { signal }: ReplicaRestoreOptions = {}): Promise<string> {
    return runLitestream(this.#parts.binary, args, signal);
  }

  #urlOf(record: TenantRecord, incarnation = record.incarnation, epoch = record.backupEpoch): string {
    return this.#parts.url.at(replicaPath({ ...record, incarnation, backupEpoch: epoch }));
  }

  #what({ id }: TenantRecord): string {
    return `The replica of tenant "${id}" in ${this.place}`;
  }
}

/** A moment after the newest is that of the newest, if nothing has been written since. */
async function assertNothingLater(
  record: TenantRecord,
  at: number,
  lines: readonly ReplicaLine[],
  { flush }: ReplicaRestoreOptions,
): Promise<void> {
  if (record.backupState === "clean" || (await flush?.()) !== undefined) return;
  throw outsideRange(record, at, lines, ": the tenant has been written to since, and that is not there yet");
}

/** Litestream restores what is there without a word of what has been there. */
function assertComplete(
  { id, backupTxid, backupEpoch }: TenantRecord,
  line: ReplicaLine,
  txid: string,
): void {
  const found = Number.parseInt(txid, 16);
  if (line.epoch === backupEpoch && found >= backupTxid) return;
  if (backupTxid === 0) return;
  throw new TenantryError(
    "REPLICA_DAMAGED",
    `The replica of tenant "${id}" ends at transaction ${found}, and had ${backupTxid}.`,
    {
      tenant: id,
      hint: `Files of it are gone. What is left comes back with --txid ${txid}.`,
    },
  );
}

function noTransaction({ id }: TenantRecord, txid: string, { txid: newest }: ReplicaLine): TenantryError {
  return new TenantryError("REPLICA_RANGE", `The replica of tenant "${id}" has no transaction ${txid}.`, {
    tenant: id,
    hint: `Its newest is ${newest}; older ones are merged with their neighbours after a while.`,
  });
}
