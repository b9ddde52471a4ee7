// Owns reading tenants out of a replica with Litestream: what there is, and restoring one into a new file.
// Writes nothing to the replica, and replaces nobody's database.
import { rm, stat } from "node:fs/promises";
import type { TenantRecord } from "../catalog/tenant-record.ts";
import { TenantryError } from "../tenantry-error.ts";
import type { LitestreamBinary } from "./litestream-binary.ts";
import { fromLitestream, isRace, LitestreamFailure, runLitestream } from "./litestream-command.ts";
import {
  chooseLine,
  LISTED_TO_MS,
  MAX_GAP,
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
  /** Those that were looked at, newest first. */
  readonly lines: readonly ReplicaLine[];
  /** Litestream's arguments. */
  readonly args: readonly string[];
  readonly url: string;
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
    return this.#linesUntil(record, incarnation, () => false);
  }

  /** As many of the newest lines as are needed to find one that will do: each costs a run of Litestream. */
  async #linesUntil(
    record: TenantRecord,
    incarnation: string,
    willDo: (line: ReplicaLine) => boolean,
  ): Promise<ReplicaLine[]> {
    const lines: ReplicaLine[] = [];
    if (incarnation === record.incarnation) {
      for (let epoch = record.backupEpoch; epoch >= 1; epoch--) {
        const line = lineOf(epoch, await this.#files(record, incarnation, epoch));
        if (line) lines.push(line);
        if (line && willDo(line)) break;
      }
      return lines;
    }
    // Of a tenant of before the catalog no longer knows how many lines it had. They begin at 1.
    for (let epoch = 1; epoch <= (lines.at(-1)?.epoch ?? 0) + MAX_GAP; epoch++) {
      const line = lineOf(epoch, await this.#files(record, incarnation, epoch));
      if (line) lines.push(line);
    }
    return lines.toReversed();
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
    return this.#retried(record, options, async () => {
      const target = await this.#target(record, source, options);
      const found = await this.#orNewest(record, source, target, (args) =>
        this.#dryRun(target.url, args, options),
      );
      const { incarnation = record.incarnation } = source;
      if (source.at === undefined && source.txid === undefined && incarnation === record.incarnation) {
        assertComplete(record, target.line, found.max_txid);
      }
      return {
        kind: "replica",
        at: Math.max(...found.files.map(({ timestamp }) => Date.parse(timestamp))),
        txid: found.max_txid,
        epoch: target.line.epoch,
        bytes: found.files.reduce((sum, { size }) => sum + size, 0),
      };
    });
  }

  /** Restores into a new file at `to`. @throws {TenantryError} as {@link plan} does, and `DATABASE_FULL` */
  async restore(
    record: TenantRecord,
    source: ReplicaSource,
    to: string,
    options: ReplicaRestoreOptions = {},
  ): Promise<RestorePlan> {
    return this.#retried(record, options, async () => {
      const target = await this.#target(record, source, options);
      const { line, url } = target;
      const printed = await this.#orNewest(record, source, target, (args) =>
        this.#fetch(url, args, to, options),
      );
      const { txid } = JSON.parse(printed) as { readonly txid: string };
      const { at, incarnation = record.incarnation } = source;
      if (at === undefined && source.txid === undefined && incarnation === record.incarnation) {
        assertComplete(record, line, txid);
      }
      return {
        kind: "replica",
        at: at === undefined ? line.to : Math.min(at, line.to + LISTED_TO_MS - 1),
        txid,
        epoch: line.epoch,
        bytes: (await stat(to)).size,
      };
    });
  }

  async #fetch(
    url: string,
    args: readonly string[],
    to: string,
    options: ReplicaRestoreOptions,
  ): Promise<string> {
    await rm(to, { force: true });
    return this.#run(["restore", "-json", "-o", to, ...args, url], options);
  }

  async #target(
    record: TenantRecord,
    source: ReplicaSource,
    options: ReplicaRestoreOptions,
  ): Promise<Target> {
    const { incarnation = record.incarnation, at, txid } = source;
    const find = (): Promise<ReplicaLine[]> =>
      this.#linesUntil(record, incarnation, ({ from }) => at === undefined || from <= at);
    let lines = await find();
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
        lines = await find();
        line = chooseLine(record, source, lines, this.place);
      }
      if (at < line.to + LISTED_TO_MS) args = ["-timestamp", new Date(at).toISOString()];
    }
    return { line, lines, args, url: this.#urlOf(record, incarnation, line.epoch) };
  }

  /** Runs Litestream for a target, and says what it means where there is no such moment or transaction. */
  async #orNewest<T>(
    record: TenantRecord,
    { at, txid }: ReplicaSource,
    { line, lines, args }: Target,
    call: (args: readonly string[]) => Promise<T>,
  ): Promise<T> {
    try {
      return await call(args);
    } catch (error) {
      if (!(error instanceof LitestreamFailure)) throw error;
      if (/timestamp does not exist/.test(error.message) && at !== undefined) {
        // Within the second to which its newest moment is listed.
        if (at >= line.to) return call([]);
        throw outsideRange(record, at, lines);
      }
      if (txid !== undefined && /no matching backup files/.test(error.message)) {
        throw noTransaction(record, txid, line);
      }
      throw error;
    }
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
