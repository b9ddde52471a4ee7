// Owns parameters for D1's REST interface, which takes texts only: whatever else is bound becomes a literal in the
// statement. Sends nothing.
import { nextToken } from "../../sql/sql-token.ts";
import { d1Error } from "../d1-error.ts";
import { D1_MAX_PARAMETERS } from "../split-insert.ts";

/** Bytes of one statement's text: D1's limit. */
export const D1_MAX_SQL_BYTES = 100_000;

/** Bytes of a blob that is written out; a longer one goes as hexadecimal text. */
const MAX_BLOB_LITERAL = 10_000;

/** A statement whose parameters are texts. */
export interface RestStatement {
  readonly sql: string;
  readonly params: readonly string[];
}

/**
 * `sql` with its values: texts as parameters, numbers, NULL and blobs as literals, so that each is what a binding
 * would have made of it. `values` are as many as the statement has parameters.
 * @throws {TenantryError} `TOO_MANY_PARAMETERS`, `SQL_TOO_LONG`, in D1's words
 */
export function restStatement(sql: string, values: readonly unknown[]): RestStatement {
  if (new TextEncoder().encode(sql).length > D1_MAX_SQL_BYTES) {
    throw d1Error("SQL_TOO_LONG", "statement too long: SQLITE_TOOBIG", {
      sqliteCode: "SQLITE_TOOBIG",
      hint: `A statement has at most ${D1_MAX_SQL_BYTES} bytes here. Bind long texts as parameters.`,
    });
  }
  if (values.length > D1_MAX_PARAMETERS) {
    throw d1Error("TOO_MANY_PARAMETERS", "too many SQL variables: SQLITE_ERROR", {
      sqliteCode: "SQLITE_ERROR",
      hint: `A statement takes at most ${D1_MAX_PARAMETERS} parameters here. Send rows in several statements, or as one JSON text read by json_each(?).`,
    });
  }
  if (values.length === 0) return { sql, params: [] };
  const params: string[] = [];
  const written = new Map<number, string>();
  const write = (index: number): string => {
    let text = written.get(index);
    if (text === undefined) {
      text = literal(values[index], params);
      written.set(index, text);
    }
    return text;
  };
  let out = "";
  let from = 0;
  let count = 0;
  const named = new Map<string, number>();
  for (let token = nextToken(sql, 0); token; token = nextToken(sql, token.start + token.text.length)) {
    if (token.type !== "variable") continue;
    const { text, start } = token;
    let index: number;
    if (text === "?") index = count++;
    else if (text.startsWith("?")) {
      index = Number(text.slice(1)) - 1;
      count = Math.max(count, index + 1);
    } else {
      index = named.get(text) ?? count++;
      named.set(text, index);
    }
    out += sql.slice(from, start) + write(index);
    from = start + text.length;
  }
  return { sql: out + sql.slice(from), params };
}

/** In brackets, for what stands before it: two minus signs would begin a comment. */
function literal(value: unknown, params: string[]): string {
  if (value === null || value === undefined) return "NULL";
  if (typeof value === "number") return `(${realText(value)})`;
  if (typeof value === "string") return `?${params.push(value)}`;
  const bytes = value as Uint8Array;
  let hex = "";
  for (const byte of bytes) hex += byte.toString(16).padStart(2, "0");
  return bytes.length <= MAX_BLOB_LITERAL ? `x'${hex}'` : `unhex(?${params.push(hex)})`;
}

/** Every number is a REAL, as a binding binds it. */
function realText(value: number): string {
  if (!Number.isFinite(value)) return "NULL";
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}
