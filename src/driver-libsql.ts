// Owns the entry "tenantry/drivers/libsql": tenants' databases at Turso, on a sqld, or in libSQL files.
// Re-exports, by name, and nothing else.
export { type LibsqlDriver, libsqlDriver } from "./drivers/libsql/libsql-driver.ts";
export {
  DEFAULT_LIBSQL_TRANSACTION_TIMEOUT_MS,
  DEFAULT_MAX_ANSWER_BYTES,
  DEFAULT_MAX_CONCURRENT_REQUESTS,
  DEFAULT_REQUEST_TIMEOUT_MS,
  DEFAULT_SYNC_TIMEOUT_MS,
  type LibsqlDriverOptions,
  type TokenRequest,
} from "./drivers/libsql/libsql-options.ts";
export { tursoProvisioner, type TursoProvisionerOptions } from "./drivers/libsql/turso-provisioner.ts";
export type { RemoteProvisioner } from "./drivers/remote/remote-provisioner.ts";
