// Owns `tenantry recover`: bringing an installation back from its replica, on a machine that has nothing.
// Fetches nothing itself.
import type { Command } from "commander";
import { recoverCatalog } from "../backups/recover-catalog.ts";
import { moment } from "../backups/replica-lines.ts";
import { workThrough } from "../backups/work-through.ts";
import type { TenantRecord } from "../catalog/tenant-record.ts";
import { parseTenantId, type TenantId } from "../tenant-id.ts";
import type { Tenantry } from "../tenantry.ts";
import { findTenant } from "../tenants/find-tenant.ts";
import { type Cli, isDataFolder } from "./cli.ts";
import { examples } from "./examples.ts";
import { progressView } from "./migrate-progress.ts";
import { counted, wholeNumber } from "./quantity.ts";
import { type PrintedError, printedError, WrongUse } from "./report-error.ts";

/** Tenants that are fetched at once unless the caller says otherwise. */
const DEFAULT_CONCURRENCY = 4;
/** Tenants that are looked up at once. */
const PAGE = 1000;

interface RecoverOptions {
  readonly all?: true;
  readonly tenant?: string[];
  readonly concurrency: number;
}

/** Adds `recover`. */
export function recoverCommand(program: Command, cli: Cli): void {
  program
    .command("recover")
    .description("bring the catalog back from the replica, and tenants on first use, or all at once")
    .option("--all", "fetch every tenant now")
    .option("--tenant <tenants...>", "fetch these now")
    .option("--concurrency <n>", "tenants fetched at once", wholeNumber(1, 64), DEFAULT_CONCURRENCY)
    .addHelpText(
      "after",
      examples([
        [
          "tenantry recover --data ./data --replica s3://bucket/tenants",
          "then serve: each comes when it is asked for",
        ],
        [
          "tenantry recover --data ./data --replica s3://bucket/tenants --all",
          "everybody, before anybody asks",
        ],
      ]),
    )
    .action((options: RecoverOptions) => recover(cli, options));
}

async function recover(cli: Cli, { all, tenant, concurrency }: RecoverOptions): Promise<void> {
  const { screen } = cli;
  const { data, replica } = cli.settings;
  if (!replica)
    throw new WrongUse("The replica is not named.", "Say --replica URL, or set TENANTRY_REPLICA.");
  const isThere = await isDataFolder(data);
  const catalog = isThere ? undefined : await recoverCatalog({ data, replica, actor: cli.actor });
  if (catalog && !screen.json) {
    const { at, away, here, dirty, never } = catalog;
    const found = here === 0 ? "" : `, ${here} of them in the folder`;
    await screen.print(`recovered the catalog of ${moment(at)}: ${counted(away + here, "tenant")}${found}`);
    if (dirty > 0)
      screen.note(`${counted(dirty, "tenant")} may have written later than the replica reaches.`);
    if (never > 0) screen.note(`Never in the replica: ${counted(never, "tenant")}.`);
  }
  if (isThere && !all && !tenant) {
    throw new WrongUse(
      "There is a catalog here already.",
      "Say --all or --tenant to fetch what is not on this disk.",
    );
  }
  const result =
    all || tenant ? await cli.use({}, (open) => fetchTenants(cli, open, concurrency, tenant)) : undefined;
  if (screen.json) return screen.printJson({ catalog: catalog ?? null, ...result });
  if (result)
    await screen.print(`${counted(result.fetched, "tenant")} fetched, ${result.failed.length} failed`);
}

async function fetchTenants(
  cli: Cli,
  { catalog, recovery: { hydration } }: Tenantry,
  concurrency: number,
  names: readonly string[] | undefined,
) {
  const { screen } = cli;
  const chosen = names && (await Promise.all(names.map((name) => findTenant(catalog, parseTenantId(name)))));
  async function* away(): AsyncGenerator<TenantRecord> {
    for (let after = ""; ;) {
      const page = await catalog.backups.away(PAGE, after);
      yield* page;
      after = page.at(-1)?.id ?? "";
      if (page.length < PAGE) return;
    }
  }
  const failed: ({ readonly tenant: TenantId } & PrintedError)[] = [];
  let fetched = 0;
  const view = progressView(screen, chosen?.length ?? (await catalog.backups.countAway()));
  try {
    await workThrough(chosen ?? away(), {
      concurrency,
      work: async (record) => {
        try {
          await hydration.bring(record);
          fetched++;
        } catch (error) {
          failed.push({ tenant: record.id, ...printedError(error) });
        }
        view.update({ done: fetched + failed.length, failed: failed.length });
      },
    });
  } finally {
    view.stop();
  }
  if (failed.length > 0) cli.fail();
  if (!screen.json) {
    for (const { tenant, message } of failed) {
      screen.complain(`${screen.noteStyle("red", "failed")} ${tenant}: ${message}`);
    }
  }
  return { fetched, failed };
}
