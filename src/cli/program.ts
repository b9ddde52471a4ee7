// Owns the composition of the command line: its settings and its commands.
// Does no command's work.
import { readFileSync } from "node:fs";
import { Command, type Option } from "commander";
import { auditCommand } from "./audit-command.ts";
import { backupsCommand } from "./backups-command.ts";
import { Cli, DEFAULT_DATA, DEFAULT_MIGRATIONS } from "./cli.ts";
import { copyCommand } from "./copy-command.ts";
import { doctorCommand } from "./doctor-command.ts";
import { eraseCommand } from "./erase-command.ts";
import { examples } from "./examples.ts";
import { migrateCommand } from "./migrate-command.ts";
import { pathCommand } from "./path-command.ts";
import { queryCommand } from "./query-command.ts";
import { recoverCommand } from "./recover-command.ts";
import { restoreCommand } from "./restore-command.ts";
import type { Screen } from "./screen.ts";
import { serveCommand } from "./serve-command.ts";
import { setting } from "./setting.ts";
import { snapshotCommand } from "./snapshot-command.ts";
import { shellCommand } from "./shell-command.ts";
import { tenantsCommand } from "./tenants-command.ts";
import { timeTravelCommands } from "./time-travel-command.ts";
import { tokenCommand } from "./token-command.ts";
import { verifyCommand } from "./verify-command.ts";

/** The version of the package. */
export function packageVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** The whole command line, ready to parse. */
export function createProgram(screen: Screen): { readonly program: Command; readonly cli: Cli } {
  const program = new Command("tenantry");
  const cli = new Cli(program, screen);
  program
    .description("Every tenant in its own SQLite database.")
    .version(packageVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand("help [command]", "print help for a command")
    .addOption(setting("--data <dir>", "the data folder").default(DEFAULT_DATA))
    .addOption(setting("--migrations <dir>", "the folder of the migrations").default(DEFAULT_MIGRATIONS))
    .addOption(
      setting(
        "--libsql-url <template>",
        "new tenants are libSQL databases, such as libsql://{tenant}-acme.aws-eu-west-1.turso.io",
      ),
    )
    .addOption(setting("--replica <url>", "where tenants are replicated to, such as s3://bucket/tenants"))
    .addOption(
      setting(
        "--snapshots <url>",
        "where snapshots are kept, compressed; files in the data folder if not given",
      ),
    )
    .addOption(setting("--json", "print results and errors as JSON"))
    .configureHelp({
      showGlobalOptions: true,
      visibleGlobalOptions: (command) => (command.parent ? visibleOptions(program) : []),
      styleTitle: (title) => screen.style("bold", title),
    })
    // Errors are reported in one place, with their hint.
    .configureOutput({ outputError: () => {}, ...(screen.json && { writeErr: () => {} }) })
    .exitOverride();

  serveCommand(program, cli);
  tenantsCommand(program, cli);
  pathCommand(program, cli);
  copyCommand(program, cli);
  timeTravelCommands(program, cli);
  migrateCommand(program, cli);
  queryCommand(program, cli);
  shellCommand(program, cli);
  snapshotCommand(program, cli);
  restoreCommand(program, cli);
  recoverCommand(program, cli);
  eraseCommand(program, cli);
  tokenCommand(program, cli);
  auditCommand(program, cli);
  verifyCommand(backupsCommand(program, cli), cli);
  doctorCommand(program, cli);

  program.addHelpText(
    "after",
    examples([
      ["tenantry serve --sample", "a server with three tenants to try"],
      ["tenantry tenants create acme", "a new tenant"],
      ['tenantry query acme "SELECT * FROM customers"', "its rows"],
      ["tenantry migrate", "bring every tenant to the current schema"],
      ["tenantry doctor", "is everything well?"],
    ]) + "\n\nExit codes: 0 done, 1 failed, 2 wrong use.",
  );
  return { program, cli };
}

function visibleOptions(command: Command): Option[] {
  return command.options.filter((option) => !option.hidden && option.long !== "--version");
}
