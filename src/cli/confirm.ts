// Owns asking a person before something that cannot be undone.
// Does not do it.
import { createInterface } from "node:readline/promises";
import { WrongUse } from "./report-error.ts";
import type { Screen } from "./screen.ts";

/** Whether the person says yes. @throws {WrongUse} where there is nobody to ask */
export async function confirm(screen: Screen, question: string): Promise<boolean> {
  if (!process.stdin.isTTY || !screen.watched) {
    throw new WrongUse(
      "This cannot be undone, and there is no terminal to ask at.",
      "Say --yes if it is meant.",
    );
  }
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const stopped = new AbortController();
  // Ctrl-D and Ctrl-C are no yes.
  lines.once("close", () => stopped.abort());
  try {
    const answer = await lines.question(`${screen.noteStyle("bold", question)} [y/N] `, {
      signal: stopped.signal,
    });
    return /^y(es)?$/i.test(answer.trim());
  } catch (error) {
    if (!stopped.signal.aborted) throw error;
    screen.complain("");
    return false;
  } finally {
    lines.close();
  }
}
