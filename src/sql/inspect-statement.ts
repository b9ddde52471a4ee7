// Owns what a statement is: its kind, its verb, the right it needs, and whether callers may send it at all.
// Neither counts bytes nor caches: that is guard.ts.
import { TenantryError } from "../tenantry-error.ts";
import { pragmaNeeds } from "./pragma-rules.ts";
import { findRefusedName, TEMPORARY, type Refusal } from "./refused-names.ts";
import { explainLength, readStatement, refuseNul } from "./split-statements.ts";
import { foldCase, keywordOf, nameOf, type Token } from "./sql-token.ts";

/** What a statement does; `refused` is what callers may never send. */
export type StatementKind = "read" | "write" | "schema" | "pragma" | "transaction" | "refused";

/** What is known of a statement before SQLite sees it. */
export interface Inspection {
  readonly kind: StatementKind;
  /** Its verb in upper case, behind `EXPLAIN` and `WITH`: `SELECT`, `INSERT`, `CREATE`, … */
  readonly verb: string;
  /** Whether it is an `EXPLAIN` or `EXPLAIN QUERY PLAN`; kind and needs are those of what is explained. */
  readonly explain: boolean;
  /** The scope that its caller needs. */
  readonly needs: "read" | "write" | "schema";
  /** Why it is refused, of kind `refused`. */
  readonly refusal?: Refusal;
}

/** What else than callers' own SQL is looked at. */
export interface InspectOptions {
  /** Let it write to internal tables: where it makes a whole database of its own. @default false */
  readonly internalTables?: boolean;
}

const KINDS: ReadonlyMap<string, StatementKind> = new Map([
  ["SELECT", "read"],
  ["VALUES", "read"],
  ["INSERT", "write"],
  ["REPLACE", "write"],
  ["UPDATE", "write"],
  ["DELETE", "write"],
  ["CREATE", "schema"],
  ["DROP", "schema"],
  ["ALTER", "schema"],
  ["ANALYZE", "schema"],
  ["REINDEX", "schema"],
  ["PRAGMA", "pragma"],
  ["BEGIN", "transaction"],
  ["COMMIT", "transaction"],
  ["END", "transaction"],
  ["ROLLBACK", "transaction"],
  ["SAVEPOINT", "transaction"],
  ["RELEASE", "transaction"],
]);

/** Whether a statement that callers may send can begin with that keyword, in upper case. */
export function isVerb(keyword: string): boolean {
  return KINDS.has(keyword);
}

/** What may be created, dropped and altered; temporary things are then refused with their own reason. */
const OBJECTS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ["CREATE", new Set(["TABLE", "INDEX", "UNIQUE", "VIEW", "TRIGGER", "VIRTUAL", "TEMP", "TEMPORARY"])],
  ["DROP", new Set(["TABLE", "INDEX", "VIEW", "TRIGGER"])],
  ["ALTER", new Set(["TABLE"])],
]);

/** Modules that keep to the tenant's own database. */
const MODULES: ReadonlySet<string> = new Set(["fts5", "fts5vocab", "rtree", "rtree_i32", "geopoly"]);

/**
 * Inspects the one statement of `sql`. A trailing semicolon and comments are no second statement.
 *
 * @throws {TenantryError} `SQL_NO_STATEMENT`, `SQL_MANY_STATEMENTS`, `SQL_REFUSED` for a NUL, and `SQL_ERROR`,
 * in SQLite's words, for a token that SQLite cannot read.
 */
export function inspectStatement(sql: string, options: InspectOptions = {}): Inspection {
  refuseNul(sql);
  const statement = readStatement(sql, 0);
  if (statement === undefined) {
    throw new TenantryError("SQL_NO_STATEMENT", "The SQL holds no statement.", {
      hint: "Send one SQL statement.",
    });
  }
  const { tokens } = statement;
  const illegal = tokens.find((token) => token.type === "illegal");
  if (illegal !== undefined) {
    throw new TenantryError("SQL_ERROR", `unrecognized token: "${illegal.text.slice(0, 60)}"`, {
      sqliteCode: "SQLITE_ERROR",
      hint: "Close every quote, and use only characters that SQL knows.",
    });
  }
  if (readStatement(sql, statement.next) !== undefined) {
    throw new TenantryError("SQL_MANY_STATEMENTS", "The SQL holds more than one statement.", {
      hint: "Send one statement at a time, or several of them to /batch.",
    });
  }
  return judge(sql, tokens, options);
}

function judge(
  sql: string,
  tokens: readonly Token[],
  { internalTables = false }: InspectOptions,
): Inspection {
  const skipped = explainLength(tokens);
  const explain = skipped > 0;
  const body = skipped > 0 ? tokens.slice(skipped) : tokens;
  const word = keywordOf(body[0]);
  const verb = word === "WITH" ? verbOfWith(body) : word;
  const refuse = (refusal: Refusal): Inspection => ({
    kind: "refused",
    verb,
    explain,
    needs: "schema",
    refusal,
  });

  const kind = KINDS.get(verb);
  if (kind === undefined) return refuse(unknownVerb(verb, body[0]));
  if (tokens.some((token) => token.type === "variable" && token.text.endsWith(")"))) {
    return refuse({
      message: "Parameters with brackets in their names are refused.",
      hint: "Name a parameter ?1, :name, @name or $name.",
    });
  }
  const named = findRefusedName(sql, body, internalTables || kind === "read" || kind === "pragma");
  if (named !== undefined) return refuse(named);

  switch (kind) {
    case "pragma": {
      const needs = explain ? undefined : pragmaNeeds(body.slice(1));
      return needs === undefined ? refuse(PRAGMA) : { kind, verb, explain, needs };
    }
    case "transaction": {
      if (explain) return refuse(unknownVerb(verb, body[0]));
      const locks = ["IMMEDIATE", "EXCLUSIVE", "CONCURRENT"].includes(keywordOf(body[1]));
      return { kind, verb, explain, needs: verb === "BEGIN" && locks ? "write" : "read" };
    }
    case "schema": {
      const refusal = refuseObject(verb, body) ?? (verb === "CREATE" ? refuseCreate(body) : undefined);
      return refusal === undefined ? { kind, verb, explain, needs: "schema" } : refuse(refusal);
    }
    default:
      return { kind, verb, explain, needs: kind === "read" ? "read" : "write" };
  }
}

/** The verb that a `WITH` clause belongs to: the first one that follows, outside of brackets, a closing one. */
function verbOfWith(tokens: readonly Token[]): string {
  let depth = 0;
  let closed = false;
  for (const token of tokens) {
    if (token.text === "(") depth++;
    else if (token.text === ")") depth--;
    else if (closed && depth === 0) {
      const kind = KINDS.get(keywordOf(token));
      if (kind === "read" || kind === "write") return keywordOf(token);
    }
    closed = token.text === ")";
  }
  return "WITH";
}

/** Refuses what other SQLites have besides, such as libSQL's `CREATE FUNCTION … LANGUAGE wasm`. */
function refuseObject(verb: string, tokens: readonly Token[]): Refusal | undefined {
  const objects = OBJECTS.get(verb);
  const object = keywordOf(tokens[1]);
  if (objects === undefined || objects.has(object)) return undefined;
  return {
    message: `${verb} ${object === "" ? (tokens[1]?.text.slice(0, 40) ?? "of nothing") : object.slice(0, 40)} is refused.`,
    hint: `${verb} is admitted with ${[...objects].join(", ")}.`,
  };
}

function refuseCreate(tokens: readonly Token[]): Refusal | undefined {
  const what = keywordOf(tokens[1]);
  if (what === "TEMP" || what === "TEMPORARY") return TEMPORARY;
  if (what !== "VIRTUAL") return undefined;
  let at = keywordOf(tokens[3]) === "IF" && keywordOf(tokens[4]) === "NOT" ? 6 : 3;
  if (tokens[at + 1]?.text === ".") at += 2;
  const using = keywordOf(tokens[at + 1]) === "USING" ? tokens[at + 2] : undefined;
  const module = foldCase((using && nameOf(using)) ?? "");
  if (MODULES.has(module)) return undefined;
  return {
    message: `A virtual table using ${module === "" ? "no module" : JSON.stringify(module)} is refused.`,
    hint: `Use one of ${[...MODULES].join(", ")}.`,
  };
}

const PRAGMA: Refusal = {
  message: "This PRAGMA is refused.",
  hint: 'Pragmas that read, such as "PRAGMA table_info(name)", are admitted; settings belong to the server.',
};

const INSTEAD: ReadonlyMap<string, string> = new Map([
  ["ATTACH", "A tenant's SQL reaches that tenant's database only."],
  ["DETACH", "A tenant's SQL reaches that tenant's database only."],
  ["VACUUM", "Vacuuming is the operator's: it takes the whole database and disk space of the same size."],
]);

function unknownVerb(verb: string, first: Token | undefined): Refusal {
  if (verb === "WITH") {
    return {
      message: "A WITH clause before anything but rows is refused.",
      hint: "It is followed by SELECT, VALUES, INSERT, REPLACE, UPDATE or DELETE.",
    };
  }
  const shown = verb === "" ? (first?.text.slice(0, 40) ?? "nothing") : verb.slice(0, 40);
  return {
    message: `A statement that begins with ${JSON.stringify(shown)} is refused.`,
    hint:
      INSTEAD.get(verb) ??
      "Admitted are SELECT, VALUES, WITH, INSERT, REPLACE, UPDATE, DELETE, CREATE, DROP, ALTER, ANALYZE, REINDEX, EXPLAIN and reading PRAGMAs.",
  };
}
