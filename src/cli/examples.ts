// Owns the examples at the end of a help text.
// Knows no command.

/** A help text's last paragraph: command lines, and what each does. */
export function examples(lines: readonly (readonly [command: string, what: string])[]): string {
  return `\nExamples:\n${lines.map(([command, what]) => `  # ${what}\n  ${command}`).join("\n")}`;
}
