// Owns SQLite's tokenizer, rule by rule: where a token of a statement begins and ends.
// Knows no grammar: what the tokens mean is for the readers of this folder.

/** What a token is. `operator` is one character of any operator or bracket; SQLite's longer ones come in parts. */
export type TokenType =
  | "word"
  | "quoted"
  | "string"
  | "blob"
  | "number"
  | "variable"
  | "operator"
  | "semicolon"
  | "illegal";

/** A piece of SQL that is neither white space nor comment. */
export interface Token {
  readonly type: TokenType;
  /** As written, quotes and all. */
  readonly text: string;
  /** Where it begins, in UTF-16 units. */
  readonly start: number;
}

const BYTE_ORDER_MARK = 0xfeff;
const OPERATORS = "!%&()*+,-./<=>|~";
const KEYWORD = /^[A-Za-z]+$/;
const HEX_PAIRS = /^(?:[0-9a-fA-F]{2})*$/;

/**
 * The first token at or after `from`, or `undefined` when only white space and comments are left.
 *
 * The rules are those of SQLite's `tokenize.c`; a token that SQLite cannot read is `illegal`. SQL must hold no
 * NUL: SQLite's text ends there, a JavaScript string does not.
 */
export function nextToken(sql: string, from: number): Token | undefined {
  const start = skipSpace(sql, from);
  if (start >= sql.length) return undefined;
  const code = sql.charCodeAt(start);
  const char = sql.charAt(start);

  if ((char === "x" || char === "X") && sql.charAt(start + 1) === "'") return blob(sql, start);
  if (isWordStart(code)) return token(sql, "word", start, endOfWord(sql, start + 1));
  if (isDigit(code) || (char === "." && isDigit(sql.charCodeAt(start + 1)))) {
    return token(sql, "number", start, endOfNumber(sql, start + 1));
  }
  switch (char) {
    case ";":
      return token(sql, "semicolon", start, start + 1);
    case "'":
      return quoted(sql, "string", start);
    case '"':
    case "`":
      return quoted(sql, "quoted", start);
    case "[": {
      const close = sql.indexOf("]", start);
      return close < 0 ? token(sql, "illegal", start, sql.length) : token(sql, "quoted", start, close + 1);
    }
    case "?": {
      let end = start + 1;
      while (isDigit(sql.charCodeAt(end))) end++;
      return token(sql, "variable", start, end);
    }
    case "$":
    case "@":
    case ":":
    case "#":
      return variable(sql, start);
    default:
      return token(sql, OPERATORS.includes(char) ? "operator" : "illegal", start, start + 1);
  }
}

/** The name that a word, quoted name or string stands for, as SQLite unquotes it; `undefined` for other tokens. */
export function nameOf(token: Token): string | undefined {
  if (token.type === "word") return token.text;
  if (token.type !== "quoted" && token.type !== "string") return undefined;
  const inner = token.text.slice(1, -1);
  const quote = token.text.charAt(0);
  return quote === "[" || !inner.includes(quote) ? inner : inner.replaceAll(quote + quote, quote);
}

/** The word in upper case when `token` could be a keyword, an unquoted word of ASCII letters, else `""`. */
export function keywordOf(token: Token | undefined): string {
  return token?.type === "word" && KEYWORD.test(token.text) ? token.text.toUpperCase() : "";
}

/**
 * `name` in lower case as SQLite compares names: ASCII letters only, so that the Kelvin sign is no `k`.
 */
export function foldCase(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** The first index at or after `from` that is neither in white space nor in a comment. */
function skipSpace(sql: string, from: number): number {
  let i = from;
  while (i < sql.length) {
    const code = sql.charCodeAt(i);
    if (code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0c || code === 0x0d) {
      // A vertical tab goes on a run of white space but cannot begin one: so in tokenize.c.
      do i++;
      while (isSpace(sql.charCodeAt(i)));
    } else if (code === BYTE_ORDER_MARK) {
      i++;
    } else if (code === 0x2d && sql.charCodeAt(i + 1) === 0x2d) {
      const end = sql.indexOf("\n", i);
      i = end < 0 ? sql.length : end;
    } else if (code === 0x2f && sql.charCodeAt(i + 1) === 0x2a && i + 2 < sql.length) {
      const end = sql.indexOf("*/", i + 2);
      i = end < 0 ? sql.length : end + 2;
    } else {
      break;
    }
  }
  return i;
}

function quoted(sql: string, type: "string" | "quoted", start: number): Token {
  const quote = sql.charAt(start);
  let close = sql.indexOf(quote, start + 1);
  while (close >= 0 && sql.charAt(close + 1) === quote) close = sql.indexOf(quote, close + 2);
  return close < 0 ? token(sql, "illegal", start, sql.length) : token(sql, type, start, close + 1);
}

function blob(sql: string, start: number): Token {
  const close = sql.indexOf("'", start + 2);
  if (close < 0) return token(sql, "illegal", start, sql.length);
  const type = HEX_PAIRS.test(sql.slice(start + 2, close)) ? "blob" : "illegal";
  return token(sql, type, start, close + 1);
}

/** `:name`, `@name`, `$name`, each with Tcl's `::` within and `(…)` at the end. */
function variable(sql: string, start: number): Token {
  let end = start + 1;
  let named = false;
  for (;;) {
    if (isWordPart(sql.charCodeAt(end))) {
      named = true;
      end++;
    } else if (sql.startsWith("::", end)) {
      end += 2;
    } else {
      break;
    }
  }
  if (!named) return token(sql, "illegal", start, end);
  if (sql.charAt(end) !== "(") return token(sql, "variable", start, end);
  do end++;
  while (end < sql.length && sql.charAt(end) !== ")" && !isSpace(sql.charCodeAt(end)));
  return sql.charAt(end) === ")" ? token(sql, "variable", start, end + 1) : token(sql, "illegal", start, end);
}

function endOfWord(sql: string, from: number): number {
  let end = from;
  while (isWordPart(sql.charCodeAt(end))) end++;
  return end;
}

/** Takes in every character that could go on a number: SQLite refuses the wrong ones itself. */
function endOfNumber(sql: string, from: number): number {
  let end = from;
  while (isWordPart(sql.charCodeAt(end)) || sql.charAt(end) === ".") end++;
  return end;
}

function token(sql: string, type: TokenType, start: number, end: number): Token {
  return { type, text: sql.slice(start, end), start };
}

function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d);
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isWordStart(code: number): boolean {
  const lower = code | 0x20;
  return (lower >= 0x61 && lower <= 0x7a) || code === 0x5f || code >= 0x80;
}

function isWordPart(code: number): boolean {
  return isWordStart(code) || isDigit(code) || code === 0x24;
}
