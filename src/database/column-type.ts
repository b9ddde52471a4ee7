// Owns what a column's declared type means: SQLite's affinity, and the three types SQLite does not have.
// Does not convert values.

/** SQLite's type affinity; `none` is what its documentation calls BLOB. */
export type Affinity = "integer" | "real" | "numeric" | "text" | "none";

/** How a column's values look outside, where SQLite's own types do not say it. */
export type ValueKind = "plain" | "boolean" | "json" | "bytes";

/**
 * SQLite's rules for the affinity of a declared type, in its order.
 * @see https://www.sqlite.org/datatype3.html#determination_of_column_affinity
 */
export function affinityOf(declaredType: string, strict = false): Affinity {
  const type = declaredType.toUpperCase();
  if (strict && type === "ANY") return "none";
  if (type.includes("INT")) return "integer";
  if (type.includes("CHAR") || type.includes("CLOB") || type.includes("TEXT")) return "text";
  if (type === "" || type.includes("BLOB")) return "none";
  if (type.includes("REAL") || type.includes("FLOA") || type.includes("DOUB")) return "real";
  return "numeric";
}

/** A column declared `BOOLEAN`, `JSON` or `BLOB` is shown as what it says. */
export function valueKindOf(declaredType: string): ValueKind {
  const type = declaredType.toUpperCase();
  if (type === "BOOLEAN" || type === "BOOL") return "boolean";
  if (type === "JSON") return "json";
  if (type.includes("BLOB") && affinityOf(type) === "none") return "bytes";
  return "plain";
}
