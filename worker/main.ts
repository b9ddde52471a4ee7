// Owns the Worker that wrangler.toml deploys: every tenant in a Durable Object of its own, the catalog in one more.
// Copy it into a project of your own, with wrangler.toml, and change it there.
// In a project of your own: from "tenantry/drivers/durable-object" and "tenantry/worker".
import { durableObjectDriver, objectDatabase, type ObjectNamespace } from "../src/driver-durable-object.ts";
import {
  importVerificationKeys,
  migrationSet,
  type RateLimitBinding,
  tenantryWorker,
} from "../src/worker.ts";
import { MIGRATIONS } from "./migrations.ts";

export { TenantObject } from "../src/driver-durable-object.ts";

/** What wrangler.toml and the secrets bind. */
interface Env {
  readonly TENANTS: ObjectNamespace;
  /** Secret: the API key to begin with, from "tenantry token generate". */
  readonly TENANTRY_ADMIN_KEY?: string;
  /** The public keys that tokens are checked with, from "tenantry token keygen". */
  readonly TENANTRY_PUBLIC_KEYS?: string;
  /** Where new tenants are made, such as "weur", and where they stay, such as "eu". */
  readonly TENANTRY_LOCATION_HINT?: string;
  readonly TENANTRY_JURISDICTION?: string;
  readonly RATE_LIMIT?: RateLimitBinding;
}

export default tenantryWorker<Env>(async (env) => {
  const objects = {
    namespace: env.TENANTS,
    ...(env.TENANTRY_LOCATION_HINT && { locationHint: env.TENANTRY_LOCATION_HINT }),
    ...(env.TENANTRY_JURISDICTION && { jurisdiction: env.TENANTRY_JURISDICTION }),
  };
  return {
    driver: durableObjectDriver(objects),
    // In D1 instead: d1Database(env.CATALOG), from "tenantry/drivers/d1".
    catalog: objectDatabase(objects),
    migrations: await migrationSet(MIGRATIONS),
    app: {
      adminKey: env.TENANTRY_ADMIN_KEY || undefined,
      publicKeys: env.TENANTRY_PUBLIC_KEYS ? await importVerificationKeys(env.TENANTRY_PUBLIC_KEYS) : [],
      rateLimit: env.RATE_LIMIT,
    },
  };
});
