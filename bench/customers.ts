// Owns a data folder whose tenants have a customer each, by the sample's migrations: for what `tenantry serve`
// serves, which reads its migrations from a folder.
// Measures nothing.
import { join } from "node:path";
import { openTenantry } from "./fleet.ts";
import type { TenantId } from "../src/tenant-id.ts";

/** The folder of the sample's migrations. */
export const SAMPLE_MIGRATIONS: string = join(import.meta.dirname, "../migrations");

const FIRST_CUSTOMER = `INSERT INTO customers (name, email, city, country)
VALUES ('Lindqvist & Søner', 'post@lindqvist.example', 'Bergen', 'NO')`;

/** Makes a data folder with these tenants, and closes it. */
export async function makeCustomers(data: string, tenants: Iterable<TenantId>): Promise<void> {
  await using tenantry = await openTenantry({ data, migrations: SAMPLE_MIGRATIONS });
  for (const tenant of tenants) {
    await tenantry.lifecycle.create(tenant);
    await tenantry.database(tenant).prepare(FIRST_CUSTOMER).run();
  }
}
