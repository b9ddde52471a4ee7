// Owns the patterns of like and ilike: PostgREST's * and %, _ and backslash.
// Makes no SQL.

/** A pattern for GLOB, which tells upper from lower case as PostgreSQL's LIKE does, and SQLite's does not. */
export function globPattern(pattern: string): string {
  let glob = "";
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern[i] as string;
    if (character === "*" || character === "%") glob += "*";
    else if (character === "_") glob += "?";
    else glob += globLiteral(character === "\\" ? (pattern[++i] ?? "\\") : character);
  }
  return glob;
}

function globLiteral(character: string): string {
  return character === "*" || character === "?" || character === "[" ? `[${character}]` : character;
}

/** A pattern for LIKE with `ESCAPE '\'`, which takes ASCII letters of both cases for the same. */
export function likePattern(pattern: string): string {
  let like = "";
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern[i] as string;
    if (character === "*") like += "%";
    else if (character === "\\") {
      const literal = pattern[++i] ?? "\\";
      like += literal === "%" || literal === "_" || literal === "\\" ? `\\${literal}` : literal;
    } else like += character;
  }
  return like;
}
