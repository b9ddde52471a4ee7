// Owns what a failure looks like on the command line, and its exit code.
// Does not decide what is a failure.
import { CommanderError } from "commander";
import { isTenantryError } from "../tenantry-error.ts";
import { oneLine } from "./display-text.ts";
import type { Screen } from "./screen.ts";

/** Done. */
export const EXIT_DONE = 0;
/** It was tried and failed. */
export const EXIT_FAILED = 1;
/** The command made no sense. */
export const EXIT_WRONG_USE = 2;

/** An error as it is printed. */
export interface PrintedError {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

/** The command cannot be meant so. Exit code 2. */
export class WrongUse extends Error {
  override readonly name = "WrongUse";
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

const WRONG_USE_CODES: ReadonlySet<string> = new Set([
  "INVALID_OPTION",
  "INVALID_ARGUMENT",
  "INVALID_TENANT_ID",
]);

/** What the system says by a code, in words. */
const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: "There is no such file or folder",
  EACCES: "Permission denied",
  EPERM: "Not permitted",
  EROFS: "The disk cannot be written",
  EISDIR: "That is a folder",
  ENOTDIR: "A part of the path is no folder",
  EEXIST: "That is there already",
  ENOSPC: "The disk is full",
  EMFILE: "Too many open files",
};

/** Writes an error and says with which code the process is to end. */
export function reportError(screen: Screen, error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT_DONE;
    // Its help has been printed, which says more than an error could.
    if (error.code === "commander.help" && !screen.json) return EXIT_WRONG_USE;
  }
  const printed = printedError(error);
  if (screen.json) {
    screen.complain(JSON.stringify({ error: printed }));
  } else {
    screen.complain(`${screen.noteStyle(["red", "bold"], "error:")} ${oneLine(printed.message)}`);
    if (printed.hint !== undefined)
      screen.complain(`${screen.noteStyle("cyan", "hint:")} ${oneLine(printed.hint)}`);
  }
  if ((process.env["TENANTRY_DEBUG"] ?? process.env["DEBUG"]) && error instanceof Error) {
    for (let one: unknown = error; one instanceof Error; one = one.cause)
      screen.complain(one.stack ?? one.message);
  }
  return isWrongUse(error) ? EXIT_WRONG_USE : EXIT_FAILED;
}

/** An error's code, message and hint. */
export function printedError(error: unknown): PrintedError {
  if (isTenantryError(error)) return withHint(error.code, error.message, error.hint);
  if (error instanceof WrongUse) return withHint("WRONG_USE", error.message, error.hint);
  if (error instanceof CommanderError) return fromCommander(error);
  if (error instanceof Error && "code" in error && typeof error.code === "string") {
    const words = SYSTEM_ERRORS[error.code];
    const path = "path" in error && typeof error.path === "string" ? `: ${error.path}` : "";
    if (words !== undefined) return { code: error.code, message: `${words}${path}.` };
  }
  return withHint(
    "INTERNAL",
    error instanceof Error ? error.message : String(error),
    "This should not happen. Run it again with TENANTRY_DEBUG=1, and report what that prints.",
  );
}

function fromCommander(error: CommanderError): PrintedError {
  if (error.code === "commander.help") return { code: "WRONG_USE", message: "A command is missing." };
  const text = error.message.replace(/^error: /, "");
  const [, message = text, suggestion] = /^([\s\S]*?)\n\(Did you mean (.+)\?\)$/.exec(text) ?? [];
  const hint = suggestion === undefined ? "See what there is with --help." : `Did you mean ${suggestion}?`;
  return withHint("WRONG_USE", message.charAt(0).toUpperCase() + message.slice(1), hint);
}

function isWrongUse(error: unknown): boolean {
  if (error instanceof CommanderError || error instanceof WrongUse) return true;
  return isTenantryError(error) && WRONG_USE_CODES.has(error.code);
}

function withHint(code: string, message: string, hint: string | undefined): PrintedError {
  return { code, message, ...(hint !== undefined && { hint }) };
}
