// Owns the contract's runs against a Durable Object: by its driver alone, and as a tenant of a whole Worker.
import { env, reset } from "cloudflare:test";
import { tenantDatabase } from "../../src/database/tenant-database.ts";
import { durableObjectDriver, objectDatabase } from "../../src/driver-durable-object.ts";
import { parseTenantId } from "../../src/tenant-id.ts";
import { createWorkerTenantry } from "../../src/worker.ts";
import { driverContract } from "../driver-contract.ts";
import { OBJECT_SKIPS } from "../support/object-skips.ts";

driverContract("a Durable Object in workerd", {
  open: async () => {
    await reset();
    return tenantDatabase(await objectDatabase({ namespace: env.TENANTS, object: "contract" }));
  },
  skips: OBJECT_SKIPS,
});

driverContract("a tenant in a Durable Object", {
  open: async () => {
    await reset();
    const tenantry = await createWorkerTenantry({
      driver: durableObjectDriver({ namespace: env.TENANTS }),
      catalog: objectDatabase({ namespace: env.TENANTS }),
    });
    await tenantry.lifecycle.create(parseTenantId("acme"));
    return tenantry.database("acme");
  },
  skips: OBJECT_SKIPS,
});
