// Owns a tenant of another Tenantry as a place of copies: made empty and suspended, filled, and resumed.
// How rows travel and are compared is src/copy's.
import { copyDatabase, planFor } from "../copy/copy-database.ts";
import { TENANT_END, tenantTarget } from "../copy/d1-end.ts";
import { sha256 } from "../copy/file-end.ts";
import type { LibsqlHandle } from "../drivers/libsql/libsql-handle.ts";
import { libsqlDriver } from "../drivers/libsql/libsql-driver.ts";
import { BEING_COPIED } from "../tenants/acts.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import type { CopyPlace } from "./copy-place.ts";
import { type OtherTenant, otherTenant } from "./other-tenantry.ts";

/** Milliseconds that one request of a copy may take. */
const REQUEST_TIMEOUT_MS = 60_000;

/** @param fallback the tenant, where `text` names none */
export function tenantPlace(text: string, fallback: string): CopyPlace {
  const other = otherTenant(text, fallback);
  return {
    async receive(source, onProgress) {
      const plan = await planFor(source, TENANT_END);
      await makeEmpty(other);
      const report = await withDatabase(other, (handle) =>
        copyDatabase(source, tenantTarget(handle), { sha256, onProgress, plan }).catch((error: unknown) => {
          throw isTenantryError(error, "DATABASE_EXISTS") ? alreadyWhole(other, error) : error;
        }),
      );
      await other.ask("POST", `/${other.tenant}/resume`);
      return report;
    },
    read: (fn) => withDatabase(other, (handle) => fn({ db: handle, stable: false })),
  };
}

/** A tenant that a copy was cut short of is gone on with: the mark in it tells whether all in it is a copy's. */
async function makeEmpty({ tenant, ask }: OtherTenant): Promise<void> {
  try {
    await ask("POST", "", { id: tenant, empty: true });
  } catch (error) {
    if (!isTenantryError(error, "TENANT_EXISTS")) throw error;
    const { state, reason } = await ask<{ state: string; reason: string | null }>("GET", `/${tenant}`);
    if (state === "suspended" && reason === BEING_COPIED) return;
    throw new TenantryError("TENANT_EXISTS", `There is a tenant "${tenant}" there already.`, {
      hint: "Nothing of it was changed. Name another one, or delete that one first.",
      cause: error,
    });
  }
}

/** Made empty for a copy, and neither empty nor marked: what ended before this was cut short was its last step. */
function alreadyWhole({ tenant }: OtherTenant, cause: TenantryError): TenantryError {
  return new TenantryError(
    "DATABASE_EXISTS",
    `The copy of "${tenant}" is whole and was compared, and is suspended.`,
    {
      hint: `Resume it: POST /admin/tenants/${tenant}/resume. Or delete it, and copy again.`,
      cause,
    },
  );
}

async function withDatabase<T>(
  { databaseUrl, key }: OtherTenant,
  fn: (handle: LibsqlHandle) => Promise<T>,
): Promise<T> {
  const driver = libsqlDriver({
    // Only openUrl() is used, which needs no tenant's name.
    url: "libsql://{tenant}.invalid",
    authToken: key,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
  });
  const handle = await driver.openUrl(databaseUrl);
  try {
    return await fn(handle);
  } finally {
    await handle.close();
  }
}
