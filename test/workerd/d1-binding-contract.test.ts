// Owns the contract's runs through Tenantry against D1 in workerd: by its driver alone, and as a tenant of a Worker.
import { env, reset } from "cloudflare:test";
import { tenantDatabase } from "../../src/database/tenant-database.ts";
import { d1BindingDriver, d1Database } from "../../src/driver-d1.ts";
import { parseTenantId } from "../../src/tenant-id.ts";
import { createWorkerTenantry } from "../../src/worker.ts";
import { driverContract } from "../driver-contract.ts";
import { D1_BINDING_SKIPS } from "../support/d1-binding-skips.ts";

driverContract("a D1 binding by Tenantry's driver", {
  open: async () => {
    await reset();
    return tenantDatabase(d1Database(env.DB));
  },
  skips: D1_BINDING_SKIPS,
});

driverContract("a tenant in D1, with the catalog in D1", {
  open: async () => {
    await reset();
    const tenantry = await createWorkerTenantry({
      driver: d1BindingDriver({ databases: { acme: env.TENANT_ACME } }),
      catalog: d1Database(env.CATALOG),
    });
    await tenantry.lifecycle.create(parseTenantId("acme"));
    return tenantry.database("acme");
  },
  skips: D1_BINDING_SKIPS,
});
