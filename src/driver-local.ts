// Owns the entry "tenantry/drivers/local": SQLite files of one folder, without tenants or a catalog.
// Re-exports, by name, and nothing else.
export {
  DEFAULT_BUSY_TIMEOUT_MS,
  DEFAULT_CACHE_BYTES,
  DEFAULT_MAX_SESSIONS,
  DEFAULT_MAX_SESSIONS_IN_ALL,
  DEFAULT_STATEMENT_CACHE_ENTRIES,
  DEFAULT_TRANSACTION_TIMEOUT_MS,
  type LocalDriver,
  localDriver,
  type LocalDriverOptions,
} from "./drivers/local/local-driver.ts";
