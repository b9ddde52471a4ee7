// Owns compiling a GET into a statement: the plan of a query's shape, to be used with any values.
// Runs nothing.
import { quotedName } from "../../sql/quoted-name.ts";
import { findColumn } from "./column-lookup.ts";
import { fieldSql, orderSql, type Slot, type SqlPart, whereSql } from "./filter-sql.ts";
import { comparisonOf } from "./filter-value.ts";
import type { RestQuery } from "./rest-query.ts";
import type { OutputColumn } from "./row-text.ts";
import { ALL_ROWS, type RowRange } from "./row-range.ts";
import type { SelectItem } from "./select-grammar.ts";
import type { Field } from "./text-reader.ts";
import type { Statement } from "../../drivers/driver.ts";
import type { Table } from "../../database/schema.ts";
import { TenantryError } from "../../tenantry-error.ts";

/** What a GET of one shape runs. */
export interface ReadPlan {
  /** Whether there can be no more than one row, because the whole primary key is given. */
  readonly single: boolean;
  readonly columns: readonly OutputColumn[];
  /** The rows. */
  rows(values: readonly string[], range: RowRange): Statement;
  /** How many rows there are, as `n`. */
  count(values: readonly string[]): Statement;
}

/** What `select=` makes of the answer. */
export interface Selection extends SqlPart {
  readonly columns: readonly OutputColumn[];
}

/**
 * Compiles what is read.
 * @throws {TenantryError} `COLUMN_NOT_FOUND`, `INVALID_FILTER`, `UNSUPPORTED`
 */
export function compileRead(table: Table, query: RestQuery): ReadPlan {
  if (query.onConflict !== undefined || query.columns !== undefined) {
    throw new TenantryError(
      "INVALID_ARGUMENT",
      '"columns" and "on_conflict" are for writing, not for reading.',
    );
  }
  const selection = compileSelect(table, query.select);
  const where = whereSql(table, query.filters);
  const order = orderSql(table, query.order);
  const from = ` FROM ${quotedName(table.name)}${where.sql}`;
  const sql = `SELECT ${selection.sql}${from}${order.sql}`;
  const pagedSql = `${sql} LIMIT ? OFFSET ?`;
  const countSql = `SELECT count(*) AS n${from}`;
  const slots = [...selection.slots, ...where.slots, ...order.slots];
  return {
    single: namesOneRow(table, query),
    columns: selection.columns,
    rows(values, range) {
      const params = bind(slots, values);
      if (range === ALL_ROWS) return { sql, params };
      params.push(range.limit ?? -1, range.offset);
      return { sql: pagedSql, params };
    },
    count: (values) => ({ sql: countSql, params: bind(where.slots, values) }),
  };
}

// numbers only: two texts may be equal for a column's collation and different for its key
function namesOneRow(table: Table, { filters }: RestQuery): boolean {
  return (
    table.kind === "table" &&
    table.primaryKey.length > 0 &&
    table.primaryKey.every((name) =>
      filters.some(
        (filter) =>
          filter.kind === "compare" &&
          filter.operator === "eq" &&
          !filter.negated &&
          filter.field.column === name &&
          filter.field.path.length === 0 &&
          comparisonOf(table, findColumn(table, name)) === "number",
      ),
    )
  );
}

/** The parameters of `slots` for these values. */
export function bind(slots: readonly Slot[], values: readonly string[]): unknown[] {
  return slots.map((slot) => slot(values));
}

/** Compiles `select=` for a SELECT or a RETURNING. */
export function compileSelect(table: Table, select: readonly ("*" | SelectItem)[]): Selection {
  const slots: Slot[] = [];
  const parts: string[] = [];
  const columns: OutputColumn[] = [];
  const add = (field: Field, name: string): void => {
    // a name that comes twice is one key of the answer
    if (columns.some((column) => column.name === name)) return;
    const { expression, column } = fieldSql(table, field, field.asText, slots);
    parts.push(`${expression} AS ${quotedName(name)}`);
    columns.push({ name, kind: field.path.length === 0 ? column.kind : field.asText ? "plain" : "json" });
  };
  for (const item of select) {
    if (item === "*") {
      for (const { name, hidden } of table.columns) {
        if (!hidden) add({ column: name, path: [], asText: false }, name);
      }
    } else {
      add(item.field, item.alias ?? outputName(item.field));
    }
  }
  if (parts.length === 0) {
    throw new TenantryError(
      "SQL_ERROR",
      `"${table.name}" cannot be read: SQLite cannot resolve its columns.`,
      {
        hint: "A table or column that the view uses may be gone, or the module of the virtual table not loaded.",
      },
    );
  }
  return { sql: parts.join(", "), slots, columns };
}

function outputName(field: Field): string {
  const key = field.path.findLast((step) => "key" in step);
  return key === undefined ? field.column : key.key;
}
