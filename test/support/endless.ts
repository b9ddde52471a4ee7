// Owns SQL that holds whoever runs it.
// None of it writes but what says so.

/** Never ends, and takes no memory. */
export const ENDLESS =
  "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

/** Ends after `rows` steps: a million takes some tenths of a second. */
export function busyFor(rows: number): string {
  return `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) SELECT count(*) AS n FROM n`;
}

/** Writes without end. */
export const ENDLESS_WRITE = `INSERT INTO customers (name)
  WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 'x' FROM n WHERE i < 0`;
