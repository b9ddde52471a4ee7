// Owns what a tenant database contains: its tables, views, columns, indexes and keys, read in a few queries.
// Does not cache (schema-cache.ts does) and does not change anything.
import { isInternalTable as isOwnTable } from "../sql/refused-names.ts";
import { type Affinity, affinityOf, type ValueKind, valueKindOf } from "./column-type.ts";
import type { ResultSet, SqlRunner, Statement } from "../drivers/driver.ts";
import { isTenantryError } from "../tenantry-error.ts";

export interface Column {
  readonly name: string;
  /** The type as declared, such as `NVARCHAR(40)`; empty where none was. */
  readonly type: string;
  readonly affinity: Affinity;
  readonly kind: ValueKind;
  readonly nullable: boolean;
  /** The default's SQL text. */
  readonly default: string | null;
  /** Position in the primary key from 1 on; 0 outside it. */
  readonly primaryKey: number;
  readonly generated: "virtual" | "stored" | null;
  /** A virtual table's hidden column: there when named, not part of `*`. */
  readonly hidden: boolean;
}

export interface Index {
  readonly name: string;
  readonly unique: boolean;
  /** Column names in order; `null` for an expression. */
  readonly columns: readonly (string | null)[];
  readonly partial: boolean;
}

export interface ForeignKey {
  readonly columns: readonly string[];
  readonly table: string;
  /** `null` stands for the other table's primary key column at that place. */
  readonly references: readonly (string | null)[];
  readonly onUpdate: string;
  readonly onDelete: string;
}

export interface Table {
  readonly name: string;
  readonly kind: "table" | "view" | "virtual";
  /** Tenantry's, SQLite's or a tool's own: readable, never writable. */
  readonly internal: boolean;
  /** A virtual table's module in lower case, such as `fts5`. */
  readonly module: string | null;
  readonly withoutRowid: boolean;
  readonly strict: boolean;
  readonly columns: readonly Column[];
  /** The primary key's column names, in its order. */
  readonly primaryKey: readonly string[];
  readonly indexes: readonly Index[];
  readonly foreignKeys: readonly ForeignKey[];
}

export interface DatabaseSchema {
  /** By name, sorted. Shadow tables of virtual tables are left out. */
  readonly tables: ReadonlyMap<string, Table>;
}

const SQLITE_OWN = /^sqlite_/i;
const MODULE =
  /^CREATE VIRTUAL TABLE\s+(?:"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|'[^']*'|[^\s"`['(]+)\s+USING\s+["`[]?(\w+)/i;

/** Whether a table of that name is Tenantry's, SQLite's or a tool's own: readable, never writable. */
export function isInternalTable(name: string): boolean {
  return SQLITE_OWN.test(name) || isOwnTable(name);
}

// D1 refuses to look into its own _cf_ tables, so they must not come as far as the pragma.
const LISTED = "m.schema = 'main' AND m.type <> 'shadow' AND m.name NOT LIKE '\\_cf\\_%' ESCAPE '\\'";
const TABLES: Statement = {
  sql: `SELECT m.name, m.type, m.wr, m.strict, s.sql FROM pragma_table_list AS m
        LEFT JOIN sqlite_schema AS s ON s.name = m.name AND s.type IN ('table', 'view')
        WHERE ${LISTED} ORDER BY m.name`,
  params: [],
};
const columnsOf = (condition: string, ...params: string[]): Statement => ({
  sql: `SELECT m.name AS tbl, x.name, x.type, x."notnull" AS required, x.dflt_value AS dflt, x.pk, x.hidden
        FROM pragma_table_list AS m JOIN pragma_table_xinfo(m.name) AS x
        WHERE ${LISTED} AND ${condition} ORDER BY m.name, x.cid`,
  params,
});
const INDEXES: Statement = {
  sql: `SELECT m.name AS tbl, l.name, l."unique" AS uniq, l.origin, l.partial, i.name AS col
        FROM pragma_table_list AS m JOIN pragma_index_list(m.name) AS l JOIN pragma_index_info(l.name) AS i
        WHERE ${LISTED} AND m.type = 'table' ORDER BY m.name, l.name, i.seqno`,
  params: [],
};
const FOREIGN_KEYS: Statement = {
  sql: `SELECT m.name AS tbl, f.id, f."table" AS target, f."from" AS col, f."to" AS ref, f.on_update, f.on_delete
        FROM pragma_table_list AS m JOIN pragma_foreign_key_list(m.name) AS f
        WHERE ${LISTED} AND m.type = 'table' ORDER BY m.name, f.id, f.seq`,
  params: [],
};

type Row = Record<string, string | number | null>;
const rowsOf = (result: ResultSet | undefined): Row[] => (result?.rows ?? []) as Row[];

/**
 * Reads the schema in one batch. A view or virtual table that SQLite cannot resolve (its table is gone, its
 * module is not loaded) is listed without columns.
 */
export async function readSchema(runner: SqlRunner): Promise<DatabaseSchema> {
  const results = await runner.batch([TABLES, columnsOf("m.type = 'table'"), INDEXES, FOREIGN_KEYS], {
    readOnly: true,
  });
  const list = rowsOf(results[0]);
  const others = list.filter((row) => row["type"] !== "table").map((row) => String(row["name"]));
  const columns = [...rowsOf(results[1]), ...(await columnsOfOthers(runner, others))];
  const byTable = {
    columns: Map.groupBy(columns, (row) => row["tbl"]),
    indexes: Map.groupBy(rowsOf(results[2]), (row) => row["tbl"]),
    foreignKeys: Map.groupBy(rowsOf(results[3]), (row) => row["tbl"]),
  };
  const tables = new Map<string, Table>();
  for (const row of list) {
    const name = String(row["name"]);
    tables.set(
      name,
      toTable(
        row,
        byTable.columns.get(name) ?? [],
        byTable.indexes.get(name) ?? [],
        byTable.foreignKeys.get(name) ?? [],
      ),
    );
  }
  return { tables };
}

async function columnsOfOthers(runner: SqlRunner, names: readonly string[]): Promise<Row[]> {
  if (names.length === 0) return [];
  try {
    return rowsOf(await runner.run(columnsOf("m.type <> 'table'"), { readOnly: true }));
  } catch (error) {
    if (!isTenantryError(error, "SQL_ERROR")) throw error;
  }
  // one broken view fails the query for all: ask for each alone, and leave the broken ones without columns
  const rows: Row[] = [];
  for (const name of names) {
    try {
      rows.push(...rowsOf(await runner.run(columnsOf("m.name = ?", name), { readOnly: true })));
    } catch (error) {
      if (!isTenantryError(error, "SQL_ERROR")) throw error;
    }
  }
  return rows;
}

function toTable(row: Row, columnRows: Row[], indexRows: Row[], foreignKeyRows: Row[]): Table {
  const name = String(row["name"]);
  const strict = row["strict"] === 1;
  const withoutRowid = row["wr"] === 1;
  const keyed = columnRows
    .filter((column) => Number(column["pk"]) > 0)
    .sort((a, b) => Number(a["pk"]) - Number(b["pk"]));
  // a lone INTEGER PRIMARY KEY is the rowid itself and never null; any other key has an index of its own
  const neverNull =
    withoutRowid ||
    (keyed.length === 1 &&
      String(keyed[0]?.["type"]).toUpperCase() === "INTEGER" &&
      !indexRows.some((index) => index["origin"] === "pk"));
  return {
    name,
    kind: row["type"] as Table["kind"],
    internal: isInternalTable(name),
    module: row["type"] === "virtual" ? (MODULE.exec(String(row["sql"]))?.[1]?.toLowerCase() ?? null) : null,
    withoutRowid,
    strict,
    columns: columnRows.map((column) => {
      const type = String(column["type"] ?? "");
      const primaryKey = Number(column["pk"]);
      return {
        name: String(column["name"]),
        type,
        affinity: affinityOf(type, strict),
        kind: valueKindOf(type),
        nullable: column["required"] !== 1 && !(neverNull && primaryKey > 0),
        default: column["dflt"] === null ? null : String(column["dflt"]),
        primaryKey,
        generated: column["hidden"] === 2 ? "virtual" : column["hidden"] === 3 ? "stored" : null,
        hidden: column["hidden"] === 1,
      };
    }),
    primaryKey: keyed.map((column) => String(column["name"])),
    indexes: [...Map.groupBy(indexRows, (index) => index["name"])].map(([name, parts]) => ({
      name: String(name),
      unique: parts[0]?.["uniq"] === 1,
      columns: parts.map((part) => (part["col"] === null ? null : String(part["col"]))),
      partial: parts[0]?.["partial"] === 1,
    })),
    foreignKeys: [...Map.groupBy(foreignKeyRows, (key) => key["id"])].map(([, parts]) => ({
      columns: parts.map((part) => String(part["col"])),
      table: String(parts[0]?.["target"]),
      references: parts.map((part) => (part["ref"] === null ? null : String(part["ref"]))),
      onUpdate: String(parts[0]?.["on_update"]),
      onDelete: String(parts[0]?.["on_delete"]),
    })),
  };
}

/** The schema as `GET /schema` shows it. */
export function describeSchema(schema: DatabaseSchema): { readonly tables: readonly object[] } {
  return {
    tables: [...schema.tables.values()].map(({ columns, ...table }) => ({
      ...table,
      columns: columns.map(({ affinity: _affinity, kind: _kind, ...column }) => column),
    })),
  };
}
