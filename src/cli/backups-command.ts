// Owns `tenantry backups`: how each tenant's replica stands.
// Starts no replication: `tenantry serve --replica` does.
import { resolve } from "node:path";
import type { Command } from "commander";
import { BACKUP_ALARMS, type BackupsReport, type TenantBackup } from "../backups/backups-status.ts";
import { askReport } from "../backups/replication-gate.ts";
import { BACKUP_STATES, type BackupState } from "../catalog/tenant-record.ts";
import type { TenantRecord } from "../catalog/tenant-record.ts";
import { parseTenantId } from "../tenant-id.ts";
import { findTenant } from "../tenants/find-tenant.ts";
import type { Cli } from "./cli.ts";
import { oneLine } from "./display-text.ts";
import { examples } from "./examples.ts";
import { counted, durationText, momentText, wholeNumber } from "./quantity.ts";
import type { Style } from "./screen.ts";
import { type Column, tableLines } from "./text-table.ts";

/** Tenants that are listed unless the caller says otherwise. */
const DEFAULT_LISTED = 100;
const MAX_LISTED = 100_000;

const COLUMNS: readonly Column[] = [
  { header: "TENANT", whole: true },
  { header: "STATE", whole: true },
  { header: "LAG", align: "right", whole: true },
  { header: "IN REPLICA (UTC)", whole: true },
  { header: "TXID", align: "right", whole: true },
  { header: "VERIFIED (UTC)", whole: true },
  { header: "RESULT" },
];
const STATE_COLUMN = 1;
const STATE_STYLES: Readonly<Record<BackupState, Style>> = {
  none: "red",
  dirty: "yellow",
  settling: "yellow",
  clean: "green",
};

/** What is said of each state to a person. */
const STATE_WORDS: Readonly<Record<BackupState, string>> = {
  none: "never in a replica",
  dirty: "being replicated, or waiting for it",
  settling: "about to be let go",
  clean: "with the last write in the replica",
};

interface StatusOptions {
  readonly limit: number;
}

/** Adds `backups`, and gives it, for the commands that others add to it. */
export function backupsCommand(program: Command, cli: Cli): Command {
  const backups = program.command("backups").description("the replicas of tenants");
  backups
    .command("status")
    .description("how each tenant's replica stands; those not known to be in step come first")
    .argument("[tenants...]", "only these")
    .option("--limit <n>", "tenants to list", wholeNumber(1, MAX_LISTED), DEFAULT_LISTED)
    .addHelpText(
      "after",
      examples([
        ["tenantry backups status", "is everything in the replica?"],
        ["tenantry backups status acme --json", "one tenant, for a monitor"],
      ]),
    )
    .action((names: string[], options: StatusOptions) => status(cli, names, options));
  return backups;
}

function status(cli: Cli, names: readonly string[], { limit }: StatusOptions): Promise<void> {
  return cli.use({}, async ({ catalog }) => {
    const { screen } = cli;
    const counts = await catalog.backups.count();
    const records: TenantRecord[] = [];
    for (const name of names) {
      const record = await findTenant(catalog, parseTenantId(name), { fresh: true });
      records.push(record);
    }
    if (names.length === 0) {
      for (const state of BACKUP_STATES) {
        if (records.length < limit)
          records.push(...(await catalog.backups.list(state, limit - records.length)));
      }
    }
    const report = (await askReport(resolve(cli.settings.data))) as BackupsReport | undefined;
    const hot = new Map(report?.tenants.map((one) => [one.tenant as string, one]));
    const rows = records.map((record) => backupOf(record, hot.get(record.id)));
    if (screen.json) return screen.printJson({ server: report?.status ?? null, counts, tenants: rows });
    const summary = BACKUP_STATES.filter((state) => counts[state] > 0).map(
      (state) => `${counted(counts[state], "tenant")} ${STATE_WORDS[state]}`,
    );
    if (rows.length === 0) return screen.note("There are no tenants.");
    const lines = tableLines(
      COLUMNS,
      rows.map(({ tenant, state, lagMs, settledAt, txid, verifiedAt, verifyFailure, failure }) => [
        tenant,
        state,
        lagMs === null ? "-" : durationText(lagMs),
        momentText(settledAt),
        txid === 0 ? "-" : String(txid),
        momentText(verifiedAt),
        oneLine(failure ?? verifyFailure ?? (verifiedAt === null ? "-" : "ok")),
      ]),
      {
        width: screen.width,
        styleHeader: (text) => screen.style("bold", text),
        styleCell: (text, row, column) =>
          column === STATE_COLUMN ? screen.style(STATE_STYLES[rows[row]?.state ?? "none"], text) : text,
      },
    );
    await screen.print(lines.join("\n"));
    screen.note(`${summary.join("; ")}.`);
    screen.note(
      report
        ? `A server replicates to ${report.status.replica}.`
        : "No server replicates this folder: tenantry serve --replica URL does.",
    );
    for (const alarm of report?.status.alarms ?? []) {
      screen.note(`${screen.noteStyle("red", "ALARM")} ${alarm}: ${BACKUP_ALARMS[alarm]}`);
    }
    const left = Object.values(counts).reduce((sum, count) => sum + count, 0) - rows.length;
    if (names.length === 0 && left > 0) screen.note(`There are ${left} more: --limit ${rows.length + left}`);
  });
}

/** A tenant's replica, by the catalog and by the server that has it now. */
function backupOf(
  record: TenantRecord,
  hot: TenantBackup | undefined,
): {
  readonly tenant: string;
  readonly state: BackupState;
  /** Milliseconds; null where nobody replicates what may be missing. */
  readonly lagMs: number | null;
  readonly txid: number;
  readonly settledAt: number | null;
  readonly verifiedAt: number | null;
  readonly verifyFailure: string | null;
  readonly failure: string | null;
} {
  return {
    tenant: record.id,
    state: record.backupState,
    lagMs: record.backupState === "clean" ? 0 : (hot?.lagMs ?? null),
    txid: record.backupTxid,
    settledAt: record.backupSettledAt,
    verifiedAt: record.backupVerifiedAt,
    verifyFailure: record.backupVerifyFailure,
    failure: hot?.failure ?? null,
  };
}
