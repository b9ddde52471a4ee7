// Owns taking everything out of a database that cannot be removed itself.
import { quotedName } from "../../sql/quoted-name.ts";
import type { Handle, Statement } from "../driver.ts";

const OBJECTS: Statement = {
  sql: `SELECT type, name FROM sqlite_schema
        WHERE type IN ('table', 'view', 'trigger') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
          AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'
          AND name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow')
        ORDER BY type = 'trigger' DESC, type = 'view' DESC`,
  params: [],
};

/** Drops every trigger, view and table, all or none. */
export async function emptyD1(handle: Handle): Promise<void> {
  const { rows } = await handle.run(OBJECTS);
  if (rows.length === 0) return;
  const drops = (rows as { type: string; name: string }[]).map(({ type, name }) => ({
    sql: `DROP ${type.toUpperCase()} IF EXISTS ${quotedName(name)}`,
    params: [],
  }));
  await handle.batch([{ sql: "PRAGMA defer_foreign_keys = ON", params: [] }, ...drops]);
}
