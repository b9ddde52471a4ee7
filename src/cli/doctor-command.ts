// Owns `tenantry doctor`: the visit, its report, and the exit code.
// The checks are in src/observe.
import { resolve } from "node:path";
import type { Command } from "commander";
import { exists } from "../drivers/local/database-file.ts";
import { examineBackups } from "../observe/doctor-backups.ts";
import { DEFAULT_DOCTOR_SAMPLE, examineData } from "../observe/doctor.ts";
import { examineRestores } from "../observe/doctor-restores.ts";
import { examineMachine } from "../observe/doctor-machine.ts";
import { type Finding, type Severity, worstOf } from "../observe/finding.ts";
import { isTenantryError } from "../tenantry-error.ts";
import { type Cli, isDataFolder } from "./cli.ts";
import { oneLine } from "./display-text.ts";
import { examples } from "./examples.ts";
import { counted, wholeNumber } from "./quantity.ts";
import type { Screen, Style } from "./screen.ts";

/** Findings of one check and severity that are printed; `--json` has all. */
const MAX_PRINTED = 10;

const MARKS: Readonly<Record<Severity, readonly [mark: string, style: Style]>> = {
  ok: ["ok   ", "green"],
  warn: ["warn ", "yellow"],
  error: ["error", "red"],
};

interface DoctorCommandOptions {
  readonly sample: number;
  readonly all?: true;
  readonly fix?: true;
  readonly strict?: true;
}

/** Adds `doctor`. */
export function doctorCommand(program: Command, cli: Cli): void {
  program
    .command("doctor")
    .description("check the data folder against the catalog, the databases, and the machine")
    .option("--sample <n>", "databases to open and check, at random", wholeNumber(0), DEFAULT_DOCTOR_SAMPLE)
    .option("--all", "open and check every database")
    .option(
      "--fix",
      "remove what is harmless: old scratch files and templates; end restores that were killed",
    )
    .option("--strict", "exit with 1 on warnings, too")
    .addHelpText(
      "after",
      examples([
        ["tenantry doctor --all", "every database"],
        ["tenantry doctor --json | jq '.findings[] | select(.severity != \"ok\")'", "for a monitor"],
      ]) + "\n\nExit codes: 0 all is well, or only warnings; 1 errors, and with --strict warnings.",
    )
    .action(async ({ sample, all, fix, strict }: DoctorCommandOptions) => {
      const { screen } = cli;
      const dir = resolve(cli.settings.data);
      const findings = await examineMachine(dir);
      findings.push(
        ...(await examineOpen(cli, dir, { sample: all ? Number.POSITIVE_INFINITY : sample, fix })),
      );
      const worst = worstOf(findings);
      if (worst === "error" || (strict && worst === "warn")) cli.fail();
      if (screen.json) return screen.printJson({ data: dir, severity: worst, findings });
      await print(screen, findings);
    });
}

async function examineOpen(
  cli: Cli,
  dir: string,
  { sample, fix }: { readonly sample: number; readonly fix: true | undefined },
): Promise<Finding[]> {
  const { screen } = cli;
  // The machine's checks have said so.
  if (!(await exists(dir))) return [];
  if (!(await isDataFolder(dir).catch(() => true))) {
    const hint = "Name the data folder with --data DIR; creating a tenant makes a new one.";
    return [{ check: "catalog", severity: "error", message: "There is no catalog.db.", hint, path: dir }];
  }
  const onProgress = (done: number, total: number): void => {
    if (!screen.watched || screen.json) return;
    process.stderr.write(done === total ? "\r\u001b[K" : `\rchecked ${done} of ${total} databases`);
  };
  try {
    return await cli.use({ migrations: true }, async (tenantry) => [
      ...(await examineData(tenantry, { sample, fix, onProgress })),
      ...(await examineRestores({
        catalog: tenantry.catalog,
        restores: tenantry.recovery.restores,
        fix,
      })),
      ...(await examineBackups({
        dir,
        catalog: tenantry.catalog,
        configured: Boolean(cli.settings.replica),
      })),
    ]);
  } catch (error) {
    if (!isTenantryError(error)) throw error;
    const { code, message, hint } = error;
    const check = code === "MIGRATIONS_INVALID" ? "migrations" : "catalog";
    return [{ check, severity: "error", message, ...(hint && { hint }) }];
  }
}

async function print(screen: Screen, findings: readonly Finding[]): Promise<void> {
  const groups = Map.groupBy(findings, ({ check, severity }) => `${severity} ${check}`);
  for (const group of groups.values()) {
    for (const { severity, message } of group.slice(0, MAX_PRINTED)) {
      const [mark, style] = MARKS[severity];
      await screen.print(`${screen.style(style, mark)} ${oneLine(message)}`);
    }
    const more = group.length - MAX_PRINTED;
    if (more > 0) await screen.print(`      and ${more} more like that; --json names them`);
    // One hint for all of them, of the last one printed: they differ in the tenant's name only.
    const hint = group[Math.min(group.length, MAX_PRINTED) - 1]?.hint;
    if (hint !== undefined) await screen.print(`      ${screen.style("cyan", "hint:")} ${oneLine(hint)}`);
  }
  const errors = findings.filter(({ severity }) => severity === "error").length;
  const warnings = findings.filter(({ severity }) => severity === "warn").length;
  const sum =
    errors + warnings === 0
      ? screen.style("green", "All is well.")
      : `${counted(errors, "error")}, ${counted(warnings, "warning")}.`;
  await screen.print(`\n${sum}`);
}
