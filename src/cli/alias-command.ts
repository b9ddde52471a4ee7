// Owns `tenantry tenants alias`: the hosts that stand for a tenant.
// Does not know `<tenant>.example.com`, which needs no alias.
import type { Command } from "commander";
import { parseTenantId } from "../tenant-id.ts";
import { findTenant } from "../tenants/find-tenant.ts";
import type { Cli } from "./cli.ts";
import { examples } from "./examples.ts";

/** Adds `alias`. */
export function aliasCommand(tenants: Command, cli: Cli): void {
  const alias = tenants.command("alias").description("hosts that stand for a tenant");

  alias
    .command("add")
    .description("let a host stand for a tenant")
    .argument("<tenant>")
    .argument("<host>")
    .addHelpText(
      "after",
      examples([["tenantry tenants alias add acme billing.acme.com", "requests to that host are acme's"]]),
    )
    .action((name: string, host: string) =>
      cli.use({}, async ({ catalog }) => {
        const tenant = parseTenantId(name);
        await catalog.addAlias(host, tenant, cli.actor);
        await told(cli, { tenant, host: host.toLowerCase() }, `${host.toLowerCase()} stands for ${tenant}`);
      }),
    );

  alias
    .command("remove")
    .alias("rm")
    .description("take a host away")
    .argument("<host>")
    .action((host: string) =>
      cli.use({}, async ({ catalog }) => {
        await catalog.removeAlias(host, cli.actor);
        await told(cli, { host: host.toLowerCase() }, `removed ${host.toLowerCase()}`);
      }),
    );

  alias
    .command("list")
    .alias("ls")
    .description("list a tenant's hosts")
    .argument("<tenant>")
    .action((name: string) =>
      cli.use({}, async ({ catalog }) => {
        const tenant = parseTenantId(name);
        await findTenant(catalog, tenant);
        const hosts = await catalog.aliasesOf(tenant);
        if (cli.screen.json) return cli.screen.printJson({ hosts });
        for (const host of hosts) await cli.screen.print(host);
        if (hosts.length === 0) cli.screen.note("No hosts.");
      }),
    );
}

function told(cli: Cli, value: unknown, line: string): Promise<void> {
  return cli.screen.json ? cli.screen.printJson(value) : cli.screen.print(line);
}
