// Owns looking a tenant up where it has to be there.
// Does not say what may be done with it.
import type { Catalog } from "../catalog/catalog.ts";
import type { TenantRecord } from "../catalog/tenant-record.ts";
import type { TenantId } from "../tenant-id.ts";
import { unknownTenant } from "./tenant-errors.ts";

/** A tenant's record, as `catalog.get()` finds it. @throws {TenantryError} `TENANT_NOT_FOUND` */
export async function findTenant(
  catalog: Catalog,
  id: TenantId,
  options?: Parameters<Catalog["get"]>[1],
): Promise<TenantRecord> {
  const record = await catalog.get(id, options);
  if (!record) throw unknownTenant(id);
  return record;
}
