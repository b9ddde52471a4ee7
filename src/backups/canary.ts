// Owns a row that is written to a database of its own and awaited in the replica, time and again: whether backups
// work is known before a tenant needs one. Knows no tenants.
import { join } from "node:path";
import type { LocalDriver } from "../drivers/local/local-driver.ts";
import type { LocalHandle } from "../drivers/local/local-handle.ts";
import { exists } from "../drivers/local/database-file.ts";
import type { SteadyDatabase } from "./steady-database.ts";

export const DEFAULT_CANARY_MS = 10_000;

/** Milliseconds that the row may take to get there. */
const CANARY_TIMEOUT_MS = 10_000;

/** How the canary is. */
export interface CanaryState {
  /** Milliseconds that the last row took to get into the replica; null where none has arrived. */
  readonly ms: number | null;
  /** When the last one arrived, in ms since 1970; null where none has. */
  readonly arrivedAt: number | null;
  /** Why the last one did not arrive; null where it did. */
  readonly failure: string | null;
}

/** Where the canary's database is. */
export function canaryPath(dir: string): string {
  return join(dir, "canary.db");
}

/** The canary. */
export class Canary {
  readonly #handle: LocalHandle;
  readonly #database: SteadyDatabase;
  readonly #everyMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #singing: Promise<void> = Promise.resolve();
  #closed = false;
  #state: CanaryState = { ms: null, arrivedAt: null, failure: null };

  static async open(
    driver: LocalDriver,
    database: SteadyDatabase,
    everyMs = DEFAULT_CANARY_MS,
  ): Promise<Canary> {
    const handle = await driver.openFile(database.path, { create: !(await exists(database.path)) });
    await handle.exec(
      "CREATE TABLE IF NOT EXISTS canary (id INTEGER PRIMARY KEY CHECK (id = 1), at INTEGER NOT NULL) STRICT",
    );
    return new Canary(handle, database, everyMs);
  }

  /** Use {@link Canary.open}. */
  private constructor(handle: LocalHandle, database: SteadyDatabase, everyMs: number) {
    this.#handle = handle;
    this.#database = database;
    this.#everyMs = everyMs;
    this.#singIn(0);
  }

  get state(): CanaryState {
    return this.#state;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#singing;
    await this.#handle.close();
  }

  #singIn(ms: number): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#singing = this.#sing().then(
        () => this.#singIn(this.#everyMs),
        (error: unknown) => {
          const failure = error instanceof Error ? error.message : String(error);
          this.#state = { ...this.#state, failure };
          // Sooner than the next that is due: at the beginning Litestream takes a moment.
          this.#singIn(this.#everyMs / 10);
        },
      );
    }, ms);
    this.#timer.unref();
  }

  async #sing(): Promise<void> {
    const started = Date.now();
    await this.#handle.run({
      sql: "INSERT INTO canary (id, at) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at",
      params: [started],
    });
    await this.#database.sync(CANARY_TIMEOUT_MS);
    const now = Date.now();
    this.#state = { ms: now - started, arrivedAt: now, failure: null };
  }
}
