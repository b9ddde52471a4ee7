// Owns the query string of a row request: which parameter is what, and its shape apart from its values.
// Checks no columns and makes no SQL.
import { type Condition, FilterGrammar } from "./filter-grammar.ts";
import { type OrderTerm, parseNames, parseOrder, parseSelect, type SelectItem } from "./select-grammar.ts";
import { TenantryError } from "../../tenantry-error.ts";

export interface RestQuery {
  readonly select: readonly ("*" | SelectItem)[];
  readonly filters: readonly Condition[];
  readonly order: readonly OrderTerm[];
  readonly columns: readonly string[] | undefined;
  readonly onConflict: readonly string[] | undefined;
  readonly limit: number | undefined;
  readonly offset: number | undefined;
  /** The values of the conditions, which refer to them by their place. */
  readonly values: readonly string[];
}

/** What of a query string varies from one request to the next, and the rest of it. */
export interface ScannedQuery {
  readonly shape: string;
  readonly values: readonly string[];
  readonly limit: number | undefined;
  readonly offset: number | undefined;
}

const SINGULAR = new Set(["select", "order", "limit", "offset", "columns", "on_conflict"]);
const LOGIC = new Set(["and", "or", "not.and", "not.or"]);
const EMBEDDED = /\.(?:order|limit|offset|and|or)$/;

/**
 * Reads the query string of a row request, without its `?`.
 * @throws {TenantryError} `INVALID_FILTER`, `INVALID_ARGUMENT`, `UNSUPPORTED`
 */
export function parseRestQuery(raw: string): RestQuery {
  const values: string[] = [];
  const grammar = new FilterGrammar(values);
  const singular = new Map<string, string>();
  const filters: Condition[] = [];
  for (const part of raw.split("&")) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    const key = decode(equals === -1 ? part : part.slice(0, equals));
    const value = equals === -1 ? "" : decode(part.slice(equals + 1));
    if (SINGULAR.has(key)) {
      if (singular.has(key)) throw new TenantryError("INVALID_ARGUMENT", `"${key}" is there twice.`);
      singular.set(key, value);
    } else if (LOGIC.has(key)) {
      filters.push(grammar.logic(key, value));
    } else if (EMBEDDED.test(key) && !key.endsWith('"')) {
      throw new TenantryError(
        "UNSUPPORTED",
        `"${key}" is about an embedded resource, and those are not supported.`,
        {
          hint: "Join the tables in a view, or with SQL on the query route.",
        },
      );
    } else {
      filters.push(grammar.parameter(key, value));
    }
  }
  const columns = singular.get("columns");
  const onConflict = singular.get("on_conflict");
  const order = singular.get("order");
  return {
    select: parseSelect(singular.get("select") ?? "*"),
    filters,
    order: order === undefined || order === "" ? [] : parseOrder(order),
    columns: columns === undefined || columns === "" ? undefined : parseNames("columns", columns),
    onConflict:
      onConflict === undefined || onConflict === "" ? undefined : parseNames("on_conflict", onConflict),
    limit: wholeNumber("limit", singular.get("limit")),
    offset: wholeNumber("offset", singular.get("offset")),
    values,
  };
}

// the operators after which everything to the end of the parameter is one value
const SIMPLE = /(?:not\.)?(?:eq|neq|gte?|lte?|i?like|isdistinct)\./y;
const WHOLE_NUMBER = /^\d{1,15}$/;
/** A longer query string is read anew each time rather than remembered. */
const MAX_SHAPE_LENGTH = 2_048;

/**
 * Takes the values out of a simple query string (comparisons, `is`, `select`, `order`, `limit`, `offset`)
 * without reading its grammar, or gives `undefined` for any other. Requests of the same shape have the same
 * plan, and values in the same places as {@link parseRestQuery} puts them.
 */
export function scanRestQuery(raw: string): ScannedQuery | undefined {
  if (raw.length > MAX_SHAPE_LENGTH) return undefined;
  let shape = "";
  const values: string[] = [];
  let limit: number | undefined;
  let offset: number | undefined;
  for (let start = 0; start < raw.length;) {
    let end = raw.indexOf("&", start);
    if (end === -1) end = raw.length;
    const equals = raw.indexOf("=", start);
    if (equals === -1 || equals >= end) return undefined;
    const key = raw.slice(start, equals);
    if (key === "select" || key === "order" || raw.startsWith("is.", equals + 1)) {
      shape += raw.slice(start, end);
    } else if (key === "limit" || key === "offset") {
      const text = raw.slice(equals + 1, end);
      if (!WHOLE_NUMBER.test(text) || (key === "limit" ? limit : offset) !== undefined) return undefined;
      if (key === "limit") limit = Number(text);
      else offset = Number(text);
      shape += key;
    } else {
      SIMPLE.lastIndex = equals + 1;
      if (!SIMPLE.test(raw)) return undefined;
      shape += raw.slice(start, SIMPLE.lastIndex);
      values.push(decode(raw.slice(SIMPLE.lastIndex, end)));
    }
    shape += "&";
    start = end + 1;
  }
  return { shape, values, limit, offset };
}

function decode(text: string): string {
  if (!text.includes("%") && !text.includes("+")) return text;
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch (cause) {
    throw new TenantryError("INVALID_ARGUMENT", "The query string is not valid percent-encoding of UTF-8.", {
      cause,
    });
  }
}

function wholeNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (WHOLE_NUMBER.test(text)) return Number(text);
  throw new TenantryError("INVALID_ARGUMENT", `"${name}" must be a whole number from 0 on.`);
}
