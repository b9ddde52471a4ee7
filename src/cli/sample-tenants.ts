// Owns making the sample tenants, for somebody who wants to see it work.
// The rows are those of src/sample.
import { fileURLToPath } from "node:url";
import { sampleStatements, sampleTenants } from "../sample/sample-data.ts";
import { parseTenantId } from "../tenant-id.ts";
import type { Tenantry } from "../tenantry.ts";
import { exists } from "../drivers/local/database-file.ts";
import { type Cli, DEFAULT_MIGRATIONS } from "./cli.ts";

/** Makes the sample tenants where there is no tenant at all; gives the names of those made. */
export async function makeSampleTenants(tenantry: Tenantry): Promise<string[]> {
  const { catalog, lifecycle, tenants } = tenantry;
  const { tenants: some } = await catalog.list({ limit: 1 });
  if (some.length > 0) return [];
  const made: string[] = [];
  for (const { id: name } of sampleTenants()) {
    const id = parseTenantId(name);
    await lifecycle.create(id, { actor: "sample" });
    await tenants.runner(id).batch(sampleStatements(id));
    made.push(id);
  }
  return made;
}

/**
 * The folder of the sample's migrations: the one that is set or lies here, else the package's own, so that
 * the sample works in an empty folder.
 */
export async function sampleMigrations({ settings }: Cli): Promise<string> {
  const { migrations } = settings;
  if (migrations !== DEFAULT_MIGRATIONS || (await exists(migrations))) return migrations;
  return fileURLToPath(new URL("../../migrations", import.meta.url));
}
