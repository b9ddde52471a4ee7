// Owns what is done to tenants, as data: the options of each act, and which of them work on a whole database.
// Does none of it: lifecycle.ts and fleet-migration.ts do, in the process that they are in or where they are told to.
import type { SettingsUpdate, TenantRecord } from "../catalog/tenant-record.ts";
import type { TenantId } from "../tenant-id.ts";

/** Who does it, for the audit log. */
export interface Act {
  /** @default "system" */
  readonly actor?: string;
}

/** What a tenant is made with. */
export interface CreateOptions extends Act {
  /** Its own limits, its block and its key. @default none */
  readonly settings?: SettingsUpdate;
  /**
   * Make it without its migrations, and suspended: for somebody who copies a whole database into it. They run, as far
   * as the copy has them not, once it is resumed.
   * @default false
   */
  readonly empty?: boolean;
}

/** Why a tenant that was made empty is suspended: what a copy that was cut short is known by. */
export const BEING_COPIED = "being copied";

/** How an imported file meets the migrations. */
export interface ImportOptions extends CreateOptions {
  /**
   * `true` journals every migration as applied without running it, a name those up to it: for a file that
   * has the schema but no journal. Without it, what is pending runs.
   */
  readonly baseline?: boolean | string;
  /** Bytes that SQL text may become, where the tenant has no limit of its own. @default no limit */
  readonly maxBytes?: number;
}

/** Acts that hold an event loop for as long as reading a whole database takes: another process may do them. */
export interface HeavyActs {
  importFile(id: TenantId, path: string, options?: ImportOptions): Promise<TenantRecord>;
  exportFile(id: TenantId, path: string): Promise<void>;
  fork(from: TenantId, to: TenantId, act?: Act): Promise<TenantRecord>;
  /** Brings one tenant to the current schema. */
  migrate(id: TenantId): Promise<TenantRecord>;
}

/** Says who does them; undefined where they are done here. */
export type Elsewhere = () => HeavyActs | undefined;

/** Nobody but this process. */
export const HERE: Elsewhere = () => undefined;
