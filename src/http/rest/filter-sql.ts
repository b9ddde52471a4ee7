// Owns turning conditions, fields and orders into SQL with a parameter for every value.
// Builds no whole statements: read-plan.ts and write-plan.ts do.
import { quotedName } from "../../sql/quoted-name.ts";
import { findColumn } from "./column-lookup.ts";
import type { CompareOperator, Condition, SearchOperator } from "./filter-grammar.ts";
import { alternativeValue, type Comparison, comparisonOf, filterValue } from "./filter-value.ts";
import { globPattern, likePattern } from "./like-pattern.ts";
import type { OrderTerm } from "./select-grammar.ts";
import type { Field, JsonStep } from "./text-reader.ts";
import type { Column, Table } from "../../database/schema.ts";
import { TenantryError } from "../../tenantry-error.ts";

/** Gives a statement's parameter from the values of the request's conditions. */
export type Slot = (values: readonly string[]) => unknown;

/** SQL and the parameters it takes, in order. */
export interface SqlPart {
  readonly sql: string;
  readonly slots: readonly Slot[];
}

/** From this many values on, a list travels as one JSON parameter. */
const JSON_LIST_LENGTH = 33;

const SYMBOLS: Partial<Record<CompareOperator, string>> = {
  eq: "=",
  neq: "<>",
  gt: ">",
  gte: ">=",
  lt: "<",
  lte: "<=",
  isdistinct: "IS NOT",
};
const IS = {
  null: "IS NULL",
  not_null: "IS NOT NULL",
  true: "IS TRUE",
  false: "IS FALSE",
  unknown: "IS NULL",
};

/** The conditions, all of which must hold, as ` WHERE …`; empty for none. */
export function whereSql(table: Table, conditions: readonly Condition[]): SqlPart {
  if (conditions.length === 0) return { sql: "", slots: [] };
  const slots: Slot[] = [];
  const sql = conditions.map((condition) => conditionSql(table, condition, slots)).join(" AND ");
  return { sql: ` WHERE ${sql}`, slots };
}

/** ` ORDER BY …`; empty for none. Nulls count as larger than everything, as in PostgreSQL. */
export function orderSql(table: Table, terms: readonly OrderTerm[]): SqlPart {
  if (terms.length === 0) return { sql: "", slots: [] };
  const slots: Slot[] = [];
  const sql = terms.map(({ field, descending, nulls }) => {
    const { expression, column } = fieldSql(table, field, true, slots);
    const last = nulls === undefined ? !descending : nulls === "last";
    // without nulls the clause would only keep SQLite from walking an index
    const place = column.nullable || field.path.length > 0 ? ` NULLS ${last ? "LAST" : "FIRST"}` : "";
    return `${expression}${descending ? " DESC" : ""}${place}`;
  });
  return { sql: ` ORDER BY ${sql.join(", ")}`, slots };
}

/** A column, or what lies in its JSON: as JSON text, or as a value when `asValue`. */
export function fieldSql(
  table: Table,
  field: Field,
  asValue: boolean,
  slots: Slot[],
): { expression: string; column: Column } {
  const column = findColumn(table, field.column);
  const name = `${quotedName(table.name)}.${quotedName(column.name)}`;
  if (field.path.length === 0) return { expression: name, column };
  const path = jsonPath(field.path);
  slots.push(() => path);
  // a row whose text is no JSON has nothing at the path, rather than failing the request
  return { expression: `CASE WHEN json_valid(${name}) THEN ${name} ${asValue ? "->>" : "->"} ? END`, column };
}

function jsonPath(steps: readonly JsonStep[]): string {
  let path = "$";
  for (const step of steps) {
    if ("index" in step) path += step.index < 0 ? `[#${step.index}]` : `[${step.index}]`;
    else if (/["\\]/.test(step.key)) {
      throw new TenantryError("UNSUPPORTED", `A JSON key with quotes or backslashes cannot be addressed.`);
    } else path += `."${step.key}"`;
  }
  return path;
}

function conditionSql(table: Table, condition: Condition, slots: Slot[]): string {
  if (condition.kind === "logic") {
    const parts = condition.conditions.map((part) => conditionSql(table, part, slots));
    const sql = `(${parts.join(condition.operator === "and" ? " AND " : " OR ")})`;
    return condition.negated ? `NOT ${sql}` : sql;
  }
  const sql = positiveSql(table, condition, slots);
  return condition.negated ? `NOT (${sql})` : sql;
}

function positiveSql(table: Table, condition: Exclude<Condition, { kind: "logic" }>, slots: Slot[]): string {
  const { field } = condition;
  if (condition.kind === "search") return searchSql(table, field, condition.operator, condition.value, slots);
  const own: Slot[] = [];
  const { expression, column } = fieldSql(table, field, true, own);
  const comparison = field.path.length > 0 ? "either" : comparisonOf(table, column);
  const one = (operator: CompareOperator, value: number): string => {
    slots.push(...own);
    return compareSql(expression, column, comparison, operator, value, slots);
  };
  switch (condition.kind) {
    case "compare":
      return one(condition.operator, condition.value);
    case "is":
      slots.push(...own);
      return `${expression} ${IS[condition.value]}`;
    case "in":
      slots.push(...own);
      return listSql(expression, column, comparison, condition.values, slots);
    case "quantified": {
      if (condition.values.length === 0) return condition.quantifier === "any" ? "0" : "1";
      const parts = condition.values.map((value) => one(condition.operator, value));
      return `(${parts.join(condition.quantifier === "any" ? " OR " : " AND ")})`;
    }
  }
}

function compareSql(
  expression: string,
  column: Column,
  comparison: Comparison,
  operator: CompareOperator,
  value: number,
  slots: Slot[],
): string {
  if (operator === "like") {
    slots.push((values) => globPattern(values[value] as string));
    return `${expression} GLOB ?`;
  }
  if (operator === "ilike") {
    slots.push((values) => likePattern(values[value] as string));
    return `${expression} LIKE ? ESCAPE '\\'`;
  }
  const symbol = SYMBOLS[operator] as string;
  if (comparison !== "either") {
    slots.push((values) => filterValue(comparison, column.name, values[value] as string));
    return `${expression} ${symbol} ?`;
  }
  const text: Slot = (values) => values[value];
  const number: Slot = (values) => alternativeValue(values[value] as string);
  if (operator === "eq" || operator === "neq") {
    slots.push(text, number);
    return `${expression} ${operator === "eq" ? "IN" : "NOT IN"} (?, ?)`;
  }
  if (operator === "isdistinct") {
    slots.push(text, number);
    return `coalesce(${expression} NOT IN (?, ?), 1)`;
  }
  slots.push(number);
  return `${expression} ${symbol} ?`;
}

function listSql(
  expression: string,
  column: Column,
  comparison: Comparison,
  list: readonly number[],
  slots: Slot[],
): string {
  const bound = (values: readonly string[], value: number): unknown[] => {
    const text = values[value] as string;
    return comparison === "either"
      ? [text, alternativeValue(text)]
      : [filterValue(comparison, column.name, text)];
  };
  if (list.length >= JSON_LIST_LENGTH && comparison !== "bytes") {
    slots.push((values) => JSON.stringify(list.flatMap((value) => bound(values, value))));
    return `${expression} IN (SELECT value FROM json_each(?))`;
  }
  const each = comparison === "either" ? 2 : 1;
  for (const value of list) {
    for (let i = 0; i < each; i++) slots.push((values) => bound(values, value)[i]);
  }
  return `${expression} IN (${Array.from({ length: list.length * each }, () => "?").join(", ")})`;
}

/** Full-text search in an FTS5 table: in one column, or in all by the table's own name. */
function searchSql(
  table: Table,
  field: Field,
  operator: SearchOperator,
  value: number,
  slots: Slot[],
): string {
  if (table.module !== "fts5" || field.path.length > 0) {
    throw new TenantryError(
      "UNSUPPORTED",
      `"${table.name}" has no full-text index, so ${operator} cannot search it.`,
      {
        hint: "Full-text search works on FTS5 tables.",
      },
    );
  }
  const name = quotedName(table.name);
  const { name: column } = findColumn(table, field.column);
  const within = column === table.name ? "" : `{${quotedName(column)}} : `;
  slots.push((values) => `${within}${searchQuery(operator, values[value] as string)}`);
  // in a subquery MATCH may stand anywhere, also inside or= and not.
  return `${name}.rowid IN (SELECT rowid FROM ${name} WHERE ${name} MATCH ?)`;
}

function searchQuery(operator: SearchOperator, text: string): string {
  const phrase = (words: string): string => `"${words.replaceAll('"', '""')}"`;
  if (operator === "phfts") return phrase(text);
  if (operator === "fts") return `(${text})`;
  return `(${text.trim().split(/\s+/).map(phrase).join(" AND ")})`;
}
