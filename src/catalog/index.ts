// Names what the other rooms use of the catalog.
export {
  type AuditAct,
  type AuditEntry,
  type AuditPage,
  type AuditQuery,
  SYSTEM_ACTOR,
} from "./audit-log.ts";
export { BackupTable, type TenantKey } from "./backup-table.ts";
export {
  type Catalog,
  type CatalogOptions,
  type CatalogStats,
  DEFAULT_CATALOG_CACHE_ENTRIES,
  DEFAULT_CATALOG_CACHE_MS,
  DEFAULT_TOUCH_FLUSH_MS,
  type GetTenantOptions,
  openCatalog,
} from "./catalog.ts";
export { MAX_CREATIONS_PER_COMMIT, type NewTenant } from "./create-queue.ts";
export type { TenantSchema, TenantTouch } from "./deferred-writes.ts";
export type { KeyPage, KeyQuery, KeyRecord, NewKey } from "./key-table.ts";
export { DEFAULT_PAGE_LIMIT, MAX_PAGE_LIMIT, type PageRequest } from "./page-cursor.ts";
export { LOCKED_WORK_TIMEOUT_MS } from "./catalog-lock.ts";
export type { StateChange, TenantUpdate } from "./tenant-changes.ts";
export {
  BACKUP_STATES,
  type BackupState,
  DEFAULT_TENANT_SETTINGS,
  LIVE_TENANT_STATES,
  type LiveTenantState,
  type SettingsUpdate,
  TENANT_BLOCKS,
  TENANT_DURABILITIES,
  TENANT_STATES,
  type TenantBlock,
  type TenantDurability,
  type TenantRecord,
  type TenantSettings,
  type TenantState,
} from "./tenant-record.ts";
export { SWEPT_STATES, type TenantFilter, type TenantPage, type TenantQuery } from "./tenant-table.ts";
