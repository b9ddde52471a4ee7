// Owns which tenants are being replicated: it takes in those that are marked dirty, and lets go of those whose
// last write is known to be in the replica. Starts no process, and closes no tenant's database.
import type { Catalog } from "../catalog/catalog.ts";
import type { TenantRecord, TenantState } from "../catalog/tenant-record.ts";
import type { TenantId } from "../tenant-id.ts";
import { BackgroundWorks } from "./background-works.ts";
import { logOf } from "./database-log.ts";
import { DirtyTenants } from "./dirty-tenants.ts";
import { HotSync } from "./hot-sync.ts";
import type { HotEntry, HotTenant } from "./hot-tenant.ts";
import { inParallel } from "./in-parallel.ts";
import type { LitestreamPool } from "./litestream-pool.ts";
import { RecurringLook } from "./recurring-look.ts";
import { type ReplicaUrl, replicaPath } from "./replica-url.ts";
import { ReplicatedWrites } from "./replicated-writes.ts";
import { pause, uploadMs } from "./time-limits.ts";

export const DEFAULT_MAX_HOT = 2_000;
/** Longer than an unused database stays open, so that Litestream is the last to close it, and its log stays. */
export const DEFAULT_SETTLE_IDLE_MS = 75_000;

/** Milliseconds after its last write until a tenant is brought round. */
export const DEFAULT_ROTATE_AFTER_MS = 24 * 3_600_000;

/** Milliseconds between two looks at the catalog. */
const DEFAULT_POLL_MS = 250;
/** Looks at the catalog between two looks at who is idle. */
const SETTLE_LOOKS = 4;
/** Tenants that are taken in, or let go, at once. */
const AT_ONCE = 16;
/** Tenants taken in that may be waiting for their first confirmation: more begin when those are done. */
const MAX_UNCONFIRMED = 64;
/** Failures after which a tenant does not hold up those that wait to be taken in. */
const HOLDS_UP_FAILURES = 3;
/** Milliseconds that a replica gets to take what one tenant has. */
const SYNC_TIMEOUT_MS = 10_000;
/** The same for a tenant that somebody waits to have closed: its mark stays if that is too short. */
const RELEASE_TIMEOUT_MS = 3_000;
/** Milliseconds after which a closed tenant is let go of, whatever is being done with it. */
const HELD_MS = 2_000;

/** States in which a tenant's file is Litestream's to have open. Another one's may be about to be replaced. */
const REPLICATED_STATES: ReadonlySet<TenantState> = new Set(["active", "quarantined", "migrating"]);

/** What a {@link HotSet} works on. */
export interface HotSetOptions {
  readonly catalog: Catalog;
  readonly pool: LitestreamPool;
  readonly replica: ReplicaUrl;
  /** Brings what is committed of the catalog into the replica. */
  readonly syncCatalog: (timeoutMs: number) => Promise<void>;
  /** Where a tenant's file is. */
  readonly pathOf: (id: TenantId) => string;
  /** The driver whose tenants are files. */
  readonly driver: string;
  /** Tenants replicated at once; beyond it those unused for longest are let go. @default 2000 */
  readonly maxHot?: number | undefined;
  /** Milliseconds without a write after which a tenant is let go. @default 75000 */
  readonly settleIdleMs?: number | undefined;
  /** @default 250 */
  readonly pollMs?: number | undefined;
  /** Milliseconds after it was let go until a tenant is brought round: see `cold-rotation.ts`. @default 86400000 */
  readonly rotateAfterMs?: number | undefined;
}

/** The tenants that are replicated now. */
export class HotSet {
  readonly #options: HotSetOptions;
  readonly #maxHot: number;
  readonly #settleIdleMs: number;
  readonly #settleEveryMs: number;
  readonly #hot = new Map<TenantId, HotEntry>();
  readonly #reserved = new Set<TenantId>();
  readonly #syncs: HotSync;
  readonly #works = new BackgroundWorks(AT_ONCE, (error) => (this.#workError = error));
  readonly #dirty: DirtyTenants;
  readonly #looks: RecurringLook;
  readonly #writes: ReplicatedWrites;
  #revision = -1;
  /** Whether the next look is to read the catalog again, though nothing may have changed. */
  #more = false;
  #settledAt = 0;
  #closed = false;
  #workError: unknown;

  constructor(options: HotSetOptions) {
    this.#options = options;
    this.#maxHot = options.maxHot ?? DEFAULT_MAX_HOT;
    this.#settleIdleMs = options.settleIdleMs ?? DEFAULT_SETTLE_IDLE_MS;
    const pollMs = options.pollMs ?? DEFAULT_POLL_MS;
    this.#settleEveryMs = SETTLE_LOOKS * pollMs;
    this.#looks = new RecurringLook(pollMs, () => this.#look());
    this.#syncs = new HotSync(options.pool);
    this.#dirty = new DirtyTenants({ ...options, limit: 2 * this.#maxHot });
    this.#writes = new ReplicatedWrites({
      ...options,
      syncs: this.#syncs,
      entryOf: (id) => this.#hot.get(id),
      look: () => this.#looks.now(),
    });
  }

  /** Tenants that are replicated now. */
  get tenants(): IterableIterator<HotTenant> {
    return this.#hot.values();
  }

  /**
   * Keeps a tenant from being taken in while somebody else has Litestream work on its file.
   * @returns what ends that; undefined where it is replicated, or being reserved
   */
  reserve({ id }: TenantRecord): (() => void) | undefined {
    if (this.#closed || this.#hot.has(id) || this.#reserved.has(id)) return undefined;
    this.#reserved.add(id);
    return () => {
      this.#reserved.delete(id);
      // Who was marked meanwhile was passed over.
      this.#revision = -1;
    };
  }

  /** Tenants marked dirty when the catalog was last read, up to twice `maxHot`. */
  get dirty(): number {
    return this.#dirty.count;
  }

  /** Tenants that are closed with writes that may not be in the replica, as of the same time. */
  get stranded(): number {
    return this.#dirty.stranded;
  }

  /** What went wrong at the last look, or in what it began; undefined where nothing did. */
  get lastError(): unknown {
    return this.#looks.lastError ?? this.#workError;
  }

  /** The tenant if it is replicated now. */
  get(id: TenantId): HotTenant | undefined {
    return this.#hot.get(id);
  }

  /** Begins. What a server that was killed left half-way is dirty again. */
  async start(): Promise<void> {
    const { backups } = this.#options.catalog;
    for (;;) {
      const half = await backups.list("settling", 1_000);
      if (half.length === 0) break;
      await Promise.all(half.map(({ id }) => backups.markDirty(id)));
    }
    this.#looks.now();
  }

  /**
   * Waits until what is committed of a tenant now is in the replica; callers at the same time share a sync.
   * @returns the number of the last transaction there
   * @throws where that could not be done in `timeoutMs`
   */
  replicated(id: TenantId, timeoutMs: number): Promise<number> {
    return this.#writes.wait(id, timeoutMs);
  }

  /** Lets go of a tenant that has been closed, and waits until that is done: its mark says what came of it. */
  async release(id: TenantId): Promise<void> {
    for (let entry = this.#hot.get(id); entry; entry = this.#hot.get(id)) {
      if (!entry.busy) return this.#letGo(entry, RELEASE_TIMEOUT_MS, true);
      await pause(5);
    }
  }

  /** Stops, and lets go of nothing: for when it is not ours any more. */
  async stop(): Promise<void> {
    this.#closed = true;
    await this.#looks.stop();
  }

  /** Lets go of all tenants within `graceMs`: those whose writes are in the replica become clean. */
  async close(graceMs: number): Promise<void> {
    // Stopped before: what it has is not its own any more.
    if (this.#closed) return;
    await this.stop();
    const deadline = performance.now() + graceMs;
    // What was written last may not have been taken in yet.
    await Promise.race([this.#takeInTheLast(), pause(graceMs)]);
    const free = [...this.#hot.values()].filter(({ busy }) => !busy);
    await inParallel(AT_ONCE, free, async (entry) => {
      const leftMs = deadline - performance.now();
      if (leftMs > 0) await this.#letGo(entry, leftMs, true);
    });
  }

  async #takeInTheLast(): Promise<void> {
    await this.#works.ended();
    await this.#findDirty();
    const unconfirmed = this.#free(({ confirmed }) => !confirmed);
    await inParallel(AT_ONCE, unconfirmed, (entry) => this.#confirm(entry));
  }

  async #look(): Promise<void> {
    const { revision } = this.#options.catalog;
    this.#workError = undefined;
    if (revision !== this.#revision) {
      await this.#findStopped();
      await this.#findDirty();
      // Only now: what failed above is done again.
      this.#revision = this.#more ? -1 : revision;
    }
    // Not while those that are written to need the room.
    if (this.#hot.size <= this.#maxHot / 2) await this.#dirty.markSeeds();
    const now = Date.now();
    const due = this.#free(
      ({ confirmed, failures, retryAt }) => (!confirmed || failures > 0) && retryAt <= now,
    );
    this.#inBackground("confirming", due, (entry) => this.#confirm(entry));
    if (now - this.#settledAt < this.#settleEveryMs) return;
    this.#settledAt = now;
    this.#inBackground(
      "settling",
      this.#free(({ confirmed, failures }) => confirmed && failures === 0),
      async (entry) => {
        if (await this.#isIdle(entry, now)) await this.#letGo(entry, SYNC_TIMEOUT_MS);
      },
    );
  }

  #free(which: (entry: HotEntry) => boolean): HotEntry[] {
    return [...this.#hot.values()].filter((entry) => !entry.busy && which(entry));
  }

  /** Works on several in the background, each unless something else is being done with it by then. */
  #inBackground(what: string, entries: readonly HotEntry[], work: (entry: HotEntry) => Promise<void>): void {
    this.#works.begin(what, entries, async (entry) => {
      if (!entry.busy && !this.#closed) await work(entry);
    });
  }

  /** Of tenants that are closed, or begin a new line, Litestream must let go, or nobody can work on their files. */
  async #findStopped(): Promise<void> {
    this.#more = false;
    if (this.#hot.size === 0) return;
    const records = await this.#options.catalog.getMany([...this.#hot.keys()]);
    const stopped = [...this.#hot.values()].filter((entry) => {
      const now = records.get(entry.record.id);
      if (now?.incarnation !== entry.record.incarnation || now.backupEpoch !== entry.record.backupEpoch) {
        return true;
      }
      entry.record = now;
      return !REPLICATED_STATES.has(now.state);
    });
    this.#inBackground(
      "letting go",
      stopped.filter(({ busy }) => !busy),
      (entry) => this.#letGo(entry, RELEASE_TIMEOUT_MS, true),
    );
    // A replica that is away must not keep a tenant from being closed.
    const now = Date.now();
    for (const entry of stopped) entry.stoppedAt ||= now;
    const held = stopped.filter(({ busy, stoppedAt }) => busy && now - stoppedAt > HELD_MS);
    await inParallel(AT_ONCE, held, (entry) => this.#drop(entry));
    this.#more = stopped.length > 0;
  }

  async #findDirty(): Promise<void> {
    const dirty = await this.#dirty.read();
    const fresh = dirty.filter((record) => !this.#hot.has(record.id) && this.#isReplicated(record));
    const tooMany = fresh.length + this.#hot.size - this.#maxHot;
    if (tooMany > 0) this.#makeRoom(tooMany);
    const waiting = this.#free(
      ({ confirmed, failures }) => !confirmed && failures < HOLDS_UP_FAILURES,
    ).length;
    const room = Math.max(0, Math.min(this.#maxHot - this.#hot.size, MAX_UNCONFIRMED - waiting));
    await inParallel(AT_ONCE, fresh.slice(0, room), (record) => this.#takeIn(record));
    // The rest when those have been confirmed, which changes nothing in the catalog.
    this.#more ||= fresh.length > room;
  }

  #isReplicated(record: TenantRecord): boolean {
    // A file that is in the replica alone has nothing new to be sent there.
    if (record.awaySince !== null) return false;
    return (
      record.driver === this.#options.driver &&
      REPLICATED_STATES.has(record.state) &&
      !this.#reserved.has(record.id)
    );
  }

  async #takeIn(record: TenantRecord): Promise<void> {
    const { replica, pathOf } = this.#options;
    const path = pathOf(record.id);
    const log = await logOf(path);
    // A file that is gone is for the doctor to find; Litestream would wait for it.
    if (log === undefined) return;
    this.#hot.set(record.id, {
      record,
      path,
      url: replica.at(replicaPath(record)),
      since: Date.now(),
      registered: false,
      confirmed: false,
      failures: 0,
      lastFailure: undefined,
      ahead: false,
      retryAt: 0,
      wroteAt: log.wroteAt,
      seen: "",
      catalogued: false,
      busy: false,
      stoppedAt: 0,
    });
  }

  /** Has Litestream take a tenant in, and waits until the replica has it. What goes wrong is noted in the entry. */
  async #confirm(entry: HotEntry): Promise<void> {
    entry.busy = true;
    try {
      const first = !entry.confirmed;
      await this.#options.pool.register(entry.path, entry.url);
      if (this.#hot.get(entry.record.id) !== entry) return await this.#drop(entry);
      entry.registered = true;
      // The first time all of it may have to go there, and what is broken off begins anew.
      await this.#syncs.sync(entry, SYNC_TIMEOUT_MS + (first ? uploadMs(entry.record) : 0));
      if (first) entry.seen = (await logOf(entry.path))?.mark ?? "";
    } catch (error) {
      if (!entry.registered) this.#syncs.failed(entry, error);
    } finally {
      entry.busy = false;
    }
  }

  async #isIdle(entry: HotEntry, now: number): Promise<boolean> {
    const log = await logOf(entry.path);
    if (log && log.mark !== entry.seen) {
      entry.seen = log.mark;
      entry.wroteAt = log.wroteAt;
    }
    return now - entry.wroteAt >= this.#settleIdleMs;
  }

  /** Those that have not been written to for longest go, though they are not idle yet. */
  #makeRoom(count: number): void {
    const oldest = this.#free(({ confirmed, failures }) => confirmed && failures === 0)
      .toSorted((a, b) => a.wroteAt - b.wroteAt)
      .slice(0, count);
    this.#inBackground("making room", oldest, (entry) => this.#letGo(entry, RELEASE_TIMEOUT_MS));
  }

  /**
   * Lets go of a tenant. It becomes clean if all that was committed before is in the replica, and nobody has
   * written since: a writer that comes between makes the last step fail (decisions/100).
   * @param must whether it goes even if it is not clean, because somebody waits to have its file
   */
  async #letGo(entry: HotEntry, timeoutMs: number, must = false): Promise<void> {
    const { backups } = this.#options.catalog;
    const { record } = entry;
    entry.busy = true;
    try {
      if (await backups.settle(record)) {
        try {
          const txid = await this.#syncs.sync(entry, timeoutMs);
          const dueAt = Date.now() + (this.#options.rotateAfterMs ?? DEFAULT_ROTATE_AFTER_MS);
          if (!(await backups.clean(record, txid, dueAt)) && !must) return;
        } catch {
          // Why is noted in the entry; it is tried again.
          await backups.markDirty(record.id);
          if (!must) return;
        }
      }
      await this.#drop(entry, timeoutMs);
    } finally {
      entry.busy = false;
    }
  }

  /** Has Litestream let go of a tenant. */
  async #drop(entry: HotEntry, timeoutMs = RELEASE_TIMEOUT_MS): Promise<void> {
    const { catalog, pool } = this.#options;
    const { id } = entry.record;
    if (this.#hot.get(id) === entry) this.#hot.delete(id);
    await pool.unregister(entry.path, timeoutMs).catch(async () => {
      // It has let go of it before its last upload: the tenant comes back, and is looked at once more.
      await catalog.backups.markDirty(id);
    });
  }
}
