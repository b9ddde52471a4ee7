// Owns which PRAGMA a caller may send, with a value or without, and which right it needs.
// Everything that is not in the table is refused, because a pragma can act as soon as it is prepared.
import { foldCase, nameOf, type Token } from "./sql-token.ts";

interface PragmaRule {
  /** Whether a value may follow. */
  readonly value: boolean;
  /** The right it needs, without and with a value. */
  readonly needs: "read" | "write";
}

const READ: PragmaRule = { value: false, needs: "read" };
const READ_OF: PragmaRule = { value: true, needs: "read" };

const RULES: ReadonlyMap<string, PragmaRule> = new Map([
  ["application_id", READ],
  ["collation_list", READ],
  ["compile_options", READ],
  ["data_version", READ],
  ["encoding", READ],
  ["foreign_key_check", READ_OF],
  ["foreign_key_list", READ_OF],
  ["foreign_keys", READ],
  ["freelist_count", READ],
  ["function_list", READ],
  ["index_info", READ_OF],
  ["index_list", READ_OF],
  ["index_xinfo", READ_OF],
  ["integrity_check", READ_OF],
  ["page_count", READ],
  ["page_size", READ],
  ["quick_check", READ_OF],
  ["schema_version", READ],
  ["table_info", READ_OF],
  ["table_list", READ_OF],
  ["table_xinfo", READ_OF],
  ["user_version", READ],
  // SQLite holds the question for a statement that could write.
  ["journal_mode", { value: false, needs: "write" }],
  // These two act: the first until the transaction ends, the second writes the planner's statistics.
  ["defer_foreign_keys", { value: true, needs: "write" }],
  ["optimize", { value: false, needs: "write" }],
]);

/** The names of the pragmas that callers may send. */
export const ADMITTED_PRAGMAS: readonly string[] = [...RULES.keys()];

/**
 * The right that a `PRAGMA` statement needs, or `undefined` when it is refused.
 *
 * @param tokens The statement from behind the word `PRAGMA`.
 */
export function pragmaNeeds(tokens: readonly Token[]): "read" | "write" | undefined {
  const first = lowerName(tokens[0]);
  const qualified = tokens[1]?.text === ".";
  if (qualified && first !== "main") return undefined;
  const rule = RULES.get((qualified ? lowerName(tokens[2]) : first) ?? "");
  const value = tokens.slice(qualified ? 3 : 1);
  if (rule === undefined || !(value.length === 0 || (rule.value && isValue(value)))) return undefined;
  return rule.needs;
}

/** Whether the table-valued function `pragma_…` of this lower-case name only reads, and may be read. */
export function isReadablePragmaFunction(name: string): boolean {
  return RULES.get(name.slice("pragma_".length))?.needs === "read";
}

/** `= value` or `(value)`, the value one token or a number with its sign. */
function isValue(tokens: readonly Token[]): boolean {
  const bracketed = tokens[0]?.text === "(" && tokens.at(-1)?.text === ")";
  if (!bracketed && tokens[0]?.text !== "=") return false;
  const value = bracketed ? tokens.slice(1, -1) : tokens.slice(1);
  const sign = value[0]?.text;
  const single = sign === "+" || sign === "-" ? value.slice(1) : value;
  const type = single[0]?.type;
  return (
    single.length === 1 && (type === "word" || type === "quoted" || type === "string" || type === "number")
  );
}

function lowerName(token: Token | undefined): string | undefined {
  const name = token && nameOf(token);
  return name === undefined ? undefined : foldCase(name);
}
