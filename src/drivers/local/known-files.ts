// Owns what is known of databases that were open before: where each lies, and whether anybody has written to it since.
// Opens none of them.
import { RecentMap } from "../../recent-map.ts";
import { databasePath } from "./database-file.ts";
import { assertNotHollow } from "./file-check.ts";

/** Databases that are remembered, at some 300 bytes each. */
const REMEMBERED_FILES = 20_000;

interface Known {
  readonly path: string;
  /** As it was when it was opened last; undefined where that could not be told. */
  state: string | undefined;
  note: string | undefined;
}

/** A database that is about to be opened. */
export interface KnownFile {
  readonly path: string;
  /** 0 where that is not known. */
  readonly sizeBytes: number;
  /** Whether it is, byte by byte, what {@link opened} was called for before. */
  readonly unchanged: boolean;
  /** Says that it could be opened. */
  opened(): void;
  /** Says that it may have been written to since it was looked at: nothing is known of it then. */
  forget(): void;
  /** Whatever was noted of just these bytes. */
  note: string | undefined;
}

/** Remembers databases of one folder, as far as this process opened them. */
export class KnownFiles {
  readonly #dir: string;
  readonly #files = new RecentMap<string, Known>({ maxEntries: REMEMBERED_FILES });

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Looks at a database. About 10 µs. @throws {TenantryError} `DATABASE_CORRUPT` */
  look(name: string): KnownFile {
    let known = this.#files.get(name);
    if (!known) {
      known = { path: databasePath(this.#dir, name), state: undefined, note: undefined };
      this.#files.set(name, known);
    }
    const { sizeBytes, state } = assertNotHollow(known.path);
    return new LookedAt(known, sizeBytes, state);
  }
}

class LookedAt implements KnownFile {
  readonly #known: Known;
  #state: string | undefined;
  sizeBytes: number;

  constructor(known: Known, sizeBytes: number, state: string | undefined) {
    this.#known = known;
    this.#state = state;
    this.sizeBytes = sizeBytes;
  }

  get path(): string {
    return this.#known.path;
  }

  get unchanged(): boolean {
    return this.#state !== undefined && this.#known.state === this.#state;
  }

  opened(): void {
    if (this.unchanged) return;
    this.#known.state = this.#state;
    this.#known.note = undefined;
  }

  forget(): void {
    this.#state = undefined;
    this.sizeBytes = 0;
  }

  get note(): string | undefined {
    return this.unchanged ? this.#known.note : undefined;
  }

  set note(note: string | undefined) {
    if (this.unchanged) this.#known.note = note;
  }
}
