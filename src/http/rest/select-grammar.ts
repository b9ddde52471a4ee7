// Owns PostgREST's grammar of select=, order=, columns= and on_conflict=.
// Checks no columns and makes no SQL.
import { type Field, TextReader } from "./text-reader.ts";

export interface SelectItem {
  readonly field: Field;
  /** What it is called in the answer, where it was renamed. */
  readonly alias: string | undefined;
}

export interface OrderTerm {
  readonly field: Field;
  readonly descending: boolean;
  /** Where nulls go; PostgreSQL's way (as if larger than everything) when not said. */
  readonly nulls: "first" | "last" | undefined;
}

/** `select=`: `"*"` stands for every column. An empty text is `*`. */
export function parseSelect(text: string): ("*" | SelectItem)[] {
  const reader = new TextReader("select", text);
  const items: ("*" | SelectItem)[] = [];
  reader.space();
  if (reader.done) return ["*"];
  do {
    items.push(selectItem(reader));
  } while (reader.take(","));
  if (!reader.done) reader.fail('"," or the end');
  return items;
}

function selectItem(reader: TextReader): "*" | SelectItem {
  reader.space();
  if (reader.take("*")) {
    reader.space();
    if (!reader.done && reader.peek() !== ",") reader.fail('"," or the end');
    return "*";
  }
  if (reader.take("...")) unsupportedEmbed(reader);
  let alias: string | undefined;
  let field = reader.field();
  if (reader.peek() === ":" && !reader.text.startsWith("::", reader.at) && field.path.length === 0) {
    reader.expect(":");
    alias = field.column;
    if (reader.take("...")) unsupportedEmbed(reader);
    field = reader.field();
  }
  if (reader.text.startsWith("::", reader.at)) {
    reader.unsupported("A cast", "SQLite's types are dynamic: convert in the client, or in a view.");
  }
  if (
    /\.(?:sum|avg|count|max|min)\(\)/.test(reader.text.slice(reader.at)) ||
    reader.text.startsWith("()", reader.at)
  ) {
    reader.unsupported("An aggregate", "Use a view, or the query route with SQL.");
  }
  if (reader.peek() === "(" || reader.peek() === "!") unsupportedEmbed(reader);
  return { field, alias };
}

function unsupportedEmbed(reader: TextReader): never {
  reader.unsupported("An embedded resource", "Join the tables in a view, or with SQL on the query route.");
}

/** `order=` */
export function parseOrder(text: string): OrderTerm[] {
  const reader = new TextReader("order", text);
  const terms: OrderTerm[] = [];
  do {
    const field = reader.field();
    if (reader.peek() === "(") unsupportedEmbed(reader);
    const direction = reader.match(/\.(asc|desc)(?=[.,\s]|$)/y)?.[1];
    const nulls = reader.match(/\.nulls(first|last)(?=[,\s]|$)/y)?.[1] as "first" | "last" | undefined;
    reader.space();
    if (!reader.done && reader.peek() !== ",") reader.fail(".asc, .desc, .nullsfirst or .nullslast");
    terms.push({ field, descending: direction === "desc", nulls });
  } while (reader.take(","));
  return terms;
}

/** `columns=` and `on_conflict=`: names between commas. */
export function parseNames(what: string, text: string): string[] {
  const reader = new TextReader(what, text);
  const names: string[] = [];
  do {
    reader.space();
    names.push(reader.name());
    reader.space();
  } while (reader.take(","));
  if (!reader.done) reader.fail('"," or the end');
  return [...new Set(names)];
}
