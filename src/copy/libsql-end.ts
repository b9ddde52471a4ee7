// Owns libSQL databases as targets of copies.
// The way of the rows is copy-database.ts's.
import type { LibsqlHandle } from "../drivers/libsql/libsql-handle.ts";
import type { CopyTarget } from "./copy-end.ts";

/** Bytes of one statement's text: several go in a request. */
const MAX_STATEMENT_BYTES = 200_000;

/** An empty libSQL database. */
export function libsqlTarget(handle: LibsqlHandle): CopyTarget {
  return {
    db: handle,
    limits: { name: "libSQL" },
    maxStatementBytes: MAX_STATEMENT_BYTES,
    // A server may keep the virtual table's state in memory: its content goes through the table itself.
    shadowTables: false,
    write: (statements) => handle.write(statements),
  };
}
