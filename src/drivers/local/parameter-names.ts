// Owns giving values by position to parameters that have names: `?2`, `:a`, `@b`, `$c`. D1 counts positions
// only, better-sqlite3 takes names only.
// Does not check the values.
import { parametersOf } from "../../sql/parameters.ts";
import type { TenantryError } from "../../tenantry-error.ts";
import { d1Error } from "../d1-error.ts";

/** By parameter, in SQLite's order: its name without the first character, or undefined for a plain `?`. */
export type ParameterNames = readonly (string | undefined)[];

/** Whatever has none of these has no named parameter; what has one may still have it in a string. */
const MAYBE_NAMED = /\?\d|[:@$]/;

/** The names of `sql`'s parameters; undefined when none has a name. `sql` is one whose tokens are all good. */
export function parameterNames(sql: string): ParameterNames | undefined {
  if (!MAYBE_NAMED.test(sql)) return undefined;
  const names = parametersOf(sql);
  if (names.every((name) => name === undefined)) return undefined;
  const bare = names.map((name) => name?.slice(1));
  const twice = bare.find((name, index) => name !== undefined && bare.indexOf(name) !== index);
  if (twice !== undefined) {
    throw d1Error("SQL_ERROR", `two parameters differ in their first character only: ${twice}`, {
      hint: "Give each parameter a name of its own.",
    });
  }
  return bare;
}

/** `values`, which are in SQLite's order, as better-sqlite3 takes them. @throws {TenantryError} `PARAMETER_COUNT` */
export function byName(names: ParameterNames, values: readonly unknown[]): readonly unknown[] {
  if (values.length !== names.length) throw wrongCount();
  const named = Object.create(null) as Record<string, unknown>;
  const plain: unknown[] = [];
  for (const [index, name] of names.entries()) {
    if (name === undefined) plain.push(values[index]);
    else named[name] = values[index];
  }
  return [...plain, named];
}

/** What D1 says to too few parameters as to too many. */
export function wrongCount(hint = "Bind a value for each parameter."): TenantryError {
  return d1Error("PARAMETER_COUNT", "Wrong number of parameter bindings for SQL query.", { hint });
}
