// Owns `tenantry shell`: reading lines, with a prompt and a history on a terminal, and plainly elsewhere.
// Does not run SQL.
import { createInterface, type Interface } from "node:readline";
import type { Command } from "commander";
import { parseTenantId } from "../tenant-id.ts";
import { findTenant } from "../tenants/find-tenant.ts";
import type { Cli } from "./cli.ts";
import { examples } from "./examples.ts";
import { reportError } from "./report-error.ts";
import type { Screen } from "./screen.ts";
import { historyPath, MAX_HISTORY_LINES, readHistory, writeHistory } from "./shell-history.ts";
import { InputBuffer } from "./shell-input.ts";
import { ShellSession } from "./shell-session.ts";

/** Adds `shell`. */
export function shellCommand(program: Command, cli: Cli): void {
  program
    .command("shell")
    .description("SQL on a tenant's database, statement by statement")
    .argument("<tenant>")
    .addHelpText(
      "after",
      examples([
        ["tenantry shell acme", "a prompt with history; .help says what it knows"],
        ["tenantry shell acme < changes.sql", "a script, which the first error ends"],
      ]),
    )
    .action((name: string) => {
      const id = parseTenantId(name);
      return cli.use({ migrations: true }, async (tenantry) => {
        await findTenant(tenantry.catalog, id);
        await using session = new ShellSession(tenantry, id, cli.screen);
        if (process.stdin.isTTY && cli.screen.interactive) await interact(cli.screen, id, session);
        else await runScript(session);
      });
    });
}

async function runScript(session: ShellSession): Promise<void> {
  const buffer = new InputBuffer();
  for await (const line of createInterface({ input: process.stdin })) {
    for (const input of buffer.add(line)) if (!(await session.run(input))) return;
  }
  for (const input of buffer.rest()) await session.run(input);
}

async function interact(screen: Screen, tenant: string, session: ShellSession): Promise<void> {
  const path = historyPath();
  const lines = createInterface({
    input: process.stdin,
    output: process.stdout,
    history: await readHistory(path),
    historySize: MAX_HISTORY_LINES,
    removeHistoryDuplicates: true,
  });
  const buffer = new InputBuffer();
  const prompt = (): void => {
    const name = `${tenant}${session.inTransaction ? "*" : ""}`;
    lines.setPrompt(
      buffer.pending ? `${" ".repeat(Math.max(0, name.length - 3))}...> ` : `${screen.style("bold", name)}> `,
    );
    lines.prompt();
  };
  let history: string[] | undefined;
  lines.on("history", (all) => (history = all));
  lines.on("SIGINT", () => {
    buffer.clear();
    screen.complain("");
    // Drops the line that is being typed, too.
    lines.write(null, { ctrl: true, name: "e" });
    lines.write(null, { ctrl: true, name: "u" });
    prompt();
  });
  screen.note(`SQL on ${tenant}. Statements end with a semicolon; .help says more.`);
  prompt();
  for await (const line of lines) {
    if (!(await runLine(screen, lines, session, buffer, line))) break;
    prompt();
  }
  lines.close();
  // Ctrl-D leaves the cursor behind the prompt.
  screen.complain("");
  if (history) await writeHistory(path, history);
}

/** Does what a line completes. Errors are told and do not end the shell. */
async function runLine(
  screen: Screen,
  lines: Interface,
  session: ShellSession,
  buffer: InputBuffer,
  line: string,
): Promise<boolean> {
  lines.pause();
  // SQLite keeps the whole process busy: in raw mode Ctrl-C could not end it.
  process.stdin.setRawMode(false);
  try {
    for (const input of buffer.add(line)) if (!(await session.run(input))) return false;
  } catch (error) {
    reportError(screen, error);
    buffer.clear();
  } finally {
    process.stdin.setRawMode(true);
    lines.resume();
  }
  return true;
}
