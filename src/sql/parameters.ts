// Owns which parameters a statement has, numbered as SQLite numbers them.
// Binds nothing.
import { nextToken } from "./sql-token.ts";

/** Whatever has none of these has no parameter; what has one may still have it in a string. */
const MAYBE = /[?:@$]/;

/** SQLite refuses higher numbers, and the list of those below one need not be made for that. */
const MAX_NUMBER = 32_766;

/**
 * The parameters of `sql` in SQLite's order: `?2`, `:a`, `@b` and `$c` with their first character, undefined
 * for a plain `?` and for a number that is left out. `sql` is one whose tokens are all good.
 */
export function parametersOf(sql: string): readonly (string | undefined)[] {
  const names: (string | undefined)[] = [];
  if (!MAYBE.test(sql)) return names;
  const seen = new Set<string>();
  // As sqlite3ExprAssignVarNumber() does it: the first name that a parameter gets is the one it keeps.
  for (let token = nextToken(sql, 0); token; token = nextToken(sql, token.start + token.text.length)) {
    if (token.type !== "variable") continue;
    const { text } = token;
    if (text === "?") {
      names.push(undefined);
    } else if (text.startsWith("?")) {
      const number = Math.min(Number(text.slice(1)), MAX_NUMBER);
      while (names.length < number) names.push(undefined);
      if (number > 0) names[number - 1] ??= text;
    } else if (!seen.has(text)) {
      seen.add(text);
      names.push(text);
    }
  }
  return names;
}
