// Owns the names that a caller's SQL must not use: internal tables in writes, the temporary schema, functions
// that reach outside. Judges names only; which statements are admitted at all is inspect-statement.ts.
import { isReadablePragmaFunction } from "./pragma-rules.ts";
import { foldCase, keywordOf, nameOf, type Token } from "./sql-token.ts";

/** Why a statement is refused. */
export interface Refusal {
  readonly message: string;
  readonly hint: string;
}

const INTERNAL_TABLE = /^(?:d1_migrations|sqlite_dbpage|_(?:cf|litestream|tenantry)(?:_.*)?)$/s;
const REFUSED_FUNCTIONS: ReadonlySet<string> = new Set(["load_extension", "fts3_tokenizer"]);

/** Finds, without tokens, that no such name can be in the text: quoting cannot split a name. */
const ANY_REFUSED =
  /d1_migrations|sqlite_dbpage|_cf|_litestream|_tenantry|pragma_|load_extension|fts3_tokenizer|temp/i;

/** Keywords behind which a string is a value or an alias, never the name of a table. */
const BEFORE_VALUE: ReadonlySet<string> = new Set([
  ..."ALL AND AS BETWEEN BY CASE DEFAULT DISTINCT ELSE ESCAPE GLOB HAVING IS LIKE LIMIT MATCH NOT".split(" "),
  ..."OFFSET OR REGEXP RETURNING SELECT THEN WHEN WHERE".split(" "),
]);

/** Keywords behind which `temp.` is the schema and not the alias of a table. */
const BEFORE_SCHEMA: ReadonlySet<string> = new Set(
  "EXISTS FROM INDEX INTO JOIN TABLE TRIGGER UPDATE VIEW".split(" "),
);

/** Whether `name` is a table of Tenantry's, Litestream's or Cloudflare's own: readable, never writable. */
export function isInternalTable(name: string): boolean {
  return INTERNAL_TABLE.test(foldCase(name));
}

/**
 * The first name in the statement that refuses it.
 *
 * @param reads Whether the statement only reads, and so may name internal tables.
 */
export function findRefusedName(sql: string, tokens: readonly Token[], reads: boolean): Refusal | undefined {
  if (!ANY_REFUSED.test(sql)) return undefined;
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] as Token;
    const name = nameOf(token);
    if (name === undefined) continue;
    const refusal = judge(foldCase(name), token, tokens[i - 1], tokens[i + 1], reads);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

function judge(
  name: string,
  token: Token,
  before: Token | undefined,
  after: Token | undefined,
  reads: boolean,
): Refusal | undefined {
  const isString = token.type === "string";
  if (!isString && after?.text === "(" && REFUSED_FUNCTIONS.has(name)) {
    return {
      message: `The function ${name}() is refused.`,
      hint: "Extensions are chosen by the operator of the server.",
    };
  }
  // A comma or a bracket may come before a table of a FROM clause, so there a string may be a name.
  if (name.startsWith("pragma_") && !isReadablePragmaFunction(name)) {
    const isValue = isString && isValueAfter(before) && before?.text !== "," && before?.text !== "(";
    if (!isValue) {
      return {
        message: `The table ${name} is refused.`,
        hint: "Pragmas that tell of the server or change the connection are not open to callers.",
      };
    }
  }
  if (reads) return undefined;
  if (INTERNAL_TABLE.test(name) && !(isString && isValueAfter(before))) {
    return {
      message: `The table ${name} is internal: it may be read, never changed or named in a statement that writes.`,
      hint: "Pass such a name as a parameter if it is only a value.",
    };
  }
  if (name === "temp" && after?.text === "." && BEFORE_SCHEMA.has(keywordOf(before))) return TEMPORARY;
  return undefined;
}

/** Why nothing temporary can be made. */
export const TEMPORARY: Refusal = {
  message:
    "Temporary tables, views and triggers are refused: the connection is shared by the tenant's requests.",
  hint: "Use a WITH clause, or a table of your own.",
};

/** No table that is written to ever stands behind an operator, a bracket or a comma: what does is a value. */
function isValueAfter(before: Token | undefined): boolean {
  if (before?.type === "operator") return before.text !== ".";
  return BEFORE_VALUE.has(keywordOf(before));
}
