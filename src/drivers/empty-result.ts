// Owns the result of a statement that gave nothing: what `meta` says where nobody counted.
// Makes no result of an answer: each driver does.
import type { ResultSet, StatementMeta } from "./driver.ts";

/** D1's `meta` where nothing was counted. */
export const NO_META: StatementMeta = {
  duration: 0,
  changes: 0,
  last_row_id: 0,
  changed_db: false,
  size_after: 0,
  rows_read: 0,
  rows_written: 0,
};

/** The result of a statement without rows that was not run as itself, such as `COMMIT`. */
export const NOTHING: ResultSet = {
  columns: [],
  rows: [],
  meta: NO_META,
  details: { declaredTypes: [], changes: 0, lastRowId: 0n },
};
