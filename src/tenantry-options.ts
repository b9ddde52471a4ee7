// Owns the options of createTenantry(): what they are, their defaults in words, and refusing the rest.
// Applies none of them: tenantry.ts does.
import * as v from "valibot";
import { checkOptions } from "./check-options.ts";
import type { Driver } from "./drivers/driver.ts";
import type { StatementsWatch } from "./drivers/local/local-driver.ts";
import type { MigrationSet } from "./migrations/migration-set.ts";

const count = v.pipe(v.number(), v.integer("is a whole number"), v.minValue(1, "is at least 1"));
const amount = v.pipe(v.number(), v.integer("is a whole number"), v.minValue(0, "is not negative"));

const driver = v.custom<Driver>(isDriver, "is a driver, such as libsqlDriver() makes");

const OPTIONS = v.strictObject({
  data: v.pipe(v.string("is the path of a folder"), v.nonEmpty("is the path of a folder")),
  migrations: v.optional(v.union([v.string(), v.custom<MigrationSet>((value) => typeof value === "object")])),
  driver: v.optional(v.union([driver, v.pipe(v.array(driver), v.minLength(1))])),
  maxOpen: v.optional(count),
  maxOpenBytes: v.optional(count),
  idleMs: v.optional(amount),
  acquireTimeoutMs: v.optional(amount),
  durability: v.optional(v.picklist(["normal", "full", "replicated"], 'is "normal", "full" or "replicated"')),
  busyTimeoutMs: v.optional(amount),
  transactionTimeoutMs: v.optional(count),
  drainTimeoutMs: v.optional(amount),
  statementCacheEntries: v.optional(count),
  maxSessions: v.optional(count),
  maxDatabaseBytes: v.optional(amount),
  watchMs: v.optional(amount),
  snapshots: v.optional(v.string("is a URL, such as s3://bucket/snapshots")),
  replica: v.optional(v.string("is a URL, such as file:///var/backups/tenants")),
  marksWrites: v.optional(v.boolean("is true or false")),
  statements: v.optional(v.custom<StatementsWatch>((value) => typeof value === "object")),
});

/** Options of `createTenantry()`. Unknown ones are refused. */
export interface TenantryOptions {
  /** The data folder; made if it is not there. */
  readonly data: string;
  /** The folder of the migrations, or a set made by `migrationSet()`. @default none */
  readonly migrations?: string | MigrationSet | undefined;
  /**
   * Where tenants' databases are kept, if not in files of the data folder. New tenants go to it, or to the first
   * of several; each tenant stays with the driver of its creation, whose name the catalog keeps. Files
   * are always among them.
   * @default files of the data folder
   */
  readonly driver?: Driver | readonly Driver[] | undefined;
  /** Databases open at once. @default 512, or as many as the limit of open files allows */
  readonly maxOpen?: number | undefined;
  /** Bytes of page cache, divided among `maxOpen` handles. @default 268435456 */
  readonly maxOpenBytes?: number | undefined;
  /** Milliseconds after which an unused database is closed; 0 for never. @default 60000 */
  readonly idleMs?: number | undefined;
  /** Milliseconds that a request waits for a handle while all are in use. @default 5000 */
  readonly acquireTimeoutMs?: number | undefined;
  /**
   * What an acknowledged write survives: see `localDriver`; with `replicated` the loss of this machine, too, for
   * it is acknowledged when it is in the replica. Tenants may have a rule of their own. @default "normal"
   */
  readonly durability?: "normal" | "full" | "replicated" | undefined;
  /** Milliseconds that a write waits for other writers of the same tenant. @default 5000 */
  readonly busyTimeoutMs?: number | undefined;
  /** Milliseconds that an interactive transaction may take. @default 5000 */
  readonly transactionTimeoutMs?: number | undefined;
  /** Milliseconds that running requests get before a suspension gives up. @default 10000 */
  readonly drainTimeoutMs?: number | undefined;
  /** Prepared statements kept for each open database. @default 64 */
  readonly statementCacheEntries?: number | undefined;
  /** Connections of one database besides the shared one. @default 8 */
  readonly maxSessions?: number | undefined;
  /** Bytes that one database may grow to; 0 for no limit. @default 0 */
  readonly maxDatabaseBytes?: number | undefined;
  /** Milliseconds between two looks at what other processes did to the catalog; 0 for never. @default 250 */
  readonly watchMs?: number | undefined;
  /**
   * Where tenants are replicated to, once `Tenantry.backups()` has been called: `file:///folder`,
   * `s3://bucket/prefix?region=…`, `abs://…`, `gs://…` or `sftp://…`.
   * @default nowhere
   */
  readonly replica?: string | undefined;
  /** Where snapshots are kept, compressed, as `file://` or `s3://`. @default plain files in `<data>/snapshots` */
  readonly snapshots?: string | undefined;
  /**
   * Whether tenants that are written to are noted, for a server that replicates the same folder.
   * @default whether there is a `replica`
   */
  readonly marksWrites?: boolean | undefined;
  /** Is told of every statement, by its tenant: see `localDriver`. @default nobody */
  readonly statements?: StatementsWatch | undefined;
}

function isDriver(value: unknown): boolean {
  return (
    typeof value === "object" && value !== null && "name" in value && "open" in value && "stage" in value
  );
}

/** @throws {TenantryError} `INVALID_OPTION` */
export function checkTenantryOptions(given: TenantryOptions): TenantryOptions {
  return checkOptions(OPTIONS, given);
}
