// Owns what is known of a tenant while it is replicated.
// Does nothing with it: hot-set.ts does.
import type { TenantRecord } from "../catalog/tenant-record.ts";

/** A tenant that is replicated now. */
export interface HotTenant {
  readonly record: TenantRecord;
  readonly path: string;
  /** When it was taken in, in ms since 1970. */
  readonly since: number;
  /** When the application was last seen to have written, in ms since 1970; 0 for long ago. */
  readonly wroteAt: number;
  /** Whether a sync of it has been confirmed since then. */
  readonly confirmed: boolean;
  /** Syncs that failed, one after the other. */
  readonly failures: number;
  readonly lastFailure: string | undefined;
  /** Whether the replica has numbers that this database has not reached: somebody else writes there. */
  readonly ahead: boolean;
}

/** The same, as the hot set works on it. */
export interface HotEntry {
  record: TenantRecord;
  readonly path: string;
  readonly url: string;
  readonly since: number;
  /** Whether Litestream has it. */
  registered: boolean;
  confirmed: boolean;
  failures: number;
  lastFailure: string | undefined;
  ahead: boolean;
  retryAt: number;
  /** When the application last wrote, as far as its log tells; 0 for long ago. */
  wroteAt: number;
  /** What the log looked like then, so that Litestream's own writes to it are not taken for the application's. */
  seen: string;
  /** Whether the replica's catalog is known to have the tenant, and this line of it. */
  catalogued: boolean;
  /** Whether something is being done with it. */
  busy: boolean;
  /** When it was first found to be closed; 0 while it is not. */
  stoppedAt: number;
}
