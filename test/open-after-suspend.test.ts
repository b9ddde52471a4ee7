// Holds opening to looking at the catalog again before it writes: what was read before may be history.
import { expect, onTestFinished, test } from "vitest";
import type { Driver } from "../src/drivers/driver.ts";
import { HandleCache } from "../src/handle-cache/handle-cache.ts";
import { migrationSet } from "../src/migrations/migration-set.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import type { Tenantry } from "../src/tenantry.ts";
import { Backends } from "../src/tenants/backends.ts";
import { TenantScope } from "../src/tenants/tenant-scope.ts";
import { Tenants } from "../src/tenants/tenants.ts";
import { NOTES } from "./support/notes-schema.ts";
import { tempTenantry } from "./support/temp-folder.ts";

const ACME = parseTenantId("acme");
const SECOND = { name: "0002_second.sql", sql: "CREATE TABLE second (a)" };

/** The same tenants once more, with a migration to come, and opens that wait to be let through. */
async function slowOpener({ catalog, driver }: Tenantry) {
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const { promise: mayOpen, resolve: letThrough } = Promise.withResolvers<void>();
  const slow: Driver = {
    ...driver,
    open: async (name) => {
      ask();
      await mayOpen;
      return driver.open(name);
    },
  };
  const tenants = new Tenants({
    catalog,
    backends: new Backends({ driver: slow, cache: new HandleCache({ idleMs: 0 }) }),
    migrations: await migrationSet([NOTES, SECOND]),
    scope: new TenantScope(),
    watchMs: 0,
  });
  onTestFinished(() => tenants.close(0));
  return { tenants, asked, letThrough };
}

test("a tenant that is suspended between the look and the open is neither served nor migrated", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  const { tenants, asked, letThrough } = await slowOpener(tenantry);
  const used = tenants.use(ACME, async () => "no");
  await asked;
  await tenantry.lifecycle.suspend(ACME);
  letThrough();
  await expect(used).rejects.toMatchObject({ code: "TENANT_SUSPENDED", tenant: "acme" });
  expect(tenants.stats()).toMatchObject({ open: 0, leased: 0, failedOpens: 1 });
  await tenantry.lifecycle.resume(ACME);
  const tables = tenantry.database("acme").prepare("SELECT name FROM sqlite_schema WHERE name = 'second'");
  expect((await tables.all()).results).toEqual([]);
});

test("a tenant that is deleted and made anew meanwhile is not taken for its former self", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  const { tenants, asked, letThrough } = await slowOpener(tenantry);
  const used = tenants.use(ACME, async () => "no");
  await asked;
  await tenantry.lifecycle.delete(ACME);
  await tenantry.lifecycle.create(ACME);
  letThrough();
  await expect(used).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" });
  expect(await tenants.use(ACME, async () => "served")).toBe("served");
});

test("a drain waits for such an open, and gives up in its time", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  const { tenants, asked, letThrough } = await slowOpener(tenantry);
  const used = tenants.use(ACME, async () => "used");
  await asked;
  const record = (await tenantry.catalog.get(ACME))!;
  await expect(tenants.drain(record, 10)).rejects.toMatchObject({ code: "TENANT_BUSY", tenant: "acme" });
  letThrough();
  expect(await used).toBe("used");
});
