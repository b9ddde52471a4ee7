// Owns the names by which the other rooms know this one. Reading folders needs Node and is not among them:
// import readMigrations() from read-migrations.ts.
export { baseline } from "./baseline.ts";
export { JOURNAL_TABLE } from "./journal.ts";
export { type MigrateDatabaseOptions, type MigrationResult, migrateDatabase } from "./migrate-database.ts";
export {
  MAX_MIGRATION_NAME_LENGTH,
  type Migration,
  type MigrationFile,
  type MigrationSet,
  migrationSet,
} from "./migration-set.ts";
export { type MigrationState, type MigrationStatus, migrationStatus } from "./migration-status.ts";
