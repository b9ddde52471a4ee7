// Owns what of a table is compared, and how its rows are told apart: for digests of its content, however they are made.
// Reads no rows.
import type { SqlRunner } from "../drivers/driver.ts";

/** The table under which the schema itself is digested. */
export const SCHEMA_TABLE = "sqlite_schema";

/** A table as digests look at it. */
export interface TableShape {
  readonly name: string;
  /** Columns whose values count: not those that are computed from others. */
  readonly columns: readonly string[];
  /** What rows are ordered by: the rowid's name, or the columns of the primary key. Empty where there is no way. */
  readonly key: readonly string[];
  /** The name by which the rowid can be reached; null where there is none, or all its names are columns'. */
  readonly rowid: string | null;
}

/** The schema as a table. */
export const SCHEMA_SHAPE: TableShape = {
  name: SCHEMA_TABLE,
  columns: ["type", "name", "tbl_name", "sql"],
  key: ["rowid"],
  rowid: "rowid",
};

/** Every table of a database by name but the schema, virtual ones by the tables that they keep their content in. */
export async function* tableShapes(
  db: SqlRunner,
  includes: (table: string) => boolean,
): AsyncGenerator<TableShape, void, undefined> {
  const { rows } = await db.run(
    {
      sql: `SELECT name, wr FROM pragma_table_list
            WHERE schema = 'main' AND type IN ('table', 'shadow') ORDER BY name`,
      params: [],
    },
    { rows: "arrays" },
  );
  for (const [name, withoutRowid] of rows as [string, number][]) {
    if (name !== SCHEMA_TABLE && includes(name)) yield await shapeOf(db, name, withoutRowid !== 0);
  }
}

async function shapeOf(db: SqlRunner, name: string, withoutRowid: boolean): Promise<TableShape> {
  const { rows } = await db.run(
    { sql: "SELECT name, pk, hidden FROM pragma_table_xinfo(?)", params: [name] },
    { rows: "arrays" },
  );
  const all = rows as [column: string, key: number, hidden: number][];
  const names = new Set(all.map(([column]) => column.toLowerCase()));
  const columns = all.filter(([, , hidden]) => hidden < 2).map(([column]) => column);
  const primary = all
    .filter(([, place]) => place > 0)
    .toSorted(([, a], [, b]) => a - b)
    .map(([column]) => column);
  const rowid = withoutRowid ? null : (["rowid", "_rowid_", "oid"].find((one) => !names.has(one)) ?? null);
  return { name, columns, key: rowid !== null ? [rowid] : withoutRowid ? primary : [], rowid };
}
