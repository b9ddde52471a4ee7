// Owns reading a page of rows whose size is known only afterwards: of fewer rows, where so many are too large.
// Knows no table: the statement is the caller's.
import type { SqlRunner, Statement } from "../drivers/driver.ts";
import { isTenantryError } from "../tenantry-error.ts";

/** Bytes of a page's rows, as a driver counts them; a row that is larger by itself is read all the same. */
export const MAX_PAGE_BYTES = 4 * 1024 * 1024;

/** A page, and the number of rows that it was asked for in the end: if it has fewer, it is the last. */
export interface Page {
  readonly rows: unknown[][];
  readonly limit: number;
}

/** Reads up to `limit` rows by the statement for so many. */
export async function readPage(
  db: SqlRunner,
  limit: number,
  statement: (limit: number) => Statement,
): Promise<Page> {
  for (let asked = limit; ; asked = Math.ceil(asked / 8)) {
    try {
      const { rows } = await db.run(statement(asked), {
        rows: "arrays",
        integers: "bigint",
        ...(asked > 1 && { maxBytes: MAX_PAGE_BYTES }),
      });
      return { rows: rows as unknown[][], limit: asked };
    } catch (error) {
      if (asked === 1 || !isTenantryError(error, "RESPONSE_TOO_LARGE")) throw error;
    }
  }
}
