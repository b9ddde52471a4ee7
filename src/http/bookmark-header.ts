// Owns the header in which a bookmark travels, so that a client's reads see its earlier writes on every copy.
// Does not know what a bookmark stands for: the driver does.
import type { Context } from "hono";
import { BOOKMARK } from "../drivers/bookmark.ts";
import { type DatabaseRunner, DEFAULT_SESSION_START } from "../database/tenant-database.ts";
import { TenantryError } from "../tenantry-error.ts";

/** Comes with the answer, and goes with the next request. */
export const BOOKMARK_HEADER = "X-Tenantry-Bookmark";

/** A request's statements, and telling its client where they left the database. */
export interface BookmarkedRequest {
  readonly runner: DatabaseRunner;
  /** Called when the request has been answered. */
  tell(): void;
}

/** @throws {TenantryError} `INVALID_ARGUMENT` for a header that is no bookmark */
export function bookmarkedRequest(c: Context, runner: DatabaseRunner): BookmarkedRequest {
  const from = c.req.header(BOOKMARK_HEADER) ?? DEFAULT_SESSION_START;
  if (!BOOKMARK.test(from)) {
    throw new TenantryError("INVALID_ARGUMENT", `${BOOKMARK_HEADER} is not a bookmark.`, {
      hint: "Send what an earlier answer for this tenant had in this header, or leave it out.",
    });
  }
  const session = runner.withBookmark?.(from);
  return {
    runner: session ? { ...session, transaction: runner.transaction } : runner,
    tell() {
      const bookmark = session?.bookmark();
      if (bookmark) c.header(BOOKMARK_HEADER, bookmark);
    },
  };
}
