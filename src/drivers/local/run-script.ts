// Owns running a script with its statements as one transaction, unless it has run.
// Takes no turn: whoever calls it has the connection for itself.
import { TenantryError } from "../../tenantry-error.ts";
import type { ResultSet, RunOptions, Script, Statement } from "../driver.ts";
import { assertForeignKeys } from "./assert-foreign-keys.ts";
import { atomically } from "./atomically.ts";
import type { Connection } from "./connection.ts";

/** Runs a script. @returns whether it ran @throws what better-sqlite3 throws, and {TenantryError} `SQL_REFUSED` */
export function runScript(connection: Connection, { sql, after, unless, foreignKeys }: Script): boolean {
  const { sqlite } = connection;
  const run = (statement: Statement, options?: RunOptions): ResultSet =>
    connection.run(connection.prepare(statement.sql), statement.params, options);
  const unchecked = foreignKeys === "off";
  if (unchecked) sqlite.pragma("foreign_keys = OFF");
  try {
    return atomically(sqlite, "BEGIN IMMEDIATE", () => {
      if (unless && run(unless, { first: true }).rows.length > 0) return false;
      connection.begins();
      try {
        sqlite.exec(sql);
      } finally {
        // Also where it fails: what is before a COMMIT of its own stays.
        connection.forgetStatements();
      }
      if (!sqlite.inTransaction) {
        throw new TenantryError("SQL_REFUSED", "The script ends its own transaction.", {
          hint: "Leave out BEGIN, COMMIT and ROLLBACK: each file is one transaction already.",
        });
      }
      for (const statement of after) run(statement);
      if (unchecked) assertForeignKeys(sqlite);
      return true;
    });
  } finally {
    if (unchecked) sqlite.pragma("foreign_keys = ON");
  }
}
