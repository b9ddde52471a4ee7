// Owns the entry "tenantry/drivers/d1-rest": tenants in D1 databases made at run time, by Cloudflare's API.
// Re-exports, by name, and nothing else.
export {
  DEFAULT_D1_REQUEST_TIMEOUT_MS,
  type D1RestDriver,
  d1RestDriver,
  type D1RestDriverOptions,
} from "./drivers/d1/d1-rest-driver.ts";
export type { D1Maintenance } from "./drivers/d1/rest-maintenance.ts";
