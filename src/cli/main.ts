// Owns a run of the command line: arguments in, exit code out.
// Does not end the process: what is still to be written would be lost.
import { createProgram } from "./program.ts";
import { reportError } from "./report-error.ts";
import { Screen } from "./screen.ts";
import { isOff } from "./setting.ts";

/**
 * Runs a command. @param args without the names of Node and the script
 * @returns 0 done, 1 failed, 2 wrong use
 */
export async function main(args: readonly string[]): Promise<number> {
  const screen = new Screen(wantsJson(args));
  try {
    const { program, cli } = createProgram(screen);
    await program.parseAsync(args, { from: "user" });
    return cli.exitCode;
  } catch (error) {
    return reportError(screen, error);
  }
}

/** Before the arguments are understood, because errors in them are to be JSON as well. */
function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  const value = process.env["TENANTRY_JSON"];
  return (end < 0 ? args : args.slice(0, end)).includes("--json") || (value !== undefined && !isOff(value));
}
