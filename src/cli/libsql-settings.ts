// Owns the settings by which the command line keeps new tenants in libSQL databases, and the driver that they make.
// Credentials come from the environment alone: an argument is in every list of processes.
import type { Driver } from "../drivers/driver.ts";
import { libsqlDriver } from "../drivers/libsql/libsql-driver.ts";
import { tursoProvisioner } from "../drivers/libsql/turso-provisioner.ts";
import { TenantryError } from "../tenantry-error.ts";

/** The token of libSQL databases. */
export const LIBSQL_TOKEN = "TENANTRY_LIBSQL_TOKEN";
/** The organisation at Turso, and a token of its platform API: with both, databases come and go with tenants. */
export const TURSO_ORG = "TENANTRY_TURSO_ORG";
export const TURSO_TOKEN = "TENANTRY_TURSO_TOKEN";
/** @default the organisation's only group */
export const TURSO_GROUP = "TENANTRY_TURSO_GROUP";

/** The driver of new tenants, where a template of URLs was given. @throws {TenantryError} `INVALID_OPTION` */
export function libsqlFromSettings(url: string | undefined): Driver | undefined {
  if (url === undefined || url === "") return undefined;
  const {
    [LIBSQL_TOKEN]: authToken,
    [TURSO_ORG]: org,
    [TURSO_TOKEN]: token,
    [TURSO_GROUP]: group,
  } = process.env;
  if (org && !token) throw halfSet(TURSO_ORG, TURSO_TOKEN);
  if (token && !org) throw halfSet(TURSO_TOKEN, TURSO_ORG);
  return libsqlDriver({
    url,
    ...(authToken && { authToken }),
    ...(org && token && { provisioner: tursoProvisioner({ org, token, ...(group && { group }) }) }),
  });
}

function halfSet(set: string, unset: string): TenantryError {
  return new TenantryError("INVALID_OPTION", `${set} is set, and ${unset} is not.`, {
    hint: "Set both, for databases that come and go with their tenants, or none, for those that are there.",
  });
}
