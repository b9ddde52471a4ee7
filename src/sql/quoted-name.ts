// Owns how the name of a table or column is written in SQL.
// Reads no SQL.

/** A name in double quotes. */
export function quotedName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
