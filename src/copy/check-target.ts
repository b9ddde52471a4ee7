// Owns whether a target can hold what is to be copied, found out before anything is written to it.
// Copies nothing.
import type { SqlRunner } from "../drivers/driver.ts";
import { quotedName } from "../sql/quoted-name.ts";
import { isTenantryError, TenantryError } from "../tenantry-error.ts";
import type { TargetLimits } from "./copy-end.ts";
import { COPY_MARK, type CopyPlan, isCopied, type PlannedTable } from "./copy-plan.ts";

/** Modules whose rows can be copied without the tables in which they keep them. */
const BY_ROWS: ReadonlySet<string> = new Set(["fts5", "rtree", "rtree_i32", "geopoly"]);

/** @throws {TenantryError} `COPY_REFUSED`, which says what does not fit */
export async function assertFits(
  db: SqlRunner,
  plan: CopyPlan,
  limits: TargetLimits,
  shadowTables: boolean,
): Promise<void> {
  const refuse = (what: string, hint: string): TenantryError =>
    new TenantryError("COPY_REFUSED", `${limits.name} cannot take it: ${what}.`, { hint });
  const { maxDatabaseBytes, maxSqlBytes, maxColumns, modules } = limits;
  if (maxDatabaseBytes !== undefined) {
    const bytes = await sizeOf(db);
    if (bytes > maxDatabaseBytes) {
      throw refuse(
        `it has ${bytes} bytes, and ${maxDatabaseBytes} are the most`,
        "Remove rows, or leave it where it is.",
      );
    }
  }
  if (maxSqlBytes !== undefined && plan.longestSql > maxSqlBytes) {
    throw refuse(
      `a statement of its schema has ${plan.longestSql} bytes, and ${maxSqlBytes} are the most`,
      "Shorten it, such as by leaving out comments.",
    );
  }
  for (const table of plan.tables) {
    const name = quotedName(table.name);
    if (maxColumns !== undefined && table.width > maxColumns) {
      throw refuse(
        `table ${name} has ${table.width} columns, and ${maxColumns} are the most`,
        "Divide the table.",
      );
    }
    if (table.kind === "virtual" && table.module !== null) {
      if (modules && !modules.has(table.module)) {
        throw refuse(
          `it has no module ${table.module}, which table ${name} uses`,
          "Drop the table, or keep its content in an ordinary one.",
        );
      }
      if (!shadowTables && (!BY_ROWS.has(table.module) || isContentless(table))) {
        throw refuse(
          `the rows of table ${name} cannot be read from it`,
          "It keeps no content: drop it, and build it anew there.",
        );
      }
    }
    await assertRowsFit(db, table, limits, refuse);
  }
}

/**
 * Whether the target is empty, or has only what a copy has left there that was cut short.
 * @throws {TenantryError} `DATABASE_EXISTS`
 */
export async function leftovers(db: SqlRunner): Promise<readonly { type: string; name: string }[]> {
  const { rows } = await db.run({
    // The tables in which a virtual one keeps its content go with it.
    sql: `SELECT type, name FROM sqlite_schema WHERE sql IS NOT NULL
          AND name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow') ORDER BY rowid`,
    params: [],
  });
  const objects = (rows as { type: string; name: string }[]).filter(
    ({ name }) => isCopied(name) || name === COPY_MARK,
  );
  if (objects.length === 0 || objects.some(({ name }) => name === COPY_MARK)) return objects;
  throw new TenantryError("DATABASE_EXISTS", "The target is not empty.", {
    hint: "Nothing of it was changed. Name a new database, or empty this one yourself.",
  });
}

function isContentless({ sql }: PlannedTable): boolean {
  return /\bcontent\s*=\s*(?:''|"")/i.test(sql);
}

async function assertRowsFit(
  db: SqlRunner,
  { name, columns, kind }: PlannedTable,
  { maxValueBytes, maxRowBytes, finite = false }: TargetLimits,
  refuse: (what: string, hint: string) => TenantryError,
): Promise<void> {
  if (maxValueBytes === undefined || maxRowBytes === undefined || kind === "virtual") return;
  const lengths = columns.map((column) => `ifnull(length(CAST(${quotedName(column)} AS BLOB)), 0)`);
  const { rows } = await db.run(
    {
      sql: `SELECT max(${lengths.map((length) => `max(${length})`).join(", ")}, 0), max(${lengths.join(" + ")}),
              ${finite ? `max(${columns.map(isInfinite).join(" OR ")})` : "0"}
            FROM ${quotedName(name)}`,
      params: [],
    },
    { rows: "arrays" },
  );
  const [value, row, infinite] = rows[0] as [number | null, number | null, number | null];
  if (infinite === 1) {
    throw refuse(
      `table ${quotedName(name)} has an infinite REAL, which it cannot give back`,
      "Store it as a text, or as NULL.",
    );
  }
  if ((value ?? 0) <= maxValueBytes && (row ?? 0) <= maxRowBytes) return;
  throw refuse(
    `table ${quotedName(name)} has a row of ${row} bytes with a value of ${value}, and ${maxRowBytes} and ${maxValueBytes} are the most`,
    "Keep large values elsewhere, such as in object storage.",
  );
}

function isInfinite(column: string): string {
  const c = quotedName(column);
  return `(typeof(${c}) = 'real' AND ${c} IN (9e999, -9e999))`;
}

async function sizeOf(db: SqlRunner): Promise<number> {
  // Where a database is its own server, it may not be asked about its pages, and tells its size with each answer.
  const { meta } = await db.run({ sql: "SELECT 1", params: [] });
  if (meta.size_after > 0) return meta.size_after;
  const pages = {
    sql: "SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size",
    params: [],
  };
  const { rows } = await db.run(pages).catch((error: unknown) => {
    // It said so, and it is: nothing has ever been in it.
    if (isTenantryError(error, "SQL_REFUSED")) return { rows: [{ bytes: 0 }] };
    throw error;
  });
  return (rows[0] as { bytes: number }).bytes;
}
