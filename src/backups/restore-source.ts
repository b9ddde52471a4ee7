// Owns what a tenant can be restored from, in words: a replica, a snapshot, a file, or what was replaced last.
// Fetches none of them: prepare-restore.ts does.

/** The line of backups that a replica keeps. */
export interface ReplicaSource {
  readonly kind: "replica";
  /** The moment, in milliseconds since 1970; what was written at or after it does not come back. @default the newest */
  readonly at?: number;
  /** A transaction of the newest line, by its 16 hexadecimal digits, inclusive. */
  readonly txid?: string;
  /** Of an earlier tenant of that name. @default the present one */
  readonly incarnation?: string;
}

/** A snapshot by name; the newest one without. */
export interface SnapshotSource {
  readonly kind: "snapshot";
  readonly name?: string;
}

/** A SQLite file, which is only read. */
export interface FileSource {
  readonly kind: "file";
  readonly path: string;
}

/** The database that the last restore replaced. */
export interface ReplacedSource {
  readonly kind: "replaced";
}

/** What a tenant can be restored from. */
export type RestoreSource = ReplicaSource | SnapshotSource | FileSource | ReplacedSource;

/** What would come back, or came back. */
export interface RestorePlan {
  readonly kind: RestoreSource["kind"];
  /** The moment of what comes back, in milliseconds since 1970; null where that is not known. */
  readonly at: number | null;
  /** Of a replica: the last transaction that comes back. */
  readonly txid?: string;
  /** Of a replica: which of its lines. */
  readonly epoch?: number;
  /** Of a snapshot: its name. Of a file: its path. */
  readonly name?: string;
  /** Bytes: of the files that would be read, or of the database that came back. */
  readonly bytes: number;
}
