// Owns that one server writes to a prefix where no note can be kept: another one is known by its canary, which is
// all of it that Litestream can see there. Two that begin on a new prefix at the same moment do not see each other.
import { readFile, realpath, rename, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { DEFAULT_CANARY_MS } from "./canary.ts";
import type { LitestreamBinary } from "./litestream-binary.ts";
import { type PrefixOwner, prefixTaken } from "./prefix-owner.ts";
import { lineAt, newestLine, type ReplicaEpochsParts } from "./replica-epochs.ts";
import { CANARY_PATH, catalogPath, type ReplicaUrl } from "./replica-url.ts";
import { pause } from "./time-limits.ts";

/** Canaries that must have stayed away before their server is taken for dead. */
const MISSED_CANARIES = 3;
/** Looks at another's canary in that time. */
const LOOKS = 6;
/** Canaries between two looks whether somebody has come after this server. */
const CANARIES_BETWEEN = 6;

/** Where a data folder keeps which line of the catalog is its own. */
const NOTE = "replication-epoch";

/** How a prefix is watched. */
export interface ReplicaWatchOptions {
  readonly binary: LitestreamBinary;
  /** Milliseconds between two canaries, of this server and of others. @default 10000 */
  readonly canaryMs?: number | undefined;
  /** Another server has the prefix now. */
  readonly onLost: () => void;
}

/** Whose the epoch in the note is: a copy of the folder has another path, or another host. */
interface Own {
  readonly replica: string;
  readonly host: string;
  readonly path: string;
  readonly epoch: number;
}

/** A prefix that is watched. */
export class ReplicaWatch implements PrefixOwner {
  readonly catalogEpoch: number;
  readonly fenced = false;
  readonly #canary: ReplicaEpochsParts;
  readonly #options: ReplicaWatchOptions;
  readonly #end = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * Begins to watch, with a line of the catalog that is this folder's own. Where another's is the newest, it is
   * waited for three canaries: they would be its server's.
   * @param dir the data folder, whose lock the caller has
   * @throws {TenantryError} `REPLICA_TAKEN`, `BACKUPS_UNAVAILABLE`
   */
  static async take(url: ReplicaUrl, dir: string, options: ReplicaWatchOptions): Promise<ReplicaWatch> {
    const { binary } = options;
    const me = { replica: url.shown, host: hostname(), path: await realpath(dir) };
    const own = await ownEpoch(dir, me);
    const what = `The replica ${url.shown}`;
    const canary = { binary, url, what, pathOf: (epoch: number) => `${CANARY_PATH}/${epoch}` };
    const lines = await Promise.all(
      [canary, { ...canary, pathOf: catalogPath }].map((parts) => newestLine(parts, own + 1)),
    );
    const theirs = Math.max(...lines.map((line) => line?.epoch ?? 0));
    if (theirs > 0) await untilSilent(canary, theirs, url, options);
    const epoch = theirs > 0 ? theirs + 1 : Math.max(own, 1);
    await note(dir, { ...me, epoch });
    return new ReplicaWatch(canary, epoch, options);
  }

  /** Use {@link ReplicaWatch.take}. */
  private constructor(canary: ReplicaEpochsParts, epoch: number, options: ReplicaWatchOptions) {
    this.#canary = { ...canary, signal: this.#end.signal };
    this.catalogEpoch = epoch;
    this.#options = options;
    this.#lookLater();
  }

  /** Who comes next from elsewhere waits all the same: nothing there says that this server has ended. Idempotent. */
  async release(): Promise<void> {
    clearTimeout(this.#timer);
    this.#end.abort();
  }

  #lookLater(): void {
    if (this.#end.signal.aborted) return;
    const { canaryMs = DEFAULT_CANARY_MS } = this.#options;
    this.#timer = setTimeout(() => void this.#look(), CANARIES_BETWEEN * canaryMs);
    this.#timer.unref();
  }

  /** Whoever takes the prefix begins the line after this one. */
  async #look(): Promise<void> {
    // A replica that cannot be reached cannot be written to either.
    const next = await lineAt(this.#canary, this.catalogEpoch + 1).catch(() => undefined);
    if (!next) return this.#lookLater();
    if (this.#end.signal.aborted) return;
    await this.release();
    this.#options.onLost();
  }
}

/** Returns when no server has the line. @throws {TenantryError} `REPLICA_TAKEN` */
async function untilSilent(
  canary: ReplicaEpochsParts,
  epoch: number,
  url: ReplicaUrl,
  { canaryMs = DEFAULT_CANARY_MS }: ReplicaWatchOptions,
): Promise<void> {
  const heard = (await lineAt(canary, epoch))?.txid;
  for (let look = 0; look < LOOKS; look++) {
    await pause((MISSED_CANARIES * canaryMs) / LOOKS);
    if ((await lineAt(canary, epoch))?.txid !== heard) throw prefixTaken(url);
  }
}

/** The epoch of the folder's own line; 0 where it has none on this prefix. */
async function ownEpoch(dir: string, me: Omit<Own, "epoch">): Promise<number> {
  let found: Own;
  try {
    found = JSON.parse(await readFile(join(dir, NOTE), "utf8")) as Own;
  } catch (error) {
    // None, or one that a power cut has left empty: the line after the newest does for both.
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT") return 0;
    throw error;
  }
  const { replica, host, path, epoch } = found;
  const isOwn = replica === me.replica && host === me.host && path === me.path;
  return isOwn && Number.isSafeInteger(epoch) ? epoch : 0;
}

async function note(dir: string, own: Own): Promise<void> {
  const path = join(dir, NOTE);
  await writeFile(`${path}.fresh`, JSON.stringify(own), { flush: true });
  await rename(`${path}.fresh`, path);
}
