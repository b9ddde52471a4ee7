// Owns why libSQL differs from D1: the cases of the contract that its driver does not fulfil, over the network and
// in files.
import { LOCAL_SKIPS } from "./local-skips.ts";

const {
  "the infinities are NULL, in and out": _infinities,
  "a column may be named __proto__": _proto,
  "negative zero comes back as zero": _negativeZero,
  "a quoted name that is no column is a string": quoted,
  ...shared
} = LOCAL_SKIPS;

export const LIBSQL_SKIPS = {
  ...shared,
  "two names for parameters may differ in their first character only":
    "the endpoint here is Tenantry's, and that its local driver's",
  "changed_db says whether the statement changed anything":
    "libSQL does not say it: a statement about the schema counts as a change, also where IF NOT EXISTS finds it done",
  "size_after is the size in bytes and grows with the data":
    "libSQL does not say it: the size is what it was when the database was opened",
  "last_row_id stays after statements that insert nothing": "libSQL says it of inserts only",
  "changes counts what triggers changed as well": "libSQL counts the rows of the statement itself",
};

const { "two names for parameters may differ in their first character only": _names, ...remote } =
  LIBSQL_SKIPS;

export const LIBSQL_FILE_SKIPS = {
  ...remote,
  // Over the network it is one, as libSQL's servers have it; the native library is built without.
  "a quoted name that is no column is a string": quoted,
  "negative zero comes back as zero": "the sign is kept",
  "strings keep every character": "the native library ends a text at its first NUL",
  "text that is not UTF-8 comes back with replacement characters":
    "the native library ends the whole process: see docs/drivers.md",
};
