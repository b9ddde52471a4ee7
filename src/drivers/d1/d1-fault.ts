// Owns what an error of a D1 binding means: the SQL's, a limit's, or of the way to the database.
import { TenantryError } from "../../tenantry-error.ts";
import { fromD1 } from "../d1-sql-error.ts";
import { tooManyRows } from "../result-limits.ts";
import { exceededRows } from "./d1-result.ts";

/** D1's own words for a database that has too much to do; nothing was run then. */
const OVERLOADED = /overloaded|too many requests|queued for too long/i;
const BOOKMARK = /bookmark|session commit token/i;

/** The TenantryError for what D1 has thrown. @param writes whether the call could have written */
export function d1Fault(error: unknown, writes: boolean): TenantryError {
  const known = fromD1(error);
  const limit = exceededRows(known.message);
  if (limit !== undefined) return tooManyRows(limit);
  if (known.code !== "INTERNAL") return known;
  const { message } = known;
  if (OVERLOADED.test(message)) {
    return new TenantryError(
      "DATABASE_THROTTLED",
      "D1 has more requests for this database than it can answer.",
      {
        hint: "Try again in a moment, and send fewer at once.",
        retryAfterSeconds: 1,
        cause: error,
      },
    );
  }
  if (BOOKMARK.test(message)) {
    return new TenantryError("INVALID_ARGUMENT", "The bookmark is none of this database's.", {
      hint: "Send the X-Tenantry-Bookmark of an earlier answer for this tenant, or none.",
      cause: error,
    });
  }
  if (writes) {
    return new TenantryError("OUTCOME_UNKNOWN", "D1 was lost while it wrote.", {
      hint: "The write was done wholly or not at all. Read before you send it again.",
      cause: error,
    });
  }
  return new TenantryError("DATABASE_UNREACHABLE", "D1 could not be reached, or gave up.", {
    hint: "Nothing was changed. Try again in a moment.",
    retryAfterSeconds: 1,
    cause: error,
  });
}
