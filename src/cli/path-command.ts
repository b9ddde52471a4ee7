// Owns `tenantry path`: where a tenant's file lies.
// Opens no tenant.
import type { Command } from "commander";
import { databasePath } from "../drivers/local/database-file.ts";
import { parseTenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import { findTenant } from "../tenants/find-tenant.ts";
import type { Cli } from "./cli.ts";
import { examples } from "./examples.ts";

/** Adds `path`. */
export function pathCommand(program: Command, cli: Cli): void {
  program
    .command("path")
    .description("print the file of a tenant's database")
    .argument("<tenant>")
    .addHelpText(
      "after",
      examples([
        ['sqlite3 -readonly "$(tenantry path acme)" .tables', "look at it with other tools"],
        ["tenantry tenants suspend acme", "before the file is copied or replaced"],
      ]),
    )
    .action((name: string) =>
      cli.use({}, async ({ catalog, driver }) => {
        const tenant = parseTenantId(name);
        const record = await findTenant(catalog, tenant);
        if (record.driver !== driver.name) {
          throw new TenantryError(
            "UNSUPPORTED",
            `Tenant "${tenant}" is kept by the driver "${record.driver}".`,
            {
              tenant,
              hint: "It has no file here.",
            },
          );
        }
        const path = databasePath(driver.dir, tenant);
        await (cli.screen.json ? cli.screen.printJson({ tenant, path }) : cli.screen.print(path));
      }),
    );
}
