// Owns `tenantry tenants`: list, create, fork, show, suspend, resume, delete.
// Settings, files and hosts are next door, in tenant-settings-command.ts, tenant-files.ts and alias-command.ts.
import { type Command, Option } from "commander";
import type { Catalog } from "../catalog/catalog.ts";
import { MAX_PAGE_LIMIT } from "../catalog/page-cursor.ts";
import { TENANT_STATES, type TenantRecord, type TenantState } from "../catalog/tenant-record.ts";
import type { TenantQuery } from "../catalog/tenant-table.ts";
import { databasePath } from "../drivers/local/database-file.ts";
import { parseTenantId } from "../tenant-id.ts";
import { findTenant } from "../tenants/find-tenant.ts";
import { aliasCommand } from "./alias-command.ts";
import type { Cli } from "./cli.ts";
import { confirm } from "./confirm.ts";
import { examples } from "./examples.ts";
import { bytesText, momentText, wholeNumber } from "./quantity.ts";
import type { Screen, Style } from "./screen.ts";
import { exportCommand, importCommand } from "./tenant-files.ts";
import { eachTenant, showTenant } from "./tenant-report.ts";
import { settingsCommands } from "./tenant-settings-command.ts";
import { type Column, tableLines } from "./text-table.ts";

const COLUMNS: readonly Column[] = [
  { header: "TENANT", whole: true },
  { header: "STATE", whole: true },
  { header: "SCHEMA" },
  { header: "SIZE", align: "right", whole: true },
  { header: "CREATED (UTC)", whole: true },
  { header: "OPENED (UTC)", whole: true },
];

const STATE_COLUMN = 1;
const STATE_STYLES: Readonly<Record<TenantState, Style>> = {
  active: "green",
  suspended: "yellow",
  migrating: "cyan",
  quarantined: "red",
  moving: "cyan",
  deleted: "gray",
};

interface ListOptions {
  readonly state?: TenantState[];
  readonly prefix?: string;
  readonly limit?: number;
  readonly cursor?: string;
  readonly all?: true;
}

/** Adds `tenants`. */
export function tenantsCommand(program: Command, cli: Cli): void {
  const tenants = program.command("tenants").description("list, create and end tenants");

  tenants
    .command("list")
    .alias("ls")
    .description("list tenants by name")
    .addOption(new Option("--state <states...>", "only those in these states").choices(TENANT_STATES))
    .option("--prefix <text>", "only those whose name begins so")
    .option(
      "--limit <n>",
      `tenants of a page, up to ${MAX_PAGE_LIMIT} (default: 100)`,
      wholeNumber(1, MAX_PAGE_LIMIT),
    )
    .option("--cursor <cursor>", "the page after the one that printed this cursor")
    .option("--all", "all pages")
    .addHelpText(
      "after",
      examples([
        ["tenantry tenants list --state quarantined", "those whose migration failed"],
        ["tenantry tenants list --all --json | jq -r .tenants[].id", "all names"],
      ]),
    )
    .action((options: ListOptions) => cli.use({}, ({ catalog }) => list(cli, catalog, options)));

  tenants
    .command("create")
    .description("create tenants, each with an empty, migrated database")
    .argument("<tenants...>", "their names")
    .addHelpText(
      "after",
      examples([
        ["tenantry tenants create acme globex", "two tenants"],
        ["seq -f 'shop-%g' 1000 | xargs tenantry tenants create", "a thousand"],
      ]),
    )
    .action((names: string[]) =>
      cli.use({ create: true, migrations: true }, ({ lifecycle }) =>
        eachTenant(cli, names, "created", (id) => lifecycle.create(id, { actor: cli.actor })),
      ),
    );

  tenants
    .command("fork")
    .description("make a new tenant of what another one holds now, with its settings")
    .argument("<from>")
    .argument("<to>")
    .action((from: string, to: string) =>
      cli.use({ migrations: true }, ({ lifecycle }) =>
        eachTenant(cli, [to], "created", (id) =>
          lifecycle.fork(parseTenantId(from), id, { actor: cli.actor }),
        ),
      ),
    );

  tenants
    .command("show")
    .description("show what is known of a tenant")
    .argument("<tenant>")
    .action((name: string) =>
      cli.use({}, async ({ catalog, driver }) => {
        const id = parseTenantId(name);
        const record = await findTenant(catalog, id, { deleted: true });
        await showTenant(cli, record, await catalog.aliasesOf(id), databasePath(driver.dir, id));
      }),
    );

  tenants
    .command("suspend")
    .description("stop serving tenants; their files can then be copied and replaced")
    .argument("<tenants...>")
    .option("--reason <text>", "why, for whoever meets it")
    .action((names: string[], { reason }: { reason?: string }) =>
      cli.use({}, ({ lifecycle }) =>
        eachTenant(cli, names, "suspended", (id) =>
          lifecycle.suspend(id, { actor: cli.actor, ...(reason !== undefined && { reason }) }),
        ),
      ),
    );

  tenants
    .command("resume")
    .description("serve suspended tenants again")
    .argument("<tenants...>")
    .action((names: string[]) =>
      cli.use({}, ({ lifecycle }) =>
        eachTenant(cli, names, "resumed", (id) => lifecycle.resume(id, { actor: cli.actor })),
      ),
    );

  tenants
    .command("delete")
    .alias("rm")
    .description("delete tenants and their databases, for good")
    .argument("<tenants...>")
    .option("-y, --yes", "do not ask")
    .addHelpText("after", examples([["tenantry tenants export acme -o acme.db", "keep a copy before that"]]))
    .action((names: string[], { yes }: { yes?: true }) =>
      cli.use({}, async ({ lifecycle }) => {
        const ids = names.map(parseTenantId);
        const what =
          ids.length === 1
            ? `tenant "${ids[0]}" and its database`
            : `${ids.length} tenants and their databases`;
        if (!yes && !(await confirm(cli.screen, `Delete ${what} for good?`))) {
          cli.screen.note("Nothing is deleted.");
          return cli.fail();
        }
        return eachTenant(cli, ids, "deleted", (id) => lifecycle.delete(id, { actor: cli.actor }));
      }),
    );

  settingsCommands(tenants, cli);
  importCommand(tenants, cli);
  exportCommand(tenants, cli);
  aliasCommand(tenants, cli);
}

async function list(cli: Cli, catalog: Catalog, options: ListOptions): Promise<void> {
  const { all = false, ...rest } = options;
  const { screen } = cli;
  let query: TenantQuery = { ...rest, limit: rest.limit ?? (all ? MAX_PAGE_LIMIT : undefined) };
  let shown = 0;
  // One object over all pages, written as they come.
  if (screen.json && all) await screen.write('{"tenants":[');
  for (;;) {
    const { tenants, cursor } = await catalog.list(query);
    if (!screen.json) await printPage(screen, tenants, shown === 0);
    else if (!all) await screen.printJson({ tenants, cursor });
    else if (tenants.length > 0) {
      await screen.write((shown === 0 ? "" : ",") + tenants.map((one) => JSON.stringify(one)).join(","));
    }
    shown += tenants.length;
    if (all && cursor !== null && !screen.gone) {
      query = { ...query, cursor };
      continue;
    }
    if (screen.json && all) await screen.write('],"cursor":null}\n');
    if (shown === 0) screen.note("No tenants.");
    if (cursor !== null && !all) screen.note(`There are more: --cursor ${cursor}, or --all.`);
    return;
  }
}

async function printPage(screen: Screen, page: readonly TenantRecord[], first: boolean): Promise<void> {
  if (page.length === 0) return;
  const lines = tableLines(COLUMNS, page.map(rowOf), {
    width: screen.width,
    styleHeader: (text) => screen.style("bold", text),
    styleCell: (text, row, column) =>
      column === STATE_COLUMN ? screen.style(STATE_STYLES[page[row]?.state ?? "active"], text) : text,
  });
  await screen.print(lines.slice(first ? 0 : 1).join("\n"));
}

function rowOf(record: TenantRecord): string[] {
  const { id, state, schemaVersion, sizeBytes, createdAt, openedAt } = record;
  return [id, state, schemaVersion || "-", bytesText(sizeBytes), momentText(createdAt), momentText(openedAt)];
}
