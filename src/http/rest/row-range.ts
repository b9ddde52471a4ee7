// Owns which rows of a result are asked for (limit, offset, Range) and what is told of them (Content-Range).
// Runs nothing.
import { TenantryError } from "../../tenantry-error.ts";

export interface RowRange {
  /** `undefined`: all. */
  readonly limit: number | undefined;
  readonly offset: number;
}

/** No range was asked for. */
export const ALL_ROWS: RowRange = { limit: undefined, offset: 0 };

/**
 * What `limit` and `offset` and the Range header have in common. A header in another unit than `items`, or
 * that is no range, is ignored, as RFC 9110 says.
 * @throws {TenantryError} `RANGE_NOT_SATISFIABLE` if a header's range ends before it begins.
 */
export function rowRange(
  limit: number | undefined,
  offset: number | undefined,
  header: string | undefined,
  unit: string | undefined,
): RowRange {
  const found =
    header === undefined || (unit !== undefined && unit !== "items")
      ? null
      : /^(?:items=)?(\d{1,15})-(\d{1,15})?$/.exec(header.trim());
  if (found === null)
    return limit === undefined && offset === undefined ? ALL_ROWS : { limit, offset: offset ?? 0 };
  const first = Number(found[1]);
  const last = found[2] === undefined ? undefined : Number(found[2]);
  if (last !== undefined && last < first) {
    throw new TenantryError("RANGE_NOT_SATISFIABLE", `The range ${first}-${last} ends before it begins.`, {
      hint: "Both ends are counted from 0: Range: 0-9 asks for ten rows.",
    });
  }
  const begin = Math.max(first, offset ?? 0);
  const ends = [
    limit === undefined ? undefined : (offset ?? 0) + limit,
    last === undefined ? undefined : last + 1,
  ];
  const end = Math.min(...ends.filter((end) => end !== undefined));
  return { limit: Number.isFinite(end) ? Math.max(0, end - begin) : undefined, offset: begin };
}

/** `0-9/100`, `0-9/*` or, of no rows, `*`/100. */
export function contentRange(offset: number, rows: number, total: number | undefined): string {
  return `${rows > 0 ? `${offset}-${offset + rows - 1}` : "*"}/${total ?? "*"}`;
}

/**
 * 200 for all rows or an unknown total, 206 for a part of a known total.
 * @throws {TenantryError} `RANGE_NOT_SATISFIABLE` for an offset beyond a known total.
 */
export function rangeStatus(offset: number, rows: number, total: number | undefined): 200 | 206 {
  if (total === undefined) return 200;
  if (offset > total) {
    throw new TenantryError(
      "RANGE_NOT_SATISFIABLE",
      `The rows from ${offset} on were asked for, and there are ${total}.`,
      { hint: "Ask for an offset of that at most." },
    );
  }
  return rows < total ? 206 : 200;
}
