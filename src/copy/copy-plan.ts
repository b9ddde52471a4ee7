// Owns what there is to be copied, in the order in which it can be: tables with their columns and keys, virtual
// tables, and what comes after the rows. Writes nothing.
import type { SqlRunner } from "../drivers/driver.ts";
import { isContent } from "../database/table-digest.ts";
import { quotedName } from "../sql/quoted-name.ts";
import { TenantryError } from "../tenantry-error.ts";

/** Marks a database to which a copy is under way. */
export const COPY_MARK = "_tenantry_copy";

/** A table, ordinary or virtual, whose rows are copied. */
export interface PlannedTable {
  readonly name: string;
  readonly sql: string;
  readonly kind: "table" | "virtual" | "shadow";
  /** In lower case, of a virtual table. */
  readonly module: string | null;
  /** Columns whose values are copied: not those that are computed from others. */
  readonly columns: readonly string[];
  /** All columns that a statement's result would have. */
  readonly width: number;
  /** What rows are ordered by, and pages go on from. */
  readonly key: readonly string[];
  /** The name by which the rowid can be reached, where it is not among the columns; null where there is none. */
  readonly rowid: string | null;
  /** Tables that its foreign keys refer to. */
  readonly parents: readonly string[];
}

/** What is to be copied. */
export interface CopyPlan {
  /** Parents before their children, as far as they are in no circle. */
  readonly tables: readonly PlannedTable[];
  /** Indexes, views and triggers, in that order. */
  readonly after: readonly { readonly name: string; readonly sql: string }[];
  /** Tables that a target makes by itself with a virtual table, of sources whose virtual tables are copied by rows. */
  readonly shadows: ReadonlySet<string>;
  /** Bytes of the longest statement of the schema. */
  readonly longestSql: number;
}

interface SchemaRow {
  readonly type: string;
  readonly name: string;
  readonly tbl_name: string;
  readonly sql: string | null;
}

const MODULE = /\bUSING\s+["`[]?(\w+)/i;
const AFTER_ORDER = ["index", "view", "trigger"];

/**
 * Reads what there is.
 * @param shadowTables whether virtual tables are copied by their shadow tables
 * @throws {TenantryError} `COPY_REFUSED` for what is itself a copy that was cut short
 */
export async function planCopy(db: SqlRunner, shadowTables: boolean): Promise<CopyPlan> {
  const schema = (
    await db.run({
      sql: "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid",
      params: [],
    })
  ).rows as unknown as SchemaRow[];
  if (schema.some(({ name }) => name === COPY_MARK)) throw halfOfOne();
  const listed = (
    await db.run({ sql: "SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main'", params: [] })
  ).rows as unknown as { name: string; type: string; wr: number }[];
  const kinds = new Map(listed.map((row) => [row.name, row]));
  const shadows = new Set(listed.filter(({ type }) => type === "shadow").map(({ name }) => name));

  const tables: PlannedTable[] = [];
  for (const { type, name, sql } of schema) {
    if (type !== "table" || !isCopied(name) || sql === null) continue;
    const { type: kind = "table", wr = 0 } = kinds.get(name) ?? {};
    if (kind === "shadow" && !shadowTables) continue;
    tables.push(await readTable(db, name, sql, kind as PlannedTable["kind"], wr !== 0));
  }
  const after = schema
    .filter(({ type, tbl_name }) => type !== "table" && isCopied(tbl_name) && !shadows.has(tbl_name))
    .toSorted((a, b) => AFTER_ORDER.indexOf(a.type) - AFTER_ORDER.indexOf(b.type))
    .map(({ name, sql }) => ({ name, sql: sql as string }));
  return {
    tables: parentsFirst(tables),
    after,
    shadows: shadowTables ? new Set() : shadows,
    longestSql: Math.max(0, ...schema.map(({ sql }) => new TextEncoder().encode(sql ?? "").length)),
  };
}

function halfOfOne(): TenantryError {
  return new TenantryError("COPY_REFUSED", "The source is a copy that was cut short, or is under way.", {
    hint: "Let that one come to its end: run it again.",
  });
}

/** Whether a table is the tenant's: neither SQLite's own, nor a mark of ours. */
export function isCopied(name: string): boolean {
  return isContent(name) && name !== "sqlite_sequence" && name !== COPY_MARK && name !== "_tenantry_staged";
}

async function readTable(
  db: SqlRunner,
  name: string,
  sql: string,
  kind: PlannedTable["kind"],
  withoutRowid: boolean,
): Promise<PlannedTable> {
  const { rows } = await db.run(
    { sql: "SELECT name, pk, hidden FROM pragma_table_xinfo(?)", params: [name] },
    { rows: "arrays" },
  );
  const all = rows as [column: string, key: number, hidden: number][];
  const columns = all.filter(([, , hidden]) => hidden === 0).map(([column]) => column);
  const names = new Set(all.map(([column]) => column.toLowerCase()));
  const rowid = withoutRowid ? null : (["rowid", "_rowid_", "oid"].find((one) => !names.has(one)) ?? null);
  const primary = all
    .filter(([, place]) => place > 0)
    .toSorted(([, a], [, b]) => a - b)
    .map(([column]) => column);
  const key = rowid !== null ? [rowid] : primary;
  if (key.length === 0) {
    throw new TenantryError("UNSUPPORTED", `The rows of table ${quotedName(name)} cannot be told apart.`, {
      hint: "It has columns named rowid, _rowid_ and oid, and no primary key: rename one of them.",
    });
  }
  const parents = (
    await db.run(
      { sql: 'SELECT DISTINCT "table" FROM pragma_foreign_key_list(?)', params: [name] },
      { rows: "arrays" },
    )
  ).rows as [string][];
  return {
    name,
    sql,
    kind: kind === "virtual" || kind === "shadow" ? kind : "table",
    module: kind === "virtual" ? (MODULE.exec(sql)?.[1]?.toLowerCase() ?? null) : null,
    columns,
    width: all.length,
    key,
    rowid,
    parents: parents.map(([parent]) => parent.toLowerCase()),
  };
}

function parentsFirst(tables: readonly PlannedTable[]): PlannedTable[] {
  const byName = new Map(tables.map((table) => [table.name.toLowerCase(), table]));
  const done = new Set<PlannedTable>();
  const ordered: PlannedTable[] = [];
  const visit = (table: PlannedTable): void => {
    if (done.has(table)) return;
    done.add(table);
    for (const parent of table.parents) {
      const found = byName.get(parent);
      if (found) visit(found);
    }
    ordered.push(table);
  };
  // Virtual tables may read from ordinary ones, and their shadows exist once they do.
  const rank = { table: 0, virtual: 1, shadow: 2 };
  for (const table of tables.toSorted((a, b) => rank[a.kind] - rank[b.kind])) visit(table);
  return ordered;
}
