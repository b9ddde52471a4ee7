// Owns PostgREST's grammar of conditions: operators, lists, and/or trees.
// Checks no columns and makes no SQL; every value goes into the list it is given, never into the tree.
import { type Field, TextReader } from "./text-reader.ts";
import { TenantryError } from "../../tenantry-error.ts";

export type CompareOperator = "eq" | "neq" | "gt" | "gte" | "lt" | "lte" | "like" | "ilike" | "isdistinct";
export type SearchOperator = "fts" | "plfts" | "phfts";

/** A condition on rows. Values are places in the query's list of values. */
export type Condition =
  | { kind: "compare"; field: Field; negated: boolean; operator: CompareOperator; value: number }
  | {
      kind: "quantified";
      field: Field;
      negated: boolean;
      operator: CompareOperator;
      quantifier: "any" | "all";
      values: number[];
    }
  | { kind: "in"; field: Field; negated: boolean; values: number[] }
  | { kind: "is"; field: Field; negated: boolean; value: "null" | "not_null" | "true" | "false" | "unknown" }
  | { kind: "search"; field: Field; negated: boolean; operator: SearchOperator; value: number }
  | { kind: "logic"; negated: boolean; operator: "and" | "or"; conditions: Condition[] };

/** How deep and/or may be nested in each other. */
export const MAX_LOGIC_DEPTH = 20;
/** Conditions in one request, those inside and/or counted each. */
export const MAX_CONDITIONS = 200;

const OPERATOR = /([a-z]+)(?:\(([^()]*)\))?\./y;
const IS_VALUE = /null|not_null|true|false|unknown/iy;
const UNQUOTED = /[^,)]*/y;
const BRACES = /\{[^{}]*\}(?=[,)]|$)/y;
const COMPARE = new Set(["eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike", "isdistinct"]);
const QUANTIFIED = new Set(["eq", "gt", "gte", "lt", "lte", "like", "ilike"]);
const SEARCH = new Set(["fts", "plfts", "phfts"]);
const POSTGRES_ONLY: Record<string, string> = {
  match: "Use like or ilike with *; SQLite has no regular expressions.",
  imatch: "Use like or ilike with *; SQLite has no regular expressions.",
  wfts: "Use fts with FTS5's own query syntax, plfts or phfts.",
  ...Object.fromEntries(
    ["cs", "cd", "ov", "sl", "sr", "nxr", "nxl", "adj"].map((name) => [
      name,
      "SQLite has no arrays and ranges.",
    ]),
  ),
};

/** Reads the conditions of one query; their values gather in `values`. */
export class FilterGrammar {
  readonly values: string[];
  #count = 0;

  constructor(values: string[]) {
    this.values = values;
  }

  /** `column=operator.value` */
  parameter(key: string, value: string): Condition {
    const keyReader = new TextReader("the parameter", key);
    const field = keyReader.field();
    if (keyReader.peek() === ".") {
      keyReader.unsupported(
        "A filter on an embedded resource",
        `If "${key}" is a column, put it in double quotes.`,
      );
    }
    if (!keyReader.done) keyReader.fail("a column or a JSON path");
    const reader = new TextReader(`the filter on "${key}"`, value);
    const condition = this.#operation(reader, field, () => {
      const rest = reader.text.slice(reader.at);
      reader.at = reader.text.length;
      return rest;
    });
    if (!reader.done) reader.fail("the end");
    return condition;
  }

  /** `and=(…)`, `or=(…)`, `not.and=(…)`, `not.or=(…)` */
  logic(key: string, value: string): Condition {
    const negated = key.startsWith("not.");
    const operator = (negated ? key.slice(4) : key) as "and" | "or";
    const reader = new TextReader(`"${key}"`, value);
    const condition = this.#tree(reader, operator, negated, 1);
    if (!reader.done) reader.fail("the end");
    return condition;
  }

  #tree(reader: TextReader, operator: "and" | "or", negated: boolean, depth: number): Condition {
    if (depth > MAX_LOGIC_DEPTH) {
      throw new TenantryError("INVALID_FILTER", `and/or are nested deeper than ${MAX_LOGIC_DEPTH}.`);
    }
    const conditions: Condition[] = [];
    reader.space();
    reader.expect("(");
    do {
      reader.space();
      conditions.push(this.#term(reader, depth));
      reader.space();
    } while (reader.take(","));
    reader.expect(")");
    reader.space();
    return { kind: "logic", negated, operator, conditions };
  }

  #term(reader: TextReader, depth: number): Condition {
    const nested = reader.match(/(not\.)?(and|or)(?=\s*\()/y);
    if (nested !== undefined) {
      return this.#tree(reader, nested[2] as "and" | "or", nested[1] !== undefined, depth + 1);
    }
    const field = reader.field();
    if (reader.peek() !== ".") reader.fail('"." and an operator');
    reader.expect(".");
    return this.#operation(reader, field, () => {
      const start = reader.at;
      const quoted = reader.quoted();
      if (quoted !== undefined && (reader.done || /[,)]/.test(reader.peek()))) return quoted;
      reader.at = start;
      return reader.match(BRACES)?.[0] ?? reader.match(UNQUOTED)?.[0] ?? "";
    });
  }

  #operation(reader: TextReader, field: Field, readValue: () => string): Condition {
    if (++this.#count > MAX_CONDITIONS) {
      throw new TenantryError("INVALID_FILTER", `There are more than ${MAX_CONDITIONS} conditions.`);
    }
    const negated = reader.take("not.");
    const start = reader.at;
    const [, operator = "", modifier] = reader.match(OPERATOR) ?? [];
    const back = (expected: string): never => {
      reader.at = start;
      return reader.fail(expected);
    };
    if (Object.hasOwn(POSTGRES_ONLY, operator)) {
      reader.unsupported(`The operator ${operator}`, POSTGRES_ONLY[operator] as string);
    }
    if (SEARCH.has(operator)) {
      if (modifier !== undefined) {
        reader.unsupported(
          "A language of full-text search",
          "An FTS5 table has its tokenizer from its CREATE.",
        );
      }
      return {
        kind: "search",
        field,
        negated,
        operator: operator as SearchOperator,
        value: this.#add(readValue()),
      };
    }
    if (modifier !== undefined) {
      if (!QUANTIFIED.has(operator) || (modifier !== "any" && modifier !== "all")) back("an operator");
      const values = this.#braces(readValue(), reader);
      return {
        kind: "quantified",
        field,
        negated,
        operator: operator as CompareOperator,
        quantifier: modifier as "any" | "all",
        values,
      };
    }
    if (operator === "in") return { kind: "in", field, negated, values: this.#list(reader) };
    if (operator === "is") {
      const value = reader.match(IS_VALUE)?.[0].toLowerCase();
      if (value === undefined) reader.fail("null, not_null, true, false or unknown");
      return { kind: "is", field, negated, value: value as "null" };
    }
    if (!COMPARE.has(operator)) back("an operator such as eq., gt., like., in. or is.");
    return {
      kind: "compare",
      field,
      negated,
      operator: operator as CompareOperator,
      value: this.#add(readValue()),
    };
  }

  #add(value: string): number {
    return this.values.push(value) - 1;
  }

  /** `(a,"b,c",d)`; one empty element is an empty list, as in PostgREST. */
  #list(reader: TextReader): number[] {
    const values: number[] = [];
    reader.space();
    reader.expect("(");
    if (reader.take(")")) return values;
    do {
      const start = reader.at;
      let value = reader.quoted();
      if (value === undefined || !/[,)]/.test(reader.peek())) {
        reader.at = start;
        value = reader.match(UNQUOTED)?.[0] ?? "";
      }
      values.push(this.#add(value));
    } while (reader.take(","));
    reader.expect(")");
    reader.space();
    return values;
  }

  /** PostgreSQL's text of an array: `{a,"b,c"}`. */
  #braces(text: string, outer: TextReader): number[] {
    const reader = new TextReader(outer.what, text);
    const values: number[] = [];
    reader.expect("{");
    if (!reader.take("}")) {
      do {
        const quoted = reader.quoted();
        const value =
          quoted ??
          reader
            .match(/(?:[^,{}"\\]|\\.)*/y)?.[0]
            .replace(/\\(.)/g, "$1")
            .trim() ??
          "";
        if (value === "" && quoted === undefined) reader.fail("a value");
        values.push(this.#add(value));
      } while (reader.take(","));
      reader.expect("}");
    }
    if (!reader.done) reader.fail("the end");
    return values;
  }
}
