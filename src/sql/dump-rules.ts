// Owns what the SQL text of a database may hold, and what is to be done with each statement of it.
// Runs nothing.
import { TenantryError } from "../tenantry-error.ts";
import { inspectStatement } from "./inspect-statement.ts";
import { readStatement, refuseNul } from "./split-statements.ts";
import { foldCase, keywordOf, nameOf, type Token } from "./sql-token.ts";

/** What is to be done with a statement of a dump. */
export type DumpStep =
  /** Run it as it is. */
  | { readonly do: "run"; readonly sql: string }
  /** Enter a virtual table into the schema, whose own tables the dump has as well. */
  | { readonly do: "virtual table"; readonly name: string; readonly sql: string }
  /** Nothing: whoever loads the dump has its own transaction, and its own settings. */
  | { readonly do: "begin" }
  | { readonly do: "commit" }
  | { readonly do: "skip" };

/** Pragmas that only set what a loader sets itself. */
const SKIPPED_PRAGMAS: ReadonlySet<string> = new Set([
  "foreign_keys",
  "writable_schema",
  "defer_foreign_keys",
]);
/** Pragmas that set what belongs to the database. */
const KEPT_PRAGMAS: ReadonlySet<string> = new Set(["user_version", "application_id", "encoding"]);
const SCHEMA_TABLES: ReadonlySet<string> = new Set(["sqlite_schema", "sqlite_master"]);
/** What reaches the database past its tables, and the schema past its statements. */
const REFUSED_TARGET = /^sqlite_(?!sequence$|stat\d$)/;

/**
 * What is to be done with a statement of a dump.
 * @throws {TenantryError} `SQL_REFUSED` for what no dump of a database has; `SQL_NO_STATEMENT` for white space
 */
export function dumpStep(sql: string): DumpStep {
  refuseNul(sql);
  const tokens = readStatement(sql, 0)?.tokens;
  if (!tokens) return { do: "skip" };
  switch (keywordOf(tokens[0])) {
    case "PRAGMA":
      return pragmaStep(sql, tokens);
    case "BEGIN":
      return { do: "begin" };
    case "COMMIT":
    case "END":
      return { do: "commit" };
    case "ROLLBACK":
      throw refused("The dump ends with ROLLBACK: it is of a database that could not be read as a whole.");
  }
  const target = targetOf(tokens);
  if (target !== undefined && SCHEMA_TABLES.has(target)) return virtualTableStep(tokens);
  if (target !== undefined && REFUSED_TARGET.test(target)) throw refused(`Writing to ${target} is refused.`);
  const { kind, verb, refusal } = inspectStatement(sql, { internalTables: true });
  if (refusal) throw refused(refusal.message);
  if (kind !== "write" && kind !== "schema") throw refused(`${verb} is refused in a dump.`);
  return { do: "run", sql };
}

/** Whether text begins as the text of a database does: what does not is not repeated in an error. */
export function looksLikeSql(text: string): boolean {
  const first = readStatement(text, 0)?.tokens[0];
  return /^(?:PRAGMA|BEGIN|CREATE|INSERT|DROP|ANALYZE|ALTER|DELETE|UPDATE|REPLACE|WITH)$/.test(
    keywordOf(first),
  );
}

function pragmaStep(sql: string, tokens: readonly Token[]): DumpStep {
  const name = foldCase((tokens[1] && nameOf(tokens[1])) ?? "");
  if (SKIPPED_PRAGMAS.has(name)) return { do: "skip" };
  const value = tokens[3];
  const plain =
    tokens[2]?.text === "=" && (tokens.length === 4 || (tokens.length === 5 && value?.text === "-"));
  if (KEPT_PRAGMAS.has(name) && plain) return { do: "run", sql };
  throw refused(`PRAGMA ${name.slice(0, 40)} is refused in a dump.`);
}

/** The table that a statement writes to, in lower case. */
function targetOf(tokens: readonly Token[]): string | undefined {
  const verb = keywordOf(tokens[0]);
  if (!["INSERT", "REPLACE", "UPDATE", "DELETE"].includes(verb)) return undefined;
  const mark = verb === "DELETE" ? "FROM" : verb === "UPDATE" ? "UPDATE" : "INTO";
  let at = tokens.findIndex((token) => keywordOf(token) === mark) + 1;
  // UPDATE OR IGNORE t
  if (keywordOf(tokens[at]) === "OR") at += 2;
  if (tokens[at + 1]?.text === ".") at += 2;
  const name = tokens[at] && nameOf(tokens[at] as Token);
  return name === undefined ? undefined : foldCase(name);
}

/** `INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('table','t','t',0,'CREATE VIRTUAL TABLE …')` */
function virtualTableStep(tokens: readonly Token[]): DumpStep {
  const text = tokens.map((token) => (token.type === "string" ? "?" : foldCase(token.text))).join(" ");
  const [type, name, table, sql] = tokens.filter(({ type: kind }) => kind === "string").map(nameOf);
  const isEntry =
    /^insert into sqlite_(?:schema|master) \( type , name , tbl_name , rootpage , sql \) values \( \? , \? , \? , 0 , \? \)$/.test(
      text,
    );
  if (!isEntry || type !== "table" || name === undefined || name !== table || sql === undefined) {
    throw refused("Writing to sqlite_schema is refused, but for virtual tables as a dump has them.");
  }
  const { verb, refusal } = inspectStatement(sql);
  if (refusal) throw refused(refusal.message);
  const made = readStatement(sql, 0)?.tokens ?? [];
  if (verb !== "CREATE" || keywordOf(made[1]) !== "VIRTUAL") {
    throw refused("Only virtual tables are entered into sqlite_schema.");
  }
  if (foldCase(name).startsWith("sqlite_"))
    throw refused(`A virtual table named ${name.slice(0, 40)} is refused.`);
  return { do: "virtual table", name, sql };
}

function refused(message: string): TenantryError {
  return new TenantryError("SQL_REFUSED", message, {
    hint: "Send what GET …/dump or the sqlite3 shell's .dump wrote.",
  });
}
