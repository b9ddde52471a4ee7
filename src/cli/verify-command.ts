// Owns `tenantry backups verify`: which tenants' restores are tried out, and saying what came of it.
// Restores nothing itself.
import type { Command } from "commander";
import type { DrillChoice, DrillRun } from "../backups/drills.ts";
import type { Job } from "../backups/jobs.ts";
import { parseTenantId } from "../tenant-id.ts";
import type { Cli } from "./cli.ts";
import { examples } from "./examples.ts";
import { bytesText, counted, durationText, wholeNumber } from "./quantity.ts";
import { WrongUse } from "./report-error.ts";

interface VerifyOptions {
  readonly sample?: number;
  readonly largest?: number;
  readonly all?: true;
}

/** Adds `verify`. */
export function verifyCommand(backups: Command, cli: Cli): void {
  backups
    .command("verify")
    .description("restore tenants to scratch, and compare every table with the live database")
    .argument("[tenants...]", "these")
    .option("--sample <n>", "so many, at random", wholeNumber(1))
    .option("--largest <n>", "the largest so many", wholeNumber(1))
    .option("--all", "each of them")
    .addHelpText(
      "after",
      examples([
        ["tenantry backups verify --sample 20", "every night"],
        ["tenantry backups verify acme", "one of them, now"],
      ]) + "\n\nExit code 1 when a restore failed or differed.",
    )
    .action((names: string[], options: VerifyOptions) => verify(cli, names, options));
}

async function verify(
  cli: Cli,
  names: readonly string[],
  { sample, largest, all }: VerifyOptions,
): Promise<void> {
  const { screen } = cli;
  const choices: DrillChoice[] = [];
  if (names.length > 0) choices.push({ tenants: names.map(parseTenantId) });
  if (sample !== undefined) choices.push({ sample });
  if (largest !== undefined) choices.push({ largest });
  if (all) choices.push({ all: true });
  const [choice, another] = choices;
  if (!choice || another) {
    throw new WrongUse("Which tenants are meant?", "Name them, or say one of --sample, --largest and --all.");
  }
  const server = await cli.server();
  const run = server
    ? await server.follow<DrillRun>(await server.ask<Job>("POST", "/admin/backups/verify", choice), (phase) =>
        screen.note(phase),
      )
    : await cli.use({ migrations: true }, ({ recovery: { drills } }) =>
        drills.run({
          ...choice,
          actor: cli.actor,
          onProgress: ({ done, total }) => screen.note(`${done} of ${total}`),
        }),
      );
  if (run.failed > 0) cli.fail();
  if (screen.json) return screen.printJson(run);
  for (const { tenant, outcome, problem, rows, bytes, restoreMs } of run.results) {
    if (outcome === "passed") {
      screen.note(`${tenant}: ${counted(rows, "row")}, ${bytesText(bytes)} in ${durationText(restoreMs)}`);
    } else {
      const style = outcome === "failed" ? "red" : "yellow";
      screen.complain(`${screen.noteStyle(style, outcome)} ${tenant}: ${problem}`);
    }
  }
  const skipped = run.skipped === 0 ? "" : `, ${run.skipped} skipped`;
  return screen.print(`${counted(run.passed, "tenant")} verified, ${run.failed} failed${skipped}`);
}
