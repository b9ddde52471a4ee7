// Owns the header in which a bookmark travels, so that a client's reads see its earlier writes on every copy.
// Does not know what a bookmark stands for: the driver does.
import { BOOKMARK } from "../drivers/bookmark.ts";
import { type DatabaseRunner, DEFAULT_SESSION_START } from "../database/tenant-database.ts";
import { TenantryError } from "../tenantry-error.ts";
import type { HeaderGetter } from "./resolve-tenant.ts";

/** Comes with the answer, and goes with the next request. */
export const BOOKMARK_HEADER = "X-Tenantry-Bookmark";
const NAME_READ = BOOKMARK_HEADER.toLowerCase();

/** A request's statements, and where they left the database. */
export interface BookmarkedRequest {
  readonly runner: DatabaseRunner;
  /** For the request's client, once it has been answered; undefined where nothing has been asked. */
  bookmark(): string | undefined;
}

/** @throws {TenantryError} `INVALID_ARGUMENT` for a header that is no bookmark */
export function bookmarkedRequest(header: HeaderGetter, runner: DatabaseRunner): BookmarkedRequest {
  const from = header(NAME_READ) ?? DEFAULT_SESSION_START;
  if (!BOOKMARK.test(from)) {
    throw new TenantryError("INVALID_ARGUMENT", `${BOOKMARK_HEADER} is not a bookmark.`, {
      hint: "Send what an earlier answer for this tenant had in this header, or leave it out.",
    });
  }
  const session = runner.withBookmark?.(from);
  return {
    runner: session ? { ...session, transaction: runner.transaction } : runner,
    bookmark: () => session?.bookmark() ?? undefined,
  };
}
