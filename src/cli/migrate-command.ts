// Owns `tenantry migrate`: over all tenants, its state, and trying again where it failed.
// Chooses nothing: the fleet's migration asks the catalog who is behind.
import type { Command } from "commander";
import type { TenantRecord } from "../catalog/tenant-record.ts";
import { type MigrationState, migrationStatus } from "../migrations/migration-status.ts";
import { parseTenantId, type TenantId } from "../tenant-id.ts";
import type { Tenantry } from "../tenantry.ts";
import {
  DEFAULT_MIGRATE_CONCURRENCY,
  type MigrateAllResult,
  type MigrateFailure,
} from "../tenants/fleet-migration.ts";
import { findTenant } from "../tenants/find-tenant.ts";
import type { Cli } from "./cli.ts";
import { examples } from "./examples.ts";
import { progressView } from "./migrate-progress.ts";
import { counted, durationText, wholeNumber } from "./quantity.ts";
import { printedError } from "./report-error.ts";
import type { Style } from "./screen.ts";
import { setting } from "./setting.ts";
import { tableLines } from "./text-table.ts";

/** Tenants that are named one by one. */
const MAX_NAMED = 20;

const STATE_STYLES: Readonly<Record<MigrationState, Style>> = {
  applied: "green",
  pending: "cyan",
  drifted: "red",
  missing: "red",
};

interface RunOptions {
  readonly concurrency: number;
  readonly dryRun?: true;
}

/** Adds `migrate`. */
export function migrateCommand(program: Command, cli: Cli): void {
  const concurrency = () =>
    setting("--concurrency <n>", "databases migrated at the same time")
      .argParser(wholeNumber(1, 64))
      .default(DEFAULT_MIGRATE_CONCURRENCY);

  const migrate = program
    .command("migrate")
    .description("bring every tenant to the current schema; goes on past failures")
    .addOption(concurrency())
    .option("--dry-run", "only say which tenants are behind")
    .addHelpText(
      "after",
      examples([
        ["tenantry migrate --dry-run", "who is behind?"],
        ["tenantry migrate", "migrate them; Ctrl-C stops, and it can be run again"],
        ["tenantry migrate status acme", "every migration as acme has it"],
        ["tenantry migrate retry", "try those again whose migration failed"],
      ]),
    )
    .action((options: RunOptions) =>
      cli.use({ migrations: true }, (tenantry) =>
        options.dryRun ? dryRun(cli, tenantry) : runAll(cli, tenantry, options.concurrency, false),
      ),
    );

  migrate
    .command("status")
    .description("how far all tenants are, or every migration of one")
    .argument("[tenant]")
    .action((name: string | undefined) =>
      cli.use({ migrations: true }, (tenantry) =>
        name === undefined ? fleetStatus(cli, tenantry) : tenantStatus(cli, tenantry, parseTenantId(name)),
      ),
    );

  migrate
    .command("retry")
    .description("migrate quarantined tenants again: all, or those named")
    .argument("[tenants...]")
    // `--concurrency` of `migrate` itself is known here as well.
    .action((names: string[], _: unknown, command: Command) => {
      const { concurrency } = command.optsWithGlobals<RunOptions>();
      return cli.use({ migrations: true }, (tenantry) =>
        names.length === 0
          ? runAll(cli, tenantry, concurrency, true)
          : retryNamed(cli, tenantry, names.map(parseTenantId)),
      );
    });
}

async function runAll(cli: Cli, { fleet }: Tenantry, concurrency: number, retry: boolean): Promise<void> {
  const { screen } = cli;
  const stop = new AbortController();
  const interrupt = (): void => {
    if (stop.signal.aborted) process.exit(1);
    stop.abort();
    view.stop();
    screen.note("Stopping after the tenants under way; Ctrl-C again ends at once.");
  };
  const started = performance.now();
  const view = progressView(screen, await fleet.countBehind({ retry }));
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  let result: MigrateAllResult;
  try {
    result = await fleet.run({
      concurrency,
      retry,
      signal: stop.signal,
      onProgress: (progress) => {
        if (!stop.signal.aborted) view.update(progress);
      },
    });
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
    view.stop();
  }
  const { behind, migrated, failed } = result;
  const left = Math.max(0, behind - migrated - failed.length);
  const stopped = stop.signal.aborted && left > 0;
  if (failed.length > 0 || stopped) cli.fail();
  if (screen.json) return screen.printJson({ ...result, stopped });
  if (behind === 0)
    return screen.print(retry ? "No tenant is quarantined." : "Every tenant has the current schema.");
  const took = durationText(performance.now() - started);
  const parts = [`${counted(migrated, "tenant")} migrated in ${took}`];
  if (failed.length > 0) parts.push(screen.style("red", counted(failed.length, "failed", "failed")));
  if (stopped) parts.push(`${counted(left, "left", "left")}: run it again to go on`);
  await screen.print(`${parts.join(", ")}.`);
  reportFailures(cli, failed);
}

/** Names who failed and why: one line for each reason and tenant, all of them, for they need work. */
function reportFailures({ screen }: Cli, failed: readonly MigrateFailure[]): void {
  if (failed.length === 0) return;
  const byReason = Map.groupBy(failed, ({ message }) => message);
  for (const [message, failures] of byReason) {
    screen.complain(
      `${screen.noteStyle(["red", "bold"], "failed:")} ${failures.map(({ tenant }) => tenant).join(", ")}`,
    );
    screen.complain(`  ${message}`);
  }
  screen.note(
    `${screen.noteStyle("cyan", "hint:")} Those whose migration failed are quarantined; the others serve. When it is mended: tenantry migrate retry`,
  );
}

async function retryNamed(cli: Cli, { fleet }: Tenantry, ids: readonly TenantId[]): Promise<void> {
  const { screen } = cli;
  const failed: MigrateFailure[] = [];
  for (const tenant of ids) {
    try {
      await fleet.one(tenant);
      if (!screen.json) await screen.print(`migrated ${tenant}`);
    } catch (error) {
      if (ids.length === 1) throw error;
      const { code, message } = printedError(error);
      failed.push({ tenant, code: code as MigrateFailure["code"], message });
    }
  }
  if (failed.length > 0) cli.fail();
  if (screen.json) {
    return screen.printJson({
      behind: ids.length,
      migrated: ids.length - failed.length,
      failed,
      stopped: false,
    });
  }
  reportFailures(cli, failed);
}

async function dryRun({ screen }: Cli, { fleet, migrations }: Tenantry): Promise<void> {
  const behind: Pick<TenantRecord, "id" | "state" | "schemaVersion">[] = [];
  for await (const { id, state, schemaVersion } of fleet.behind()) behind.push({ id, state, schemaVersion });
  const { version, hash } = migrations;
  if (screen.json) return screen.printJson({ version, hash, behind: behind.length, tenants: behind });
  if (behind.length === 0) return screen.print("Every tenant has the current schema.");
  await screen.print(
    `${counted(behind.length, "tenant")} would be migrated to ${version ?? "the empty schema"}:`,
  );
  const lines = tableLines(
    [{ header: "TENANT", whole: true }, { header: "STATE", whole: true }, { header: "SCHEMA" }],
    behind.slice(0, MAX_NAMED).map(({ id, state, schemaVersion }) => [id, state, schemaVersion || "-"]),
    { width: screen.width, styleHeader: (text) => screen.style("bold", text) },
  );
  await screen.print(lines.join("\n"));
  if (behind.length > MAX_NAMED) await screen.print(`and ${counted(behind.length - MAX_NAMED, "other")}`);
}

async function fleetStatus({ screen }: Cli, { catalog, fleet, migrations }: Tenantry): Promise<void> {
  const { deleted: _, ...states } = await catalog.count();
  const total = Object.values(states).reduce((sum, count) => sum + count, 0);
  const behind = await fleet.countBehind();
  const { tenants: quarantined } = await catalog.list({ state: "quarantined", limit: MAX_NAMED });
  const { version, hash } = migrations;
  if (screen.json) {
    return screen.printJson({
      version,
      hash,
      migrations: migrations.migrations.map(({ name }) => name),
      tenants: total,
      behind,
      quarantined: states.quarantined,
    });
  }
  await screen.print(`${counted(migrations.migrations.length, "migration")}, the last ${version ?? "-"}`);
  const current = total - behind - states.quarantined;
  await screen.print(
    `${counted(total, "tenant")}: ${counted(current, "current", "current")}, ${counted(behind, "behind", "behind")}, ${counted(states.quarantined, "quarantined", "quarantined")}`,
  );
  for (const { id, reason } of quarantined) {
    screen.complain(`${screen.noteStyle(["red", "bold"], "quarantined:")} ${id}`);
    screen.complain(`  ${reason ?? "for no recorded reason"}`);
  }
  if (states.quarantined > quarantined.length)
    screen.note("There are more: tenantry tenants list --state quarantined");
}

async function tenantStatus(
  { screen }: Cli,
  { catalog, tenants, migrations }: Tenantry,
  id: TenantId,
): Promise<void> {
  const record = await findTenant(catalog, id);
  const status = await tenants.visit(record, (handle) => migrationStatus(handle, migrations));
  if (screen.json) return screen.printJson({ tenant: id, state: record.state, migrations: status });
  const lines = tableLines(
    [{ header: "MIGRATION" }, { header: "STATE", whole: true }, { header: "APPLIED (UTC)", whole: true }],
    status.map(({ name, state, appliedAt }) => [name, state, appliedAt ?? "-"]),
    {
      width: screen.width,
      styleHeader: (text) => screen.style("bold", text),
      styleCell: (text, row, column) =>
        column === 1 ? screen.style(STATE_STYLES[status[row]?.state ?? "applied"], text) : text,
    },
  );
  await screen.print(lines.join("\n"));
  if (record.state === "quarantined") screen.note(`Quarantined: ${record.reason ?? "-"}`);
}
