// Holds tenants to the driver that their catalog rows name, whichever new tenants go to.
import { expect, test } from "vitest";
import type { Driver } from "../src/drivers/driver.ts";
import { localDriver } from "../src/drivers/local/local-driver.ts";
import { examineData } from "../src/observe/doctor.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { addNote, notesOf, tempFolder, tempTenantry } from "./support/temp-folder.ts";

const ACME = parseTenantId("acme");
const GLOBEX = parseTenantId("globex");

async function elsewhere(name = "elsewhere"): Promise<Driver> {
  return { ...localDriver({ dir: await tempFolder() }), name, maxOpen: 2 };
}

test("new tenants go to the driver that is given, and those of files are served beside them", async () => {
  const data = await tempFolder();
  const before = await tempTenantry({ data, tenants: ["acme"] });
  await addNote(before, "acme", "in a file");
  await before.close();

  const driver = await elsewhere();
  const tenantry = await tempTenantry({ data, driver });
  const record = await tenantry.lifecycle.create(GLOBEX);
  expect(record.driver).toBe("elsewhere");
  expect(await driver.exists("globex")).toBe(true);
  expect(await tenantry.driver.exists("globex")).toBe(false);
  await addNote(tenantry, "globex", "elsewhere");
  expect([await notesOf(tenantry, "acme"), await notesOf(tenantry, "globex")]).toEqual([
    ["in a file"],
    ["elsewhere"],
  ]);
  expect(tenantry.tenants.stats()).toMatchObject({ open: 2, leased: 0 });

  await tenantry.lifecycle.delete(GLOBEX);
  expect(await driver.exists("globex")).toBe(false);
  expect(await notesOf(tenantry, "acme")).toEqual(["in a file"]);
});

test("a tenant whose driver is not there is refused by name, and nobody else", async () => {
  const data = await tempFolder();
  const before = await tempTenantry({ data, driver: await elsewhere(), tenants: ["acme"] });
  await before.close();

  const tenantry = await tempTenantry({ data, tenants: ["globex"] });
  await expect(notesOf(tenantry, "acme")).rejects.toMatchObject({
    code: "DRIVER_MISSING",
    message: 'Tenant "acme" is kept by the driver "elsewhere".',
    hint: "Start Tenantry with that driver, too: it has local.",
  });
  expect(
    (await tenantry.app().hono.request("/t/acme/schema", { headers: { host: "localhost" } })).status,
  ).toBe(503);
  await expect(tenantry.lifecycle.delete(ACME)).rejects.toMatchObject({ code: "DRIVER_MISSING" });
  expect(await notesOf(tenantry, "globex")).toEqual([]);
});

test("what looks into files passes over tenants that are kept elsewhere", async () => {
  const tenantry = await tempTenantry({ driver: await elsewhere(), tenants: ["acme"] });
  const findings = await examineData(tenantry);
  expect(findings.filter(({ severity }) => severity !== "ok")).toEqual([]);
});

test("each driver has a budget of handles of its own", async () => {
  const driver = await elsewhere();
  const tenantry = await tempTenantry({ driver, maxOpen: 3, tenants: ["a", "b", "c"] });
  for (const tenant of ["a", "b", "c"]) await notesOf(tenantry, tenant);
  expect(tenantry.tenants.stats()).toMatchObject({ open: 2, maxOpen: 5, evictions: 1 });
});

test("drivers of one name, what is no driver, and executors beside another driver are refused", async () => {
  await expect(tempTenantry({ driver: [await elsewhere("a"), await elsewhere("a")] })).rejects.toMatchObject({
    code: "INVALID_OPTION",
  });
  await expect(tempTenantry({ driver: {} as Driver })).rejects.toMatchObject({ code: "INVALID_OPTION" });
  const tenantry = await tempTenantry({ driver: await elsewhere() });
  expect(() => tenantry.executors({ executors: 1 })).toThrow(/Executors run the SQL of files/);
});
