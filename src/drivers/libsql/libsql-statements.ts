// Owns statements as `@libsql/client` takes them.
// Runs none.
import { splitStatements } from "../../sql/split-statements.ts";
import { d1Error } from "../d1-error.ts";
import type { RemoteSql, RemoteStatement } from "../remote/remote-sql.ts";
import type { LibsqlStatement } from "./libsql-library.ts";

/** The statement as the library takes it. */
export function asLibsql({ sql, values }: RemoteStatement): LibsqlStatement {
  return { sql, args: values.map(toArgument) };
}

/** The statements of a text. @throws {TenantryError} `SQL_NO_STATEMENT`, and those of each */
export function execStatements(text: string, sql: RemoteSql): RemoteStatement[] {
  const statements = splitStatements(text);
  if (statements.length === 0) throw d1Error("SQL_NO_STATEMENT", "No SQL statements detected.");
  return statements.map((one) => sql.prepare({ sql: one, params: [] }));
}

/** A bindable value as the library takes it. */
export function toArgument(value: unknown): unknown {
  // As D1, to which they come as JSON.
  if (typeof value === "number" && !Number.isFinite(value)) return null;
  // The library takes the whole buffer of a view.
  return value instanceof Uint8Array && value.byteLength !== value.buffer.byteLength ? value.slice() : value;
}
