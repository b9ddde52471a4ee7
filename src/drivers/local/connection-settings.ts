// Owns what a connection to a database file is opened with, and the pragmas that this comes to.
// Opens nothing.
import type Database from "better-sqlite3";
import type { KnownSql } from "./known-sql.ts";
import type { StatementWatch } from "./statement-watch.ts";

/** What a connection is opened with. */
export interface ConnectionOptions {
  readonly settings: ConnectionSettings;
  /** Prepared statements kept. */
  readonly statementCacheEntries: number;
  /** Bytes that the database may grow to; 0 for no limit. */
  readonly maxBytes: number;
  readonly watch?: StatementWatch;
  /** Shared by all connections of a driver. */
  readonly knownSql: KnownSql;
}

/** What {@link connectionSettings} is made from. */
export interface ConnectionSettingsOptions {
  /** `normal`: an acknowledged write survives a killed process; `full`: a power cut as well. */
  readonly durability: "normal" | "full";
  /** Bytes of page cache. */
  readonly cacheBytes: number;
  /** Pages of the log after which SQLite folds it into the database by itself. */
  readonly checkpointPages: number;
}

/** The pragmas of a connection. */
export interface ConnectionSettings {
  readonly all: string;
  /** The same for a new connection, of which some things hold already: each pragma takes some 5 µs. */
  readonly ofNew: string;
  /** The same where the database is known to have a write-ahead log. */
  readonly ofNewWithLog: string;
}

/** Bytes to which a checkpoint cuts the write-ahead log, so that one large write does not keep its disk. */
const JOURNAL_SIZE_LIMIT_BYTES = 4 * 1024 * 1024;

/** SQLite's own limit of pages, which stands for none. */
const MOST_PAGES = 0xfffffffe;

/** Lets the database grow up to so many bytes; 0 for no limit. */
export function limitSize(sqlite: Database.Database, maxBytes: number): void {
  const pageBytes = sqlite.pragma("page_size", { simple: true }) as number;
  // SQLite takes no 0, and keeps to the pages that there are.
  const pages =
    maxBytes === 0 ? MOST_PAGES : Math.min(MOST_PAGES, Math.max(1, Math.floor(maxBytes / pageBytes)));
  sqlite.pragma(`max_page_count = ${pages}`);
}

/** How SQLite, as better-sqlite3 builds it, opens any database. A test holds it to that. */
const BY_ITSELF: ReadonlySet<string> = new Set([
  "PRAGMA foreign_keys = ON",
  "PRAGMA wal_autocheckpoint = 1000",
  "PRAGMA query_only = OFF",
]);

/** How it opens one with a log. */
const WITH_LOG: ReadonlySet<string> = new Set(["PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL"]);

/** The pragmas for all connections of a driver. */
export function connectionSettings(options: ConnectionSettingsOptions): ConnectionSettings {
  const { durability, cacheBytes, checkpointPages } = options;
  const all = [
    "PRAGMA journal_mode = WAL",
    `PRAGMA synchronous = ${durability === "full" ? "FULL" : "NORMAL"}`,
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    `PRAGMA wal_autocheckpoint = ${checkpointPages}`,
    `PRAGMA journal_size_limit = ${JOURNAL_SIZE_LIMIT_BYTES}`,
    `PRAGMA cache_size = -${Math.max(1, Math.floor(cacheBytes / 1024))}`,
    "PRAGMA query_only = OFF",
  ];
  const ofNew = all.filter((pragma) => !BY_ITSELF.has(pragma));
  return {
    all: all.join(";"),
    ofNew: ofNew.join(";"),
    ofNewWithLog: ofNew.filter((pragma) => !WITH_LOG.has(pragma)).join(";"),
  };
}
