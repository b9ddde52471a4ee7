// Owns the entry "tenantry/drivers/durable-object": tenants in Durable Objects, and the class to bind.
// Re-exports, by name, and nothing else.
export {
  type DurableObjectDriver,
  durableObjectDriver,
  type DurableObjectDriverOptions,
} from "./drivers/durable-object/durable-object-driver.ts";
export type { DurableObjectHandle } from "./drivers/durable-object/durable-object-handle.ts";
export type { ObjectNamespace } from "./drivers/durable-object/object-calls.ts";
export {
  DEFAULT_CATALOG_OBJECT,
  objectDatabase,
  type ObjectDatabaseOptions,
} from "./drivers/durable-object/own-object.ts";
export { HOUSEKEEPING_MS, TenantObject } from "./objects/tenant-object.ts";
