// Owns bringing round the tenants that nobody writes to: Litestream compacts, copies and cleans up only what it has.
// Takes one at a time, and none that the hot set has.
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Catalog } from "../catalog/catalog.ts";
import type { TenantRecord } from "../catalog/tenant-record.ts";
import type { TenantId } from "../tenant-id.ts";
import type { HotSet } from "./hot-set.ts";
import { litestreamEnv } from "./litestream-binary.ts";
import { DEFAULT_RETENTION_HOURS } from "./litestream-config.ts";
import { type ReplicaUrl, replicaPath } from "./replica-url.ts";

/** Milliseconds between two tenants: at most one a second, which is 86,000 a day. */
export const DEFAULT_ROTATE_EVERY_MS = 1_000;

/** Milliseconds until the catalog is asked again when nobody was due. */
const IDLE_MS = 60_000;
/** Milliseconds that one tenant may take. */
const TIMEOUT_MS = 300_000;
/** Milliseconds until one that failed is tried again. */
const RETRY_MS = 3_600_000;
const HOUR_MS = 3_600_000;

/** What a {@link ColdRotation} works on. */
export interface ColdRotationOptions {
  readonly catalog: Catalog;
  readonly hot: HotSet;
  readonly replica: ReplicaUrl;
  /** Litestream's program. */
  readonly binary: string;
  readonly pathOf: (id: TenantId) => string;
  /** Hours for which every second can be brought back. @default 168 */
  readonly retentionHours?: number | undefined;
  /** @default 1000 */
  readonly rotateEveryMs?: number | undefined;
}

const run = promisify(execFile);

/** Brings cold tenants round, one after the other, for as long as it is not closed. */
export class ColdRotation {
  readonly #options: ColdRotationOptions;
  readonly #end = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #working: Promise<void> = Promise.resolve();
  #rotated = 0;
  #failures = 0;

  constructor(options: ColdRotationOptions) {
    this.#options = options;
    this.#workIn(options.rotateEveryMs ?? DEFAULT_ROTATE_EVERY_MS);
  }

  /** Tenants that were brought round since the start, and how often that failed. */
  stats(): { readonly rotated: number; readonly failures: number } {
    return { rotated: this.#rotated, failures: this.#failures };
  }

  /** Stops; what is under way is given up, and done again. */
  async close(): Promise<void> {
    this.#end.abort();
    clearTimeout(this.#timer);
    await this.#working;
  }

  #workIn(ms: number): void {
    if (this.#end.signal.aborted) return;
    this.#timer = setTimeout(() => {
      const everyMs = this.#options.rotateEveryMs ?? DEFAULT_ROTATE_EVERY_MS;
      this.#working = this.#next().then(
        (found) => this.#workIn(found ? everyMs : Math.min(IDLE_MS, 60 * everyMs)),
        () => {
          this.#failures++;
          this.#workIn(IDLE_MS);
        },
      );
    }, ms);
    this.#timer.unref();
  }

  /** @returns whether anybody was due */
  async #next(): Promise<boolean> {
    const { catalog, hot } = this.#options;
    const [record] = await catalog.backups.due(1, Date.now());
    if (!record) return false;
    const release = hot.reserve(record);
    // Somebody writes to it just now: it is due again when it is let go.
    if (!release) {
      await catalog.backups.setDue(record, null);
      return true;
    }
    try {
      await this.#rotate(record);
      this.#rotated++;
      await catalog.backups.setDue(record, this.#dueAgain(record));
    } catch {
      if (this.#end.signal.aborted) return false;
      this.#failures++;
      await catalog.backups.setDue(record, Date.now() + RETRY_MS);
    } finally {
      release();
    }
    return true;
  }

  /** Once more when all of its history but the copy is too old to be kept, and never after that. */
  #dueAgain({ backupSettledAt }: TenantRecord): number | null {
    const { retentionHours = DEFAULT_RETENTION_HOURS } = this.#options;
    const at = (backupSettledAt ?? 0) + (retentionHours + 1) * HOUR_MS;
    return at > Date.now() ? at : null;
  }

  async #rotate(record: TenantRecord): Promise<void> {
    const { replica, pathOf, binary, retentionHours = DEFAULT_RETENTION_HOURS } = this.#options;
    const dir = await mkdtemp(join(tmpdir(), "tenantry-ls-"));
    try {
      const config = join(dir, "litestream.yml");
      // A file, for arguments can be read by everybody on the machine.
      const text = JSON.stringify({
        snapshot: { retention: `${retentionHours}h` },
        "shutdown-sync-timeout": "2s",
        logging: { level: "error", stderr: true },
        dbs: [{ path: pathOf(record.id), replica: { url: replica.at(replicaPath(record)) } }],
      });
      await writeFile(config, text, { mode: 0o600 });
      const args = ["replicate", "-once", "-force-snapshot", "-enforce-retention"];
      await run(binary, [...args, "-config", config, "-no-expand-env"], {
        timeout: TIMEOUT_MS,
        signal: this.#end.signal,
        env: litestreamEnv(),
      });
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  }
}
