// Owns a database's contract inside its own object, for what runs there: migrations.
// Runs no SQL of its own: object-sql.ts does.
import type { Handle } from "../drivers/driver.ts";
import { batchOnly } from "../drivers/batch-only.ts";
import type { ObjectSql } from "../drivers/durable-object/object-sql.ts";
import { rowsAsAsked } from "../drivers/durable-object/object-rows.ts";

/** The handle of the database that `sql` runs on. */
export function objectHandle(sql: ObjectSql): Handle {
  return {
    run: async (statement, options) => rowsAsAsked(sql.run(statement, options), options),
    batch: async (statements, options) =>
      sql.batch(statements, options).map((result) => rowsAsAsked(result, options)),
    exec: async (text) => sql.exec(text),
    script: (script) => sql.script(script),
    ...batchOnly("Durable Objects", "Take a bookmark instead."),
    sizeBytes: async () => 0,
    close: async () => {},
  };
}
