// Owns reading a decoded parameter from left to right: names, quotes, JSON paths, and where it went wrong.
// Knows no tables and makes no SQL.
import { TenantryError } from "../../tenantry-error.ts";

/** One step of a JSON path: a key of an object or a place in an array (from the end when negative). */
export type JsonStep = { readonly key: string } | { readonly index: number };

/** A column, or what lies at a path in its JSON. */
export interface Field {
  readonly column: string;
  readonly path: readonly JsonStep[];
  /** Whether the last arrow was `->>`: a value, not JSON. */
  readonly asText: boolean;
}

// PostgREST's field names: letters, digits, _, $, spaces, and dashes that do not begin an arrow
const NAME = /(?:[\p{L}\p{N}_$ ]|-(?!>))+/uy;
const ARRAY_INDEX = /-?\d{1,9}(?=->|::|[.,)]|$)/y;
const JSON_KEY = /(?:[^(\-:.,>)]|-(?!>))+/y;

export class TextReader {
  readonly text: string;
  /** What the text is, for messages, such as `order`. */
  readonly what: string;
  at = 0;

  constructor(what: string, text: string) {
    this.what = what;
    this.text = text;
  }

  get done(): boolean {
    return this.at >= this.text.length;
  }

  peek(): string {
    return this.text[this.at] ?? "";
  }

  /** Steps over `word` if it comes next. */
  take(word: string): boolean {
    if (!this.text.startsWith(word, this.at)) return false;
    this.at += word.length;
    return true;
  }

  /** Steps over what `pattern`, which must be sticky, matches here. */
  match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found === null) return undefined;
    this.at = pattern.lastIndex;
    return found;
  }

  expect(word: string): void {
    if (!this.take(word)) this.fail(`"${word}"`);
  }

  space(): void {
    while (this.peek() === " " || this.peek() === "\t") this.at++;
  }

  /** A `"…"` in which a backslash takes the next character as it is; `undefined` if none begins here. */
  quoted(): string | undefined {
    if (this.peek() !== '"') return undefined;
    let value = "";
    for (let i = this.at + 1; i < this.text.length; i++) {
      const character = this.text[i] as string;
      if (character === '"') {
        this.at = i + 1;
        return value;
      }
      value += character === "\\" ? (this.text[++i] ?? "") : character;
    }
    this.fail("a closing quote");
  }

  /** A table's or column's name. */
  name(): string {
    const name = this.quoted() ?? this.match(NAME)?.[0].trim();
    if (name === undefined || name === "") this.fail("a column");
    return name;
  }

  /** A column with the JSON path behind it, if there is one. */
  field(): Field {
    this.space();
    const column = this.name();
    const path: JsonStep[] = [];
    let asText = false;
    while (this.take("->")) {
      if (asText) this.fail('no arrow after "->>"');
      asText = this.take(">");
      const index = this.match(ARRAY_INDEX)?.[0];
      if (index !== undefined) path.push({ index: Number(index) });
      else path.push({ key: this.quoted() ?? this.match(JSON_KEY)?.[0].trim() ?? this.fail("a key") });
    }
    this.space();
    return { column, path, asText };
  }

  /** Refuses what PostgREST knows and this API does not. */
  unsupported(what: string, hint: string): never {
    throw new TenantryError(
      "UNSUPPORTED",
      `${what} in ${JSON.stringify(brief(this.text))} is not supported.`,
      {
        hint,
      },
    );
  }

  fail(expected: string): never {
    throw new TenantryError(
      "INVALID_FILTER",
      `Cannot read ${this.what} ${JSON.stringify(brief(this.text))} at character ${this.at + 1}: expected ${expected}.`,
      { hint: "The grammar is PostgREST's, described in docs/rest.md." },
    );
  }
}

function brief(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
