// Owns compiling POST, PUT, PATCH and DELETE into statements.
// Runs nothing. The values of a body travel as JSON text in one parameter, and SQLite reads them there: 64-bit
// integers stay exact, 5 stays an integer on every driver, and one statement takes any number of rows.
import { quotedName } from "../../sql/quoted-name.ts";
import { findColumn } from "./column-lookup.ts";
import { whereSql } from "./filter-sql.ts";
import { filterValue } from "./filter-value.ts";
import type { BodyRow } from "./json-body.ts";
import type { Preferences } from "./prefer.ts";
import { bind, compileSelect } from "./read-plan.ts";
import type { RestQuery } from "./rest-query.ts";
import type { OutputColumn } from "./row-text.ts";
import type { Statement } from "../../drivers/driver.ts";
import type { Column, Table } from "../../database/schema.ts";
import { TenantryError } from "../../tenantry-error.ts";

/** Bytes of JSON, in characters, that one INSERT takes before the next begins; D1 takes 2 MB a value. */
export const MAX_INSERT_LENGTH = 1_000_000;

export interface WritePlan {
  /** All in one transaction. */
  readonly statements: readonly Statement[];
  /** Counts, as `n`, the rows of an upsert that are there already; run before the statements. */
  readonly existing: Statement | undefined;
  /** The columns that come back; none without RETURNING. */
  readonly columns: readonly OutputColumn[];
}

/** What comes back of a write: what was selected, the primary key, or nothing. */
export type Returning = "selection" | "key" | "nothing";

/** Compiles a POST of `rows`. */
export function compileInsert(
  table: Table,
  query: RestQuery,
  preferences: Preferences,
  rows: readonly BodyRow[],
  returning: Returning,
): WritePlan {
  refuse(query, ["filters", "order", "limit", "offset"], "POST");
  const names = query.columns ?? uniformKeys(rows);
  const columns = names.map((name) => findColumn(table, name));
  const target = query.onConflict ?? table.primaryKey;
  for (const name of target) findColumn(table, name);
  const resolution = target.length === 0 ? undefined : preferences.resolution;
  const back = returningPart(table, query, returning);
  const groups =
    preferences.missing === "default"
      ? groupByKeys(rows, columns)
      : rows.length === 0
        ? []
        : [{ columns, rows }];
  return {
    statements: groups.flatMap((group) =>
      insertStatements(
        table,
        group.columns,
        group.rows,
        conflictSql(resolution, target, group.columns),
        back,
      ),
    ),
    existing:
      resolution === "merge-duplicates" && target.every((name) => names.includes(name))
        ? existingSql(table, target, columns, rows)
        : undefined,
    columns: back.columns,
  };
}

/** Compiles a PUT: one row, named by its whole primary key in the filters and in the body. */
export function compilePut(
  table: Table,
  query: RestQuery,
  rows: readonly BodyRow[],
  returning: Returning,
): WritePlan {
  refuse(query, ["order", "limit", "offset", "onConflict"], "PUT");
  const [row] = rows;
  const wrong = (message: string): TenantryError =>
    new TenantryError("INVALID_ARGUMENT", message, {
      hint: "PUT takes one row, with its primary key in the body and as eq. filters.",
    });
  if (row === undefined || rows.length !== 1) throw wrong(`PUT takes one row, not ${rows.length}.`);
  if (table.primaryKey.length === 0) throw wrong(`"${table.name}" has no primary key.`);
  const filtered = new Map<string, string>();
  for (const filter of query.filters) {
    if (
      filter.kind !== "compare" ||
      filter.operator !== "eq" ||
      filter.negated ||
      filter.field.path.length > 0
    ) {
      throw wrong("A filter of a PUT is not eq. on a column of the primary key.");
    }
    filtered.set(filter.field.column, query.values[filter.value] as string);
  }
  if (filtered.size !== table.primaryKey.length || !table.primaryKey.every((name) => filtered.has(name))) {
    throw wrong("The filters of a PUT are not the columns of the primary key.");
  }
  for (const [name, text] of filtered) {
    const value = row[name];
    if ((typeof value === "string" ? value : JSON.stringify(value)) !== text)
      throw wrong(`"${name}" in the body is not what the filter says.`);
  }
  const plain = { ...query, filters: [] };
  return compileInsert(table, plain, { resolution: "merge-duplicates" }, rows, returning);
}

/** Compiles a PATCH with one object of values. An object without values changes nothing. */
export function compileUpdate(
  table: Table,
  query: RestQuery,
  rows: readonly BodyRow[],
  returning: Returning,
): WritePlan {
  refuse(query, ["order", "limit", "offset", "onConflict"], "PATCH");
  requireFilter(query, "PATCH");
  const [row] = rows;
  if (row === undefined || rows.length !== 1) {
    throw new TenantryError("INVALID_ARGUMENT", `PATCH takes one object of values, not ${rows.length}.`);
  }
  const names = (query.columns ?? Object.keys(row)).filter((name) => Object.hasOwn(row, name));
  const columns = names.map((name) => findColumn(table, name));
  const back = returningPart(table, query, returning);
  if (columns.length === 0) return { statements: [], existing: undefined, columns: back.columns };
  const where = whereSql(table, query.filters);
  const values = columns.map((column, i) => valueSql(column, "j", i)).join(", ");
  return {
    statements: [
      {
        sql: `UPDATE ${quotedName(table.name)} SET (${columns.map(({ name }) => quotedName(name)).join(", ")}) = (SELECT ${values} FROM (SELECT ? AS j))${where.sql}${back.sql}`,
        params: [rowJson(row, columns), ...bind(where.slots, query.values), ...back.params],
      },
    ],
    existing: undefined,
    columns: back.columns,
  };
}

/** Compiles a DELETE. */
export function compileDelete(table: Table, query: RestQuery, returning: Returning): WritePlan {
  refuse(query, ["order", "limit", "offset", "columns", "onConflict"], "DELETE");
  requireFilter(query, "DELETE");
  const where = whereSql(table, query.filters);
  const back = returningPart(table, query, returning);
  return {
    statements: [
      {
        sql: `DELETE FROM ${quotedName(table.name)}${where.sql}${back.sql}`,
        params: [...bind(where.slots, query.values), ...back.params],
      },
    ],
    existing: undefined,
    columns: back.columns,
  };
}

interface ReturningPart {
  readonly sql: string;
  readonly params: readonly unknown[];
  readonly columns: readonly OutputColumn[];
}

function returningPart(table: Table, query: RestQuery, returning: Returning): ReturningPart {
  if (returning === "nothing" || (returning === "key" && table.primaryKey.length === 0)) {
    return { sql: "", params: [], columns: [] };
  }
  const select =
    returning === "selection"
      ? query.select
      : table.primaryKey.map((column) => ({ field: { column, path: [], asText: false }, alias: undefined }));
  const { sql, slots, columns } = compileSelect(table, select);
  return { sql: ` RETURNING ${sql}`, params: bind(slots, []), columns };
}

function insertStatements(
  table: Table,
  columns: readonly Column[],
  rows: readonly BodyRow[],
  conflict: string,
  back: ReturningPart,
): Statement[] {
  if (columns.length === 0) {
    const sql = `INSERT INTO ${quotedName(table.name)} DEFAULT VALUES${back.sql}`;
    return rows.map(() => ({ sql, params: back.params }));
  }
  const names = columns.map(({ name }) => quotedName(name)).join(", ");
  const values = columns.map((column, i) => valueSql(column, "value", i)).join(", ");
  // "WHERE true" keeps SQLite from reading ON CONFLICT as a join's ON
  const sql = `INSERT INTO ${quotedName(table.name)} (${names}) SELECT ${values} FROM json_each(?) WHERE true${conflict}${back.sql}`;
  return jsonChunks(rows, columns).map((json) => ({ sql, params: [json, ...back.params] }));
}

function jsonChunks(rows: readonly BodyRow[], columns: readonly Column[]): string[] {
  const chunks: string[] = [];
  let chunk = "";
  for (const row of rows) {
    const json = rowJson(row, columns);
    if (chunk !== "" && chunk.length + json.length > MAX_INSERT_LENGTH) {
      chunks.push(`[${chunk}]`);
      chunk = "";
    }
    chunk += chunk === "" ? json : `,${json}`;
  }
  chunks.push(`[${chunk}]`);
  return chunks;
}

function rowJson(row: BodyRow, columns: readonly Column[]): string {
  return JSON.stringify(
    columns.map((column) => {
      const value = Object.hasOwn(row, column.name) ? row[column.name] : null;
      // checked here because SQLite's unhex() makes NULL of bad digits without a word
      if (column.kind === "bytes" && typeof value === "string") filterValue("bytes", column.name, value);
      return value;
    }),
  );
}

/** The value at place `i` of the JSON array `source`. */
function valueSql(column: Column, source: string, i: number): string {
  const value = `json_extract(${source}, '$[${i}]')`;
  if (column.kind === "json") return `nullif(${source} -> '$[${i}]', 'null')`;
  if (column.kind === "bytes") {
    return `CASE WHEN ${value} GLOB '\\x*' THEN unhex(substr(${value}, 3)) ELSE ${value} END`;
  }
  return value;
}

function conflictSql(
  resolution: Preferences["resolution"],
  target: readonly string[],
  columns: readonly Column[],
): string {
  if (resolution === undefined || columns.length === 0) return "";
  const on = ` ON CONFLICT (${target.map(quotedName).join(", ")})`;
  if (resolution === "ignore-duplicates") return `${on} DO NOTHING`;
  const others = columns.filter(({ name }) => !target.includes(name));
  // a row that is all key is updated to itself, so that it comes back
  const set = (others.length > 0 ? others : columns).map(
    ({ name }) => `${quotedName(name)} = excluded.${quotedName(name)}`,
  );
  return `${on} DO UPDATE SET ${set.join(", ")}`;
}

function existingSql(
  table: Table,
  target: readonly string[],
  columns: readonly Column[],
  rows: readonly BodyRow[],
): Statement {
  const keys = columns.filter(({ name }) => target.includes(name));
  const same = keys.map(
    (column, i) => `${quotedName(table.name)}.${quotedName(column.name)} = ${valueSql(column, "j.value", i)}`,
  );
  return {
    sql: `SELECT count(*) AS n FROM json_each(?) AS j WHERE EXISTS (SELECT 1 FROM ${quotedName(table.name)} WHERE ${same.join(" AND ")})`,
    params: [`[${rows.map((row) => rowJson(row, keys)).join(",")}]`],
  };
}

function groupByKeys(
  rows: readonly BodyRow[],
  columns: readonly Column[],
): { columns: readonly Column[]; rows: BodyRow[] }[] {
  const groups: { columns: readonly Column[]; rows: BodyRow[]; keys: string }[] = [];
  for (const row of rows) {
    const present = columns.filter(({ name }) => Object.hasOwn(row, name));
    const keys = JSON.stringify(present.map(({ name }) => name));
    const last = groups.at(-1);
    if (last?.keys === keys) last.rows.push(row);
    else groups.push({ columns: present, rows: [row], keys });
  }
  return groups;
}

function uniformKeys(rows: readonly BodyRow[]): readonly string[] {
  const names = Object.keys(rows[0] ?? {});
  for (const row of rows) {
    if (Object.keys(row).length !== names.length || !names.every((name) => Object.hasOwn(row, name))) {
      throw new TenantryError("INVALID_ARGUMENT", "The objects in the body do not all have the same keys.", {
        hint: 'Name the columns with "columns=a,b"; what an object lacks is null, or with "Prefer: missing=default" its default.',
      });
    }
  }
  return names;
}

function requireFilter(query: RestQuery, method: string): void {
  if (query.filters.length > 0) return;
  throw new TenantryError("FILTER_REQUIRED", `A ${method} without a filter would change every row.`, {
    hint: "Add a filter. One that holds for all rows, such as id=not.is.null, says that all are meant.",
  });
}

function refuse(query: RestQuery, names: readonly (keyof RestQuery)[], method: string): void {
  for (const name of names) {
    const value = query[name];
    if (value === undefined || (Array.isArray(value) && value.length === 0)) continue;
    const shown = name === "onConflict" ? "on_conflict" : name;
    throw new TenantryError("UNSUPPORTED", `${method} takes no ${shown}.`);
  }
}
