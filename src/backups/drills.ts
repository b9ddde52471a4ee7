// Owns drills: restoring tenants from the replica for no other reason than to see that it works, and comparing
// every table with the live database of the same transaction. Replaces nothing.
import { hash } from "node:crypto";
import type { TenantRecord } from "../catalog/tenant-record.ts";
import { type TableDigest, tableDigests } from "../database/table-digest.ts";
import type { DatabaseFiles, Handle, Session } from "../drivers/driver.ts";
import type { TenantId } from "../tenant-id.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import type { Act } from "../tenants/acts.ts";
import type { Tenants } from "../tenants/tenants.ts";
import { findTenant } from "../tenants/find-tenant.ts";
import { unknownTenant } from "../tenants/tenant-errors.ts";
import type { FileExaminer } from "./file-examiner.ts";
import type { Replica } from "./replica.ts";
import { workThrough } from "./work-through.ts";

export const DEFAULT_DRILL_CONCURRENCY = 2;

/** How often a comparison is begun anew when the tenant was written to in its midst. */
const ATTEMPTS = 3;
/** Milliseconds for which a drill may hold a tenant's writers up, while what they wrote goes to the replica. */
const PIN_TIMEOUT_MS = 10_000;

/** What {@link Drills} is made of. */
export interface DrillsParts {
  readonly tenants: Tenants;
  /** The driver whose tenants are files. */
  readonly driver: string;
  readonly files: DatabaseFiles;
  readonly examiner: FileExaminer;
  /** @throws {TenantryError} `BACKUPS_UNAVAILABLE` */
  readonly replica: () => Promise<Replica>;
  /** Brings what a tenant wrote up to now into the replica. @returns its last transaction; undefined where nobody can */
  readonly flush: (record: TenantRecord) => Promise<number | undefined>;
}

/** Which tenants: exactly one of them. */
export interface DrillChoice {
  /** So many, at random. */
  readonly sample?: number | undefined;
  /** So many, the largest. */
  readonly largest?: number | undefined;
  readonly all?: boolean | undefined;
  /** These. */
  readonly tenants?: readonly TenantId[] | undefined;
}

/** Options of {@link Drills.run}. */
export interface DrillOptions extends DrillChoice, Act {
  /** @default 2 */
  readonly concurrency?: number;
  readonly onProgress?: (progress: {
    readonly done: number;
    readonly total: number;
    readonly failed: number;
  }) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What a drill of one tenant showed. */
export interface DrillResult {
  readonly tenant: TenantId;
  /**
   * `skipped`: its last writes are not in the replica, and nobody here could bring them there; or its database is no
   * file here to be compared with.
   */
  readonly outcome: "passed" | "failed" | "skipped";
  /** What was wrong, or why it was skipped. */
  readonly problem: string | null;
  readonly txid: number | null;
  readonly tables: number;
  readonly rows: number;
  readonly bytes: number;
  /** Milliseconds that the restore took, with its check. */
  readonly restoreMs: number;
}

/** What {@link Drills.run} did. */
export interface DrillRun {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly results: readonly DrillResult[];
}

interface Live {
  readonly txid: number;
  readonly digests: ReadonlyMap<string, TableDigest>;
}

const sha256 = (bytes: Uint8Array): Uint8Array => hash("sha256", bytes, "buffer");

/** Tries restores out. */
export class Drills {
  readonly #parts: DrillsParts;

  constructor(parts: DrillsParts) {
    this.#parts = parts;
  }

  /**
   * Drills the chosen tenants, past failures; result and time are noted in the catalog.
   * @throws {TenantryError} `BACKUPS_UNAVAILABLE` where there is no replica at all, `TENANT_NOT_FOUND`
   */
  async run({
    actor,
    concurrency = DEFAULT_DRILL_CONCURRENCY,
    onProgress,
    signal,
    ...choice
  }: DrillOptions): Promise<DrillRun> {
    const { catalog } = this.#parts.tenants;
    await this.#parts.replica();
    const chosen = await this.#choose(choice);
    const results: DrillResult[] = [];
    const count = (outcome: DrillResult["outcome"]): number =>
      results.filter((result) => result.outcome === outcome).length;
    await workThrough(chosen, {
      concurrency,
      signal,
      work: async (record) => {
        const result = await this.#drill(record, signal);
        results.push(result);
        if (result.outcome !== "skipped") await catalog.backups.verified(record, result.problem);
        onProgress?.({ done: results.length, total: chosen.length, failed: count("failed") });
      },
    });
    const counts = { passed: count("passed"), failed: count("failed"), skipped: count("skipped") };
    await catalog.audit({ actor: actor ?? "system", action: "backups.verify", detail: counts });
    return { ...counts, results };
  }

  async #drill(record: TenantRecord, signal: AbortSignal | undefined): Promise<DrillResult> {
    const { examiner, files, replica } = this.#parts;
    const found = { txid: null as number | null, tables: 0, rows: 0, bytes: 0, restoreMs: 0 };
    const ended = (outcome: DrillResult["outcome"], problem: string | null): DrillResult => ({
      tenant: record.id,
      outcome,
      problem,
      ...found,
    });
    if (record.driver !== this.#parts.driver) return ended("skipped", `${record.driver} keeps its database.`);
    if (record.awaySince !== null) return ended("skipped", "Its file is in the replica alone.");
    let difference: string | undefined;
    try {
      for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
        const live = await this.#live(record);
        if (!live) continue;
        found.txid = live.txid;
        const started = performance.now();
        await using scratch = await files.scratch();
        const txid = live.txid.toString(16).padStart(16, "0");
        await (await replica()).restore(record, { kind: "replica", txid }, scratch.path, { signal });
        const { digests, sizeBytes } = await examiner.examine({
          path: scratch.path,
          check: true,
          digests: true,
        });
        found.restoreMs = performance.now() - started;
        found.bytes = sizeBytes;
        found.tables = digests.length;
        found.rows = digests.reduce((sum, { rows }) => sum + rows, 0);
        difference = compare(live.digests, digests);
        if (difference === undefined) return ended("passed", null);
        // A write that is not marked yet looks the same, once; damage does every time.
      }
    } catch (error) {
      if (!isTenantryError(error) || error.code === "CLOSED") throw error;
      if (error.code === "TENANT_NOT_FOUND" || error.code === "TENANT_STATE")
        return ended("skipped", error.message);
      return ended("failed", error.message);
    }
    return difference === undefined
      ? ended("skipped", "Its last writes are not in the replica yet.")
      : ended("failed", difference);
  }

  /** The live content, and the transaction that it is; undefined where the two cannot be told of one moment. */
  async #live(record: TenantRecord): Promise<Live | undefined> {
    const { catalog } = this.#parts.tenants;
    const now = await catalog.get(record.id, { fresh: true });
    if (now?.incarnation !== record.incarnation) throw unknownTenant(record.id);
    return this.#parts.tenants.visit(now, async (handle) => {
      const session = await handle.session();
      try {
        const txid = (await this.#pinClean(now, session)) ?? (await this.#pinFlushed(now, handle, session));
        if (txid === undefined) return undefined;
        const digests = new Map<string, TableDigest>();
        for await (const one of tableDigests(session, { sha256 })) digests.set(one.table, one);
        return { txid, digests };
      } finally {
        await session.close();
      }
    });
  }

  /** Nobody has written since its last transaction was found in the replica. */
  async #pinClean(record: TenantRecord, session: Session): Promise<number | undefined> {
    if (record.backupState !== "clean") return undefined;
    await pin(session);
    const now = await this.#parts.tenants.catalog.get(record.id, { fresh: true });
    const unchanged =
      now?.backupState === "clean" &&
      now.backupTxid === record.backupTxid &&
      now.backupEpoch === record.backupEpoch;
    if (unchanged) return record.backupTxid;
    await session.run({ sql: "ROLLBACK", params: [] });
    return undefined;
  }

  /** Writers wait until what they wrote is in the replica and the moment is pinned; then they go on. */
  async #pinFlushed(record: TenantRecord, handle: Handle, session: Session): Promise<number | undefined> {
    return handle.transaction(
      "write",
      async () => {
        const txid = await this.#parts.flush(record);
        if (txid !== undefined) await pin(session);
        return txid;
      },
      { timeoutMs: PIN_TIMEOUT_MS },
    );
  }

  async #choose({ sample, largest, all, tenants }: DrillChoice): Promise<readonly TenantRecord[]> {
    const { catalog } = this.#parts.tenants;
    if (tenants) {
      return Promise.all(tenants.map((id) => findTenant(catalog, id)));
    }
    const limit = all ? Number.POSITIVE_INFINITY : (largest ?? sample ?? 0);
    if (!(limit >= 1)) {
      throw new TenantryError("INVALID_ARGUMENT", "It is not said which tenants are to be verified.", {
        hint: "Name some, or how many: a sample, the largest, or all.",
      });
    }
    const chosen: TenantRecord[] = [];
    let seen = 0;
    for await (const record of catalog.iterate({ state: ["active", "suspended", "quarantined"] })) {
      // What was never replicated cannot be restored, and what is away has nothing to be compared with.
      if (record.driver !== this.#parts.driver || record.backupState === "none" || record.awaySince !== null)
        continue;
      seen++;
      if (chosen.length < limit) chosen.push(record);
      else if (largest !== undefined) {
        const least = chosen.reduce(
          (at, one, i) => (one.sizeBytes < (chosen[at]?.sizeBytes ?? 0) ? i : at),
          0,
        );
        if (record.sizeBytes > (chosen[least]?.sizeBytes ?? 0)) chosen[least] = record;
      } else {
        const at = Math.floor(Math.random() * seen);
        if (at < limit) chosen[at] = record;
      }
    }
    return chosen;
  }
}

/** Begins a transaction that sees this moment, and none after it. */
async function pin(session: Session): Promise<void> {
  await session.run({ sql: "BEGIN", params: [] });
  await session.run({ sql: "SELECT 1 FROM sqlite_schema LIMIT 1", params: [] });
}

/** In what the restored database differs, in words; undefined where it is the same. */
function compare(live: Live["digests"], restored: readonly TableDigest[]): string | undefined {
  const there = new Map(restored.map((one) => [one.table, one]));
  for (const { table, rows, digest } of live.values()) {
    const found = there.get(table);
    if (!found) return `The table ${table} is not in what came back.`;
    if (found.rows !== rows) return `The table ${table} came back with ${found.rows} rows; it has ${rows}.`;
    if (found.digest !== digest) return `The table ${table} came back with other content than it has.`;
  }
  const extra = restored.find(({ table }) => !live.has(table));
  return extra && `The table ${extra.table} came back, and is not in the live database.`;
}
