// Owns the entry "tenantry/drivers/d1": tenants in D1 databases.
// Re-exports, by name, and nothing else.
export type { D1Binding } from "./drivers/d1/d1-binding.ts";
export {
  byTemplate,
  type D1BindingDriver,
  d1BindingDriver,
  type D1BindingDriverOptions,
  d1Database,
} from "./drivers/d1/d1-binding-driver.ts";
