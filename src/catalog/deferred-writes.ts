// Owns what need not be on disk at once: times, sizes, and which tenants have been migrated. It gathers them,
// the newest of each row, and writes them together. Does not know the other columns.
import type { SqlRunner, Statement } from "../drivers/driver.ts";
import type { TenantId } from "../tenant-id.ts";
import type { TenantRecord } from "./tenant-record.ts";

/**
 * Rows that one statement writes. Among a million tenants a row costs up to 70 µs, in which the event loop
 * stands still, and a commit about two rows.
 */
const MAX_ROWS_PER_WRITE = 250;

/** Milliseconds after which migrated tenants are recorded: whoever asks who is behind should be told soon. */
const MIGRATED_FLUSH_MS = 250;

/** What a use of a tenant leaves behind. */
export interface TenantTouch {
  /** Milliseconds since 1970. */
  readonly openedAt?: number;
  readonly sizeBytes?: number;
}

/** What schema a tenant has. */
export interface TenantSchema {
  /** The newest migration applied, by name; empty for none. */
  readonly version: string;
  readonly hash: string;
}

/** What {@link DeferredWrites} is made with. */
export interface DeferredWritesOptions {
  readonly db: SqlRunner;
  readonly clock: () => number;
  /** Milliseconds after the first touch at which all are written. */
  readonly flushMs: number;
  /** Whether timers flush. Without them whoever asks {@link DeferredWrites.due} does. */
  readonly timers: boolean;
  /** Called with what has been written of a tenant. */
  readonly onWritten: (id: TenantId, written: Partial<TenantRecord>) => void;
}

const TOUCHED_SQL = `
UPDATE tenants SET
  opened_at = coalesce(touched.value ->> 'openedAt', opened_at),
  size_bytes = coalesce(touched.value ->> 'sizeBytes', size_bytes)
FROM json_each(?) AS touched
WHERE tenants.id = touched.value ->> 'id' AND state <> 'deleted'`;

const MIGRATED_SQL = `
UPDATE tenants SET
  schema_version = migrated.value ->> 'version', schema_hash = migrated.value ->> 'hash', updated_at = ?
FROM json_each(?) AS migrated
WHERE tenants.id = migrated.value ->> 'id' AND state <> 'deleted'`;

const USED_SQL = `
UPDATE api_keys SET last_used_at = used.value
FROM json_each(?) AS used
WHERE api_keys.id = used.key`;

/** Writes that wait. A crash loses those that have not been flushed: none of them is needed to be right. */
export class DeferredWrites {
  readonly #options: DeferredWritesOptions;
  readonly #touched = new Map<TenantId, TenantTouch>();
  readonly #migrated = new Map<TenantId, TenantSchema>();
  readonly #used = new Map<string, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #dueAt = Infinity;
  #flushing: Promise<void> | undefined;
  #failures = 0;
  #lastError: unknown;

  constructor(options: DeferredWritesOptions) {
    this.#options = options;
  }

  /** Rows that wait. */
  get pending(): number {
    return this.#touched.size + this.#migrated.size + this.#used.size;
  }

  /** Whether something waits that should have been written by now. */
  get due(): boolean {
    return performance.now() >= this.#dueAt;
  }

  /** Flushes that failed in the background since the last that did not. */
  get failures(): number {
    return this.#failures;
  }

  /** Why the last flush in the background failed. */
  get lastError(): unknown {
    return this.#lastError;
  }

  touch(id: TenantId, touch: TenantTouch): void {
    const waiting = this.#touched.get(id);
    this.#touched.set(id, waiting ? { ...waiting, ...touch } : touch);
    this.#flushWithin(this.#options.flushMs);
  }

  migrated(ids: Iterable<TenantId>, schema: TenantSchema): void {
    for (const id of ids) this.#migrated.set(id, schema);
    const { timers } = this.#options;
    if (timers && this.#migrated.size >= MAX_ROWS_PER_WRITE && this.#failures === 0 && !this.#flushing)
      this.#flushInBackground();
    else this.#flushWithin(Math.min(MIGRATED_FLUSH_MS, this.#options.flushMs));
  }

  used(keyId: string, at: number): void {
    this.#used.set(keyId, at);
    this.#flushWithin(this.#options.flushMs);
  }

  /** Forgets what waits for a tenant that has been deleted or is made anew. */
  forget(id: TenantId): void {
    this.#touched.delete(id);
    this.#migrated.delete(id);
  }

  /** Writes all that waits. What could not be written waits on. @throws the write's error */
  async flush(): Promise<void> {
    // A flush that its request gave up would be waited for by all later ones.
    if (!this.#options.timers) return this.#writeAll();
    // One that runs has not taken what came after its beginning; whoever began it hears of its failure.
    await this.#flushing?.catch(() => {});
    await this.#flush();
  }

  #flush(): Promise<void> {
    this.#flushing ??= this.#writeAll().finally(() => {
      this.#flushing = undefined;
      if (this.pending > 0) this.#flushWithin(this.#options.flushMs);
    });
    return this.#flushing;
  }

  #flushInBackground(): void {
    this.#flush().catch((error: unknown) => {
      // Nothing is lost: all of it waits for the next flush, and the failures are counted.
      this.#failures++;
      this.#lastError = error;
    });
  }

  #flushWithin(ms: number): void {
    const dueAt = performance.now() + ms;
    if (dueAt >= this.#dueAt || this.#flushing) return;
    clearTimeout(this.#timer);
    this.#dueAt = dueAt;
    if (!this.#options.timers) return;
    this.#timer = setTimeout(() => this.#flushInBackground(), ms);
    // A timer is an object in Node, where it must not keep the process alive, and a number elsewhere.
    if (typeof this.#timer === "object") this.#timer.unref();
  }

  async #writeAll(): Promise<void> {
    clearTimeout(this.#timer);
    this.#dueAt = Infinity;
    // Only what waits now: under load more keeps coming, and is for the next flush.
    const most = Math.max(this.#touched.size, this.#migrated.size, this.#used.size);
    for (let written = 0; written < most; written += MAX_ROWS_PER_WRITE) await this.#writeSome();
    this.#failures = 0;
    this.#lastError = undefined;
  }

  async #writeSome(): Promise<void> {
    const { db, clock, onWritten } = this.#options;
    const updatedAt = clock();
    const touched = take(this.#touched);
    const migrated = take(this.#migrated);
    const used = take(this.#used);
    const statements: Statement[] = [];
    if (touched.length > 0) {
      const rows = touched.map(([id, touch]) => ({ id, ...touch }));
      statements.push({ sql: TOUCHED_SQL, params: [JSON.stringify(rows)] });
    }
    if (migrated.length > 0) {
      const rows = migrated.map(([id, schema]) => ({ id, ...schema }));
      statements.push({ sql: MIGRATED_SQL, params: [updatedAt, JSON.stringify(rows)] });
    }
    if (used.length > 0) {
      statements.push({ sql: USED_SQL, params: [JSON.stringify(Object.fromEntries(used))] });
    }
    if (statements.length === 0) return;
    try {
      await db.batch(statements);
    } catch (error) {
      // What came meanwhile is newer than what comes back.
      for (const [id, touch] of touched) this.#touched.set(id, { ...touch, ...this.#touched.get(id) });
      for (const [id, schema] of migrated) if (!this.#migrated.has(id)) this.#migrated.set(id, schema);
      for (const [id, at] of used) if (!this.#used.has(id)) this.#used.set(id, at);
      throw error;
    }
    for (const [id, touch] of touched) onWritten(id, touch);
    for (const [id, { version, hash }] of migrated) {
      onWritten(id, { schemaVersion: version, schemaHash: hash, updatedAt });
    }
  }
}

function take<Key, Value>(waiting: Map<Key, Value>): [Key, Value][] {
  const taken: [Key, Value][] = [];
  for (const entry of waiting) {
    if (taken.length === MAX_ROWS_PER_WRITE) break;
    taken.push(entry);
    waiting.delete(entry[0]);
  }
  return taken;
}
