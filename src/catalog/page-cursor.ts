// Owns the pages of a list: how many entries, and the opaque word that says where the next page begins.
// Does not know what is listed.
import { TenantryError } from "../tenantry-error.ts";

/** Entries of a page when the caller does not say. */
export const DEFAULT_PAGE_LIMIT = 100;

/** The most entries of a page. */
export const MAX_PAGE_LIMIT = 1000;

/** Which page of a list. */
export interface PageRequest {
  /** Entries of a page, 1 to {@link MAX_PAGE_LIMIT}. @default 100 */
  readonly limit?: number | undefined;
  /** What the page before gave as its `cursor`. @default the beginning */
  readonly cursor?: string | null | undefined;
}

/** The list that a cursor belongs to, so that one list's cursor is refused by another. */
export type CursorKind = "tenant" | "key" | "audit";

/** `limit`, checked. @throws {TenantryError} `INVALID_ARGUMENT` */
export function pageLimit(limit: number = DEFAULT_PAGE_LIMIT): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_PAGE_LIMIT) return limit;
  throw new TenantryError(
    "INVALID_ARGUMENT",
    `The limit ${limit} is not a whole number from 1 to ${MAX_PAGE_LIMIT}.`,
    {
      hint: "Read a longer list page by page, with the cursor that each page gives.",
    },
  );
}

/** The cursor of the page that begins after `key`. */
export function encodeCursor(kind: CursorKind, key: string): string {
  return btoa(`${kind}:${key}`).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * The key after which the page begins, or undefined for the first page.
 * @throws {TenantryError} `INVALID_ARGUMENT` when the cursor is not one that this list has given
 */
export function decodeCursor(
  kind: CursorKind,
  cursor: string | null | undefined,
  isKey: (key: string) => boolean,
): string | undefined {
  if (cursor === undefined || cursor === null) return undefined;
  if (/^[A-Za-z0-9_-]{1,256}$/.test(cursor) && cursor.length % 4 !== 1) {
    const text = atob(cursor.replaceAll("-", "+").replaceAll("_", "/"));
    const key = text.slice(kind.length + 1);
    // Encoding again makes each cursor have one spelling only.
    if (isKey(key) && encodeCursor(kind, key) === cursor) return key;
  }
  throw new TenantryError("INVALID_ARGUMENT", "The cursor is not one that this list has given.", {
    hint: "Pass the cursor of the page before as it came, or none to begin at the start.",
  });
}

/** Cuts `entries`, read with one more than `limit`, to a page and its cursor: null on the last page. */
export function toPage<Entry>(
  entries: Entry[],
  limit: number,
  cursorOf: (last: Entry) => string,
): { entries: Entry[]; cursor: string | null } {
  const last = entries[limit - 1];
  if (entries.length <= limit || last === undefined) return { entries, cursor: null };
  entries.length = limit;
  return { entries, cursor: cursorOf(last) };
}
