// Owns `tenantry snapshot`: taking, listing and dropping snapshots.
// Takes none itself.
import type { Command } from "commander";
import type { Snapshot, SnapshotRetention } from "../backups/snapshots.ts";
import { parseTenantId } from "../tenant-id.ts";
import type { Cli } from "./cli.ts";
import { examples } from "./examples.ts";
import { progressView } from "./migrate-progress.ts";
import { bytesText, counted, parseDurationSeconds, wholeNumber } from "./quantity.ts";
import { WrongUse } from "./report-error.ts";
import { tableLines } from "./text-table.ts";

interface TakeOptions {
  readonly all?: true;
  readonly keep?: number;
  /** Seconds. */
  readonly maxAge?: number;
}

/** Adds `snapshot`. */
export function snapshotCommand(program: Command, cli: Cli): void {
  const snapshot = program
    .command("snapshot")
    .description("take checked copies of tenants, while they serve")
    .argument("[tenant]", "its name")
    .option("--all", "of every tenant, at the same moment by the clock")
    .option("--keep <n>", "then drop all but the newest so many of it", wholeNumber(1))
    .option(
      "--max-age <time>",
      "then drop those that are older, such as 30d; never the newest",
      parseDurationSeconds,
    )
    .addHelpText(
      "after",
      examples([
        ["tenantry snapshot acme", "before a risky change"],
        ["tenantry snapshot --all --keep 7", "of everybody, from cron"],
        ["tenantry snapshot list acme", "what there is"],
        ["tenantry restore acme --from-snapshot", "bring the newest back"],
      ]),
    )
    .action((name: string | undefined, options: TakeOptions) => take(cli, name, options));

  snapshot
    .command("list")
    .alias("ls")
    .description("list snapshots, oldest first")
    .argument("[tenant]", "only this one's")
    .action((name: string | undefined) => list(cli, name));
}

async function take(cli: Cli, name: string | undefined, { all, keep, maxAge }: TakeOptions): Promise<void> {
  const { screen } = cli;
  if ((name === undefined) !== (all === true)) {
    throw new WrongUse("Which tenant is meant?", "Name one, or say --all.");
  }
  const retention: SnapshotRetention = { keep, maxAgeMs: maxAge === undefined ? undefined : maxAge * 1000 };
  await cli.use({ migrations: true }, async ({ catalog, recovery: { snapshots } }) => {
    if (name === undefined) {
      const counts = await catalog.count();
      const view = progressView(screen, counts.active + counts.suspended + counts.quarantined);
      const result = await snapshots
        .takeAll({ ...retention, actor: cli.actor, onProgress: (progress) => view.update(progress) })
        .finally(() => view.stop());
      if (result.failed.length > 0) cli.fail();
      if (screen.json) return screen.printJson(result);
      for (const { tenant, message } of result.failed) {
        screen.complain(`${screen.noteStyle("red", "failed")} ${tenant}: ${message}`);
      }
      const dropped = result.removed === 0 ? "" : `, ${result.removed} old ones dropped`;
      const over =
        result.passedOver === 0 ? "" : `, ${counted(result.passedOver, "tenant")} passed over: no files here`;
      return screen.print(
        `${counted(result.taken, "snapshot")} ${result.name} in ${snapshots.place}${dropped}${over}`,
      );
    }
    const id = parseTenantId(name);
    const taken = await snapshots.take(id, { actor: cli.actor });
    const removed = await snapshots.prune(id, retention);
    if (screen.json) return screen.printJson({ ...taken, removed });
    const dropped = removed === 0 ? "" : `, ${removed} old ones dropped`;
    return screen.print(`snapshot ${taken.name} of ${id}, ${bytesText(taken.storedBytes)}${dropped}`);
  });
}

async function list(cli: Cli, name: string | undefined): Promise<void> {
  const { screen } = cli;
  await cli.use({}, async ({ recovery: { snapshots } }) => {
    const found: Snapshot[] = [];
    if (name !== undefined) found.push(...(await snapshots.list(parseTenantId(name))));
    else for await (const id of snapshots.tenants()) found.push(...(await snapshots.list(id)));
    if (screen.json) return screen.printJson({ snapshots: found });
    if (found.length === 0) return screen.note("No snapshots.");
    const lines = tableLines(
      [
        { header: "TENANT", whole: true },
        { header: "SNAPSHOT", whole: true },
        { header: "SIZE", align: "right", whole: true },
      ],
      found.map(({ tenant, name: taken, storedBytes }) => [tenant, taken, bytesText(storedBytes)]),
      { width: screen.width, styleHeader: (text) => screen.style("bold", text) },
    );
    return screen.print(lines.join("\n"));
  });
}
