// Owns cutting what is typed into a shell into statements and commands.
// Runs nothing.
import { readStatement } from "../sql/split-statements.ts";
import { nextToken } from "../sql/sql-token.ts";

/** Something to do: a command such as `.tables`, or a statement. */
export type ShellInput =
  | { readonly kind: "command"; readonly name: string; readonly argument: string }
  | { readonly kind: "statement"; readonly sql: string };

/** Gathers lines until a statement ends with its semicolon. */
export class InputBuffer {
  #text = "";

  /** Whether a statement has begun and not ended. */
  get pending(): boolean {
    return nextToken(this.#text, 0) !== undefined;
  }

  /** Adds a line, and gives what is complete with it. */
  add(line: string): ShellInput[] {
    if (!this.pending) {
      this.#text = "";
      const [, name, argument = ""] = /^\s*\.(\w*)\s*(.*?)\s*;?\s*$/.exec(line) ?? [];
      if (name !== undefined) return [{ kind: "command", name, argument }];
    }
    this.#text += `${line}\n`;
    const inputs: ShellInput[] = [];
    for (let sql = this.#take(); sql !== undefined; sql = this.#take())
      inputs.push({ kind: "statement", sql });
    return inputs;
  }

  /** What is left at the end of the input. */
  rest(): ShellInput[] {
    const sql = this.#text.trim();
    const inputs: ShellInput[] = this.pending ? [{ kind: "statement", sql }] : [];
    this.clear();
    return inputs;
  }

  /** Forgets what has begun. */
  clear(): void {
    this.#text = "";
  }

  /** The first statement that has its semicolon. */
  #take(): string | undefined {
    const statement = readStatement(this.#text, 0);
    const first = statement?.tokens[0];
    const last = statement?.tokens.at(-1);
    if (!statement || !first || !last) return undefined;
    const end = last.start + last.text.length;
    if (nextToken(this.#text, end)?.type !== "semicolon") return undefined;
    const sql = this.#text.slice(first.start, end);
    this.#text = this.#text.slice(statement.next);
    return sql;
  }
}
