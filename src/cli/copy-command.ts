// Owns `tenantry copy`: a tenant's database as another database elsewhere, or one from elsewhere as a new tenant.
// How rows travel and are compared is src/copy's.
import type { Command } from "commander";
import type { CopyProgress, CopyReport } from "../copy/copy-database.ts";
import { copyToFile } from "../copy/file-end.ts";
import { MAX_TIMER_MS } from "../fifo-lock.ts";
import { parseTenantId, type TenantId } from "../tenant-id.ts";
import { findTenant } from "../tenants/find-tenant.ts";
import type { Tenantry } from "../tenantry.ts";
import type { Cli } from "./cli.ts";
import type { CopyPlace } from "./copy-place.ts";
import { copyPlace, D1_ACCOUNT, D1_TOKEN } from "./copy-places.ts";
import { examples } from "./examples.ts";
import { LIBSQL_TOKEN } from "./libsql-settings.ts";
import { OTHER_KEY } from "./other-tenantry.ts";
import { counted } from "./quantity.ts";
import { WrongUse } from "./report-error.ts";
import type { Screen } from "./screen.ts";

interface CopyCommandOptions {
  readonly to?: string;
  readonly from?: string;
}

/** Adds `copy`. */
export function copyCommand(program: Command, cli: Cli): void {
  program
    .command("copy")
    .description("copy a tenant's database to another driver's, or one of those to a new tenant")
    .argument("<tenant>")
    .option(
      "--to <place>",
      "an empty database: file:PATH, libsql://… (https:, http:, wss:, ws:), d1:NAME, do:https://…",
    )
    .option("--from <place>", "a database, which becomes a new tenant, or is copied --to another place")
    .addHelpText(
      "after",
      examples([
        ["tenantry copy acme --to file:./acme.db", "one file, compared table by table"],
        ["tenantry copy acme --to libsql://acme-org.turso.io", `the token is in ${LIBSQL_TOKEN}`],
        ["tenantry copy acme --to d1:acme", `${D1_ACCOUNT} and ${D1_TOKEN} say whose`],
        [
          "tenantry copy acme --to do:https://tenants.example.com",
          `a tenant of a Worker, whose key is in ${OTHER_KEY}`,
        ],
        ["tenantry copy acme --from libsql://acme-org.turso.io", "and back"],
        [
          "tenantry copy acme --from do:https://tenants.example.com --to file:./acme.db",
          "from there to there",
        ],
      ]),
    )
    .action(async (name: string, { to, from }: CopyCommandOptions) => {
      const tenant = parseTenantId(name);
      if (to === undefined && from === undefined) {
        throw new WrongUse("Say --to, --from, or both.", "tenantry copy acme --to file:./acme.db");
      }
      const place = copyPlace(to ?? from ?? "", tenant);
      const source = from !== undefined && to !== undefined ? copyPlace(from, tenant) : undefined;
      const progress = progressNotes(cli.screen);
      const report = source
        ? await source.read((there) => place.receive(there, progress))
        : to !== undefined
          ? await cli.use({}, (tenantry) => copyOut(tenantry, tenant, place, progress))
          : await cli.use({ create: true, migrations: true }, (tenantry) =>
              copyIn(tenantry, tenant, place, progress, cli.actor),
            );
      const { rows, tables } = report;
      if (cli.screen.json)
        return cli.screen.printJson({ tenant, ...(from && { from }), ...(to && { to }), rows, tables });
      const way = [...(from ? [`from ${from}`] : []), ...(to ? [`to ${to}`] : [])].join(" ");
      await cli.screen.print(
        `copied ${tenant} ${way}: ${counted(rows, "row")} in ${counted(tables.length, "table")}, the same on both sides`,
      );
    });
}

/** Whoever writes meanwhile goes on: what is copied is of one moment. */
async function copyOut(
  { catalog, tenants }: Tenantry,
  id: TenantId,
  place: CopyPlace,
  onProgress: (progress: CopyProgress) => void,
): Promise<CopyReport> {
  const record = await findTenant(catalog, id);
  const { capabilities } = tenants.driverOf(record);
  return tenants.visit(record, (handle) => {
    if (!capabilities.transactions) return place.receive({ db: handle, stable: false }, onProgress);
    return handle.transaction(
      "read",
      (tx) => place.receive({ db: tx, stable: true, ...(capabilities.snapshots && { handle }) }, onProgress),
      { timeoutMs: MAX_TIMER_MS },
    );
  });
}

/** By way of a file, which is checked and migrated as an imported one is. */
async function copyIn(
  { driver, lifecycle }: Tenantry,
  id: TenantId,
  place: CopyPlace,
  onProgress: (progress: CopyProgress) => void,
  actor: string,
): Promise<CopyReport> {
  await using scratch = await driver.files.scratch();
  const report = await place.read((source) => copyToFile(source, scratch.path, onProgress));
  await lifecycle.importFile(id, scratch.path, { actor });
  return report;
}

/** A line for each tenth, and for each table that is compared. */
function progressNotes(screen: Screen): (progress: CopyProgress) => void {
  let tenths = -1;
  return ({ phase, done, total, table }) => {
    const now = Math.floor((done / Math.max(1, total)) * 10);
    if (phase === "verifying" || now === tenths) return;
    tenths = now;
    screen.note(`${done} of ${counted(total, "row")}, ${table}`);
  };
}
