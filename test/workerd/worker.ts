// Owns the Worker under test: tenants in objects, the catalog in an object of its own.
import { objectDatabase, durableObjectDriver } from "../../src/driver-durable-object.ts";
import { migrationSet, tenantryWorker } from "../../src/worker.ts";

export { TenantObject } from "../../src/driver-durable-object.ts";
export { ObjectWithPast } from "./object-with-past.ts";

export default tenantryWorker<Cloudflare.Env>(async (env) => ({
  driver: durableObjectDriver({ namespace: env.TENANTS }),
  catalog: objectDatabase({ namespace: env.TENANTS }),
  migrations: await migrationSet([
    { name: "0001_notes.sql", sql: "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL UNIQUE)" },
  ]),
  app: { adminKey: env.TENANTRY_ADMIN_KEY },
}));
