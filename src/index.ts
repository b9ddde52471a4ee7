// Owns the package's main entry: re-exports, by name, and nothing else.
export type { ArchiveManifest } from "./backups/archives.ts";
export type { Backups, BackupsEvent, BackupsOptions } from "./backups/backups.ts";
export type { BackupAlarm, BackupsStatus, TenantBackup } from "./backups/backups-status.ts";
export type { DrillOptions, DrillResult, DrillRun } from "./backups/drills.ts";
export type { EraseReport } from "./backups/erasure.ts";
export type { Recovery } from "./backups/recovery.ts";
export type { RestorePlan, RestoreSource } from "./backups/restore-source.ts";
export type { RestoreOptions, RestoreResult } from "./backups/restores.ts";
export type { Snapshot, SnapshotAllResult } from "./backups/snapshots.ts";
export type { Catalog } from "./catalog/catalog.ts";
export type { TenantRecord, TenantState } from "./catalog/tenant-record.ts";
export type {
  StatementResult,
  TenantDatabase,
  TenantDatabaseSession,
  TenantStatement,
  TenantTransaction,
} from "./database/tenant-database.ts";
export { type CopyOptions, type CopyProgress, type CopyReport, copyDatabase } from "./copy/copy-database.ts";
export type { CopySource, CopyTarget, TargetLimits } from "./copy/copy-end.ts";
export { d1Target } from "./copy/d1-end.ts";
export { copyToFile } from "./copy/file-end.ts";
export { libsqlTarget } from "./copy/libsql-end.ts";
export type { Driver, DriverCapabilities, Handle, Session, StatementMeta } from "./drivers/driver.ts";
export { type MigrationFile, type MigrationSet, migrationSet } from "./migrations/migration-set.ts";
export { readMigrations } from "./migrations/read-migrations.ts";
export { isTenantId, parseTenantId, type TenantId } from "./tenant-id.ts";
export { createTenantry, type Tenantry } from "./tenantry.ts";
export type { TenantryOptions } from "./tenantry-options.ts";
export { ERROR_CODES, type ErrorCode, isTenantryError, TenantryError } from "./tenantry-error.ts";
