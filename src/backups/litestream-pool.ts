// Owns the Litestream processes: how many there are, which database is whose, and their figures.
// Does not decide which databases are replicated, nor when they are in step.
import type { SyncAnswer } from "./litestream-client.ts";
import { LitestreamPlace, type LitestreamPlaceOptions } from "./litestream-place.ts";

export const DEFAULT_MAX_DATABASES_PER_PROCESS = 500;

/** Milliseconds between two comparisons of what the processes have with what they are to have. */
const RECONCILE_MS = 2_000;

/** What happens to Litestream. */
export type LitestreamEvent =
  | { readonly what: "litestream-started"; readonly pid: number }
  | { readonly what: "litestream-ended"; readonly pid: number; readonly why: string }
  | { readonly what: "litestream-said"; readonly line: string };

/** What a {@link LitestreamPool} is made with. */
export interface LitestreamPoolOptions extends LitestreamPlaceOptions {
  /** Databases of one process, at least 1. @default 500 */
  readonly maxDatabasesPerProcess?: number | undefined;
  readonly onEvent?: ((event: LitestreamEvent) => void) | undefined;
}

/** Replicates databases, each in one of a few processes. */
export class LitestreamPool {
  readonly #options: LitestreamPoolOptions;
  readonly #max: number;
  readonly #places: LitestreamPlace[] = [];
  readonly #placeOf = new Map<string, LitestreamPlace>();
  readonly #timer: ReturnType<typeof setInterval>;
  #reconciling = false;
  #restarts = 0;
  #failures = 0;
  #closing: Promise<void> | undefined;

  constructor(options: LitestreamPoolOptions) {
    this.#options = options;
    this.#max = options.maxDatabasesPerProcess ?? DEFAULT_MAX_DATABASES_PER_PROCESS;
    this.#timer = setInterval(() => void this.#reconcile(), RECONCILE_MS);
    this.#timer.unref();
  }

  /** Has `path` replicated to `url` from now on, also past restarts. @throws where it is not yet */
  async register(path: string, url: string): Promise<void> {
    if (this.#closing) throw new Error("The replication is ending.");
    const place = this.#placeOf.get(path) ?? this.#choose();
    this.#placeOf.set(path, place);
    // Named before the first wait, so that the place counts it.
    place.wanted.set(path, url);
    await place.start();
    await place.register(path, url);
  }

  /** Replicates `path` no longer. @throws where its last transactions may not have been uploaded */
  async unregister(path: string, timeoutMs: number): Promise<void> {
    const place = this.#placeOf.get(path);
    this.#placeOf.delete(path);
    await place?.unregister(path, timeoutMs);
  }

  /** Brings what is committed in `path` now into its replica. @throws where that did not work */
  async sync(path: string, timeoutMs: number): Promise<SyncAnswer> {
    const place = this.#placeOf.get(path);
    if (!place) throw new Error("The database is not being replicated.");
    try {
      const answer = await place.client.sync(path, timeoutMs);
      place.syncedAt.set(path, Date.now());
      return answer;
    } catch (error) {
      this.#failures++;
      throw error;
    }
  }

  /** When `path` and its replica last agreed, in ms since 1970, as far as is known; 0 for never. */
  syncedAt(path: string): number {
    return this.#placeOf.get(path)?.syncedAt.get(path) ?? 0;
  }

  stats(): {
    readonly pids: readonly number[];
    readonly registered: number;
    readonly restarts: number;
    readonly failures: number;
  } {
    return {
      pids: this.#places.map(({ pid }) => pid).filter((pid) => pid !== undefined),
      registered: this.#placeOf.size,
      restarts: this.#restarts,
      failures: this.#failures,
    };
  }

  /** Ends all processes: by themselves within `graceMs`, then at once. Idempotent. */
  close(graceMs: number): Promise<void> {
    clearInterval(this.#timer);
    return (this.#closing ??= Promise.all(this.#places.map((place) => place.close(graceMs))).then(() => {}));
  }

  /** The fullest that has room, so that few processes serve few databases. */
  #choose(): LitestreamPlace {
    const roomy = this.#places.filter(({ wanted }) => wanted.size < this.#max);
    const fullest = roomy.toSorted((a, b) => b.wanted.size - a.wanted.size)[0];
    if (fullest) return fullest;
    const tell = (event: LitestreamEvent): void => this.#options.onEvent?.(event);
    const place = new LitestreamPlace(this.#options, {
      onStart: (pid) => tell({ what: "litestream-started", pid }),
      onEnd: (pid, why) => {
        this.#restarts++;
        tell({ what: "litestream-ended", pid, why });
      },
      onLog: (line) => tell({ what: "litestream-said", line }),
    });
    this.#places.push(place);
    return place;
  }

  async #reconcile(): Promise<void> {
    if (this.#reconciling) return;
    this.#reconciling = true;
    for (const place of this.#places) {
      // What does not answer is found by its end, or by the next comparison.
      await place.reconcile().catch(() => this.#failures++);
    }
    this.#reconciling = false;
  }
}
