// The product on Cloudflare: every company in a Durable Object of its own.
//   npx wrangler dev --config examples/edge-app/wrangler.toml
// In a project of your own: from "tenantry/drivers/durable-object" and "tenantry/worker".
import {
  durableObjectDriver,
  objectDatabase,
  type ObjectNamespace,
} from "../../src/driver-durable-object.ts";
import { migrationSet, tenantryWorker } from "../../src/worker.ts";
import { edgeApp } from "./app.ts";
import { MIGRATIONS } from "./migrations.ts";

export { TenantObject } from "../../src/driver-durable-object.ts";

export default tenantryWorker<{ readonly TENANTS: ObjectNamespace }>(async ({ TENANTS: namespace }) => ({
  driver: durableObjectDriver({ namespace }),
  catalog: objectDatabase({ namespace }),
  migrations: await migrationSet(MIGRATIONS),
  mount: edgeApp,
}));
