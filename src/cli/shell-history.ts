// Owns the lines typed in shells before: a file of the user's, readable by nobody else.
// Does not edit lines.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/** Lines that are kept. */
export const MAX_HISTORY_LINES = 1000;

/** `$XDG_STATE_HOME/tenantry/history`, or `~/.local/state/tenantry/history`. */
export function historyPath(env: NodeJS.ProcessEnv = process.env): string {
  return join(env["XDG_STATE_HOME"] || join(homedir(), ".local", "state"), "tenantry", "history");
}

/** The lines, newest first; none where there is no file. */
export async function readHistory(path: string): Promise<string[]> {
  try {
    return (await readFile(path, "utf8")).split("\n").filter(Boolean).toReversed();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

/** Writes the lines, given newest first. */
export async function writeHistory(path: string, lines: readonly string[]): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const kept = lines.slice(0, MAX_HISTORY_LINES).toReversed();
  await writeFile(path, kept.map((line) => `${line}\n`).join(""), { mode: 0o600 });
}
