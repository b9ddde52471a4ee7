// Holds: opening brings the schema up once, and refuses a catalog that a newer version has written.
import { expect, test } from "vitest";
import { openCatalog } from "../src/catalog/index.ts";
import { catalogFile, tenant } from "./catalog-file.ts";

test("opening again changes nothing", async () => {
  const file = await catalogFile();
  const { catalog, handle } = await file.open();
  await catalog.create(tenant("acme"));
  const dump = { sql: "SELECT sql FROM sqlite_schema ORDER BY name", params: [] };
  const { rows } = await handle.run(dump);
  const again = await file.open();
  expect((await again.handle.run(dump)).rows).toEqual(rows);
  expect(await again.catalog.count()).toMatchObject({ active: 1 });
});

test("catalogs that are opened together all come up", async () => {
  const file = await catalogFile();
  const opened = await Promise.all(Array.from({ length: 5 }, () => file.open()));
  for (const { catalog } of opened) expect(await catalog.count()).toMatchObject({ active: 0 });
});

test("a catalog of a newer version is refused, and left as it is", async () => {
  const { handle } = await (await catalogFile()).open();
  await handle.run({ sql: "INSERT INTO catalog_migrations VALUES (99, 'later', 0)", params: [] });
  await expect(openCatalog({ handle })).rejects.toMatchObject({
    code: "MIGRATION_MISSING",
    message: expect.stringContaining("99"),
    hint: expect.stringContaining("newer"),
  });
});

test("a tenant's history survives in the audit log when its row is edited by hand", async () => {
  const { catalog, handle } = await (await catalogFile()).open();
  await catalog.create(tenant("acme"));
  await handle.run({ sql: "DELETE FROM tenants WHERE id = 'acme'", params: [] });
  expect(await catalog.count()).toMatchObject({ active: 0, deleted: 0 });
  expect((await catalog.listAudit()).entries).toMatchObject([{ action: "tenant.create", tenant: "acme" }]);
});
