// Owns that one server writes to a prefix: a lease in a note there, kept by renewing it, and lost to who takes it.
// Does not stop what writes: it tells who does.
import { randomUUID } from "node:crypto";
import { readFile, realpath, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { TenantryError } from "../tenantry-error.ts";
import type { Note, ReplicaNote } from "./replica-note.ts";
import type { ReplicaUrl } from "./replica-url.ts";

/** Milliseconds between two renewals. */
export const DEFAULT_RENEW_MS = 10_000;
/** Renewals that must have been missed before a lease is taken over. */
const MISSED_RENEWALS = 3;
/** Looks at another's lease in the time of one renewal. */
const LOOKS = 8;
/** Tries where several servers begin at once. */
const MAX_TRIES = 5;

/** What the note says. Its times are for people: no clock is compared with another. */
interface Lease {
  /** Random, of one run of a server. */
  readonly holder: string;
  /** Random, of a data folder. */
  readonly folder: string;
  readonly host: string;
  readonly path: string;
  readonly renewedAt: string;
  readonly released: boolean;
  /** The part of the catalog's path that rises with each new folder. */
  readonly catalogEpoch: number;
}

/** How a lease is kept. */
export interface ReplicaOwnerOptions {
  /** Milliseconds between two renewals. @default 10000 */
  readonly renewMs?: number | undefined;
  /** The newest line that a catalog has on the prefix; 0 where there is none. Asked where there is no lease. */
  readonly newestEpoch: () => Promise<number>;
  /** Another server has the prefix now. */
  readonly onLost: () => void;
}

/** The lease of a prefix. */
export class ReplicaOwner {
  /** The part of the catalog's path that rises with each data folder. */
  readonly catalogEpoch: number;
  readonly #note: ReplicaNote;
  readonly #lease: Lease;
  readonly #options: ReplicaOwnerOptions;
  #tag: string;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ended = false;

  /**
   * Takes the lease. One that nobody renews is waited for, for three times `renewMs`.
   * @param dir the data folder, whose lock the caller has
   * @throws {TenantryError} `REPLICA_TAKEN`, and what reaching the replica throws
   */
  static async take(
    note: ReplicaNote,
    url: ReplicaUrl,
    dir: string,
    options: ReplicaOwnerOptions,
  ): Promise<ReplicaOwner> {
    const mine = {
      holder: randomUUID(),
      folder: await folderId(dir),
      host: hostname(),
      path: await realpath(dir),
      released: false,
    };
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const found = await note.read();
      const theirs = found && parseLease(found);
      if (found && theirs) await untilFree(note, found, theirs, mine, url, options.renewMs);
      const catalogEpoch =
        theirs?.folder === mine.folder
          ? theirs.catalogEpoch
          : (theirs?.catalogEpoch ?? (await options.newestEpoch())) + 1;
      const lease: Lease = { ...mine, catalogEpoch, renewedAt: new Date().toISOString() };
      const text = JSON.stringify(lease);
      if (!(await note.write(text, found?.tag))) continue;
      const written = await note.read();
      if (written?.text === text) return new ReplicaOwner(note, lease, written.tag, options);
    }
    throw prefixTaken(url);
  }

  /** Use {@link ReplicaOwner.take}. */
  private constructor(note: ReplicaNote, lease: Lease, tag: string, options: ReplicaOwnerOptions) {
    this.catalogEpoch = lease.catalogEpoch;
    this.#note = note;
    this.#lease = lease;
    this.#tag = tag;
    this.#options = options;
    this.#renewLater();
  }

  /** Gives the prefix free for whoever comes next. Idempotent. */
  async release(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    // Where the replica cannot be reached, the next one waits for as long as a lease holds.
    await this.#write(true).catch(() => undefined);
  }

  #renewLater(): void {
    if (this.#ended) return;
    this.#timer = setTimeout(() => void this.#renew(), this.#options.renewMs ?? DEFAULT_RENEW_MS);
    this.#timer.unref();
  }

  async #renew(): Promise<void> {
    let isMine = true;
    try {
      isMine = (await this.#write(false)) || (await this.#isMine());
    } catch {
      // A replica that cannot be reached cannot be written to either.
    }
    if (isMine) return this.#renewLater();
    if (this.#ended) return;
    this.#ended = true;
    this.#options.onLost();
  }

  async #write(released: boolean): Promise<boolean> {
    const text = JSON.stringify({ ...this.#lease, released, renewedAt: new Date().toISOString() });
    if (!(await this.#note.write(text, this.#tag))) return false;
    this.#tag = (await this.#note.read())?.tag ?? "";
    return true;
  }

  /** A write of which the answer was lost has been done all the same. */
  async #isMine(): Promise<boolean> {
    const now = await this.#note.read();
    if (!now || parseLease(now)?.holder !== this.#lease.holder) return false;
    this.#tag = now.tag;
    return true;
  }
}

/** Returns when the lease is nobody's. @throws {TenantryError} `REPLICA_TAKEN` */
async function untilFree(
  note: ReplicaNote,
  found: Note,
  theirs: Lease,
  mine: Pick<Lease, "folder" | "host" | "path">,
  url: ReplicaUrl,
  renewMs = DEFAULT_RENEW_MS,
): Promise<void> {
  if (theirs.released) return;
  // Of this very folder: whoever had it is dead, for its lock is ours.
  if (theirs.folder === mine.folder && theirs.host === mine.host && theirs.path === mine.path) return;
  for (let look = 0; look < MISSED_RENEWALS * LOOKS; look++) {
    await new Promise((resolve) => void setTimeout(resolve, renewMs / LOOKS));
    const now = await note.read();
    if (now?.tag === found.tag) continue;
    if (now && parseLease(now)?.released) return;
    throw prefixTaken(url, theirs);
  }
}

function parseLease({ text }: Note): Lease | undefined {
  try {
    const lease = JSON.parse(text) as Lease;
    return typeof lease.holder === "string" && Number.isSafeInteger(lease.catalogEpoch) ? lease : undefined;
  } catch {
    return undefined;
  }
}

/** By what a data folder is known from its copies: they have another path, or another host. */
async function folderId(dir: string): Promise<string> {
  const path = join(dir, "replication-id");
  try {
    await writeFile(path, randomUUID(), { flag: "wx", flush: true });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
  return readFile(path, "utf8");
}

/** The error where another server has the prefix. @param by who, if that is known */
function prefixTaken(url: ReplicaUrl, by?: Pick<Lease, "path" | "host">): TenantryError {
  const who = by ? ` by ${by.path} on ${by.host}` : "";
  return new TenantryError("REPLICA_TAKEN", `The replica ${url.shown} is being written to${who}.`, {
    hint: "End that server, or give this one another prefix. Two writers would spoil each other's backups.",
  });
}
