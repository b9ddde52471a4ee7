// Owns how values and names are written as SQL, so that any SQLite reads back exactly what they were.
// Does not know where they come from.

/** A value as SQLite has it: integers as bigint, floats as number. */
export type SqliteValue = null | bigint | number | string | Uint8Array;

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
// oxlint-disable-next-line no-control-regex -- these are what a literal cannot hold
const NOT_PLAIN = /[\0\r\n]/;
/** A float of so many digits is read exactly by every SQLite: both of its parts fit into a double. */
const EXACT_DIGITS = 15;
const EXACT_EXPONENT = 22;

/** The value as a literal, or an expression of literals where no literal can be it. */
export function sqlLiteral(value: SqliteValue): string {
  if (value === null) return "NULL";
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number") return floatLiteral(value);
  if (typeof value === "string") return textLiteral(value);
  return blobLiteral(value);
}

/** Text given by its bytes, which need not be UTF-8. */
export function textOfBytes(bytes: Uint8Array): string {
  return `CAST(${blobLiteral(bytes)} AS TEXT)`;
}

/** Text in single quotes, for where an expression would not do. It must hold no NUL. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function floatLiteral(value: number): string {
  if (value === Infinity) return "1e999";
  if (value === -Infinity) return "-1e999";
  if (Object.is(value, -0)) return "-0.0";
  const short = String(value);
  const [digits = "", exponent = "0"] = short.replace("-", "").split("e");
  const isShort =
    digits.replace(".", "").length <= EXACT_DIGITS && Math.abs(Number(exponent)) <= EXACT_EXPONENT;
  // The shortest text for a float may lie near the middle between two: some SQLites then read the other one.
  const text = isShort ? short : value.toPrecision(17);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/**
 * The `sqlite3` shell ends a text at a NUL, drops a carriage return at the end of a line, and looks through a
 * statement of many lines anew with each.
 */
function textLiteral(text: string): string {
  if (!NOT_PLAIN.test(text)) return quoteText(text);
  if (text.includes("\0")) return textOfBytes(new TextEncoder().encode(text));
  const returns = withStandIn(text, "\r", "\\r");
  const lines = withStandIn(returns.text, "\n", "\\n");
  const inner = lines.wrap(quoteText(lines.text), 10);
  return returns.wrap(inner, 13);
}

interface StandIn {
  readonly text: string;
  /** The expression that puts back what the stand-in stands for. */
  readonly wrap: (expression: string, code: number) => string;
}

function withStandIn(text: string, character: string, wanted: string): StandIn {
  if (!text.includes(character)) return { text, wrap: (expression) => expression };
  let standIn = wanted;
  for (let n = 0; text.includes(standIn); n++) standIn = `(${wanted}${n})`;
  return {
    text: text.replaceAll(character, standIn),
    wrap: (expression, code) => `replace(${expression},'${standIn}',char(${code}))`,
  };
}

function blobLiteral(bytes: Uint8Array): string {
  let hex = "";
  for (const byte of bytes) hex += HEX[byte];
  return `X'${hex}'`;
}
