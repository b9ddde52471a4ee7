// Owns finding tables and columns by the names that callers use.
// Every identifier that reaches SQL from a request has been through here; sql/quoted-name.ts quotes it.
import { closestMatch } from "leven";
import type { Column, DatabaseSchema, Table } from "../../database/schema.ts";
import { TenantryError } from "../../tenantry-error.ts";

const ROWID: Column = {
  name: "rowid",
  type: "INTEGER",
  affinity: "integer",
  kind: "plain",
  nullable: false,
  default: null,
  primaryKey: 0,
  generated: null,
  hidden: true,
};

/** @throws {TenantryError} `TABLE_NOT_FOUND` with the nearest name. */
export function findTable(schema: DatabaseSchema, name: string): Table {
  const table = schema.tables.get(name);
  if (table !== undefined) return table;
  const visible = [...schema.tables.values()].filter((table) => !table.internal).map((table) => table.name);
  throw new TenantryError(
    "TABLE_NOT_FOUND",
    `There is no table or view ${shown(name)}.`,
    nearest(name, visible),
  );
}

/**
 * A column by its name; `rowid` too, where the table has one.
 * @throws {TenantryError} `COLUMN_NOT_FOUND` with the nearest name.
 */
export function findColumn(table: Table, name: string): Column {
  const column = table.columns.find((column) => column.name === name);
  if (column !== undefined) return column;
  if (name === "rowid" && !table.withoutRowid && table.kind !== "view") return ROWID;
  throw new TenantryError(
    "COLUMN_NOT_FOUND",
    `There is no column ${shown(name)} in ${shown(table.name)}.`,
    nearest(
      name,
      table.columns.map((column) => column.name),
    ),
  );
}

function nearest(name: string, names: readonly string[]): { hint: string } {
  const all = { hint: "GET the tenant's /schema: it lists tables and columns." };
  if (name.length > 200) return all;
  const match = closestMatch(name, names, { maxDistance: Math.max(2, Math.floor(name.length / 2)) });
  return match === undefined ? all : { hint: `Did you mean ${JSON.stringify(match)}?` };
}

function shown(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);
}
