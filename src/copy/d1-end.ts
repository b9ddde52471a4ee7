// Owns D1 databases, and those that are like them, as targets of copies: limits which they would tell of only half-way.
// The way of the rows is copy-database.ts's.
import type { Handle } from "../drivers/driver.ts";
import type { CopyTarget } from "./copy-end.ts";

const MAX_VALUE_BYTES = 2_000_000;

/** What D1 holds, and a Durable Object: both are SQLite with the same limits. */
const D1_LIMITS = {
  maxDatabaseBytes: 10 * 1024 ** 3,
  maxValueBytes: MAX_VALUE_BYTES / 2,
  maxRowBytes: MAX_VALUE_BYTES,
  // Of 100: a result that is compared has the rowid as well.
  maxColumns: 99,
  maxSqlBytes: 100_000,
  // Its answers are JSON.
  finite: true,
  modules: new Set(["fts5", "rtree", "rtree_i32"]),
};

/** D1, as a target. Values beyond half of its limit are refused: they travel as hexadecimal text. */
export const D1_END = end("D1");
/** A tenant of another Tenantry, whose database may be a Durable Object. */
export const TENANT_END = end("A tenant of another Tenantry");

/** An empty D1 database. */
export function d1Target(handle: Handle): CopyTarget {
  return batchTarget(handle, D1_END);
}

/** An empty tenant of another Tenantry. */
export function tenantTarget(handle: Handle): CopyTarget {
  return batchTarget(handle, TENANT_END);
}

type End = Pick<CopyTarget, "limits" | "shadowTables">;

function end(name: string): End {
  return { limits: { name, ...D1_LIMITS }, shadowTables: false };
}

function batchTarget(handle: Handle, of: End): CopyTarget {
  return {
    ...of,
    db: handle,
    maxStatementBytes: 90_000,
    // Foreign keys cannot be off there.
    write: async (statements) =>
      void (await handle.batch([{ sql: "PRAGMA defer_foreign_keys = ON", params: [] }, ...statements])),
  };
}
