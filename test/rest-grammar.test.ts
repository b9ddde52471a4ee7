// Owns the promise that no query string does harm: it becomes a plan that SQLite takes, or a TenantryError.
import Database from "better-sqlite3";
import * as fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { readSchema, type Table } from "../src/database/schema.ts";
import type { SqlRunner } from "../src/drivers/driver.ts";
import { globPattern, likePattern } from "../src/http/rest/like-pattern.ts";
import { parsePrefer } from "../src/http/rest/prefer.ts";
import { compileRead } from "../src/http/rest/read-plan.ts";
import { parseRestQuery, scanRestQuery } from "../src/http/rest/rest-query.ts";
import { ALL_ROWS, rowRange } from "../src/http/rest/row-range.ts";
import { compileDelete, compileUpdate } from "../src/http/rest/write-plan.ts";
import { TenantryError } from "../src/tenantry-error.ts";

const sqlite = new Database(":memory:");
sqlite.exec(`
  CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, "odd ""na?me" REAL, flag BOOLEAN, data JSON, raw BLOB, loose);
  INSERT INTO t VALUES (1, 'a', 1.5, 1, '{"k":[1,2]}', x'00', 5), (2, 'b', NULL, 0, 'no', NULL, '5');
  CREATE VIRTUAL TABLE words USING fts5(word);
`);
afterAll(() => sqlite.close());

// just enough of a runner for readSchema to read the tables of a connection of the test's own
const runner = {
  run: async ({ sql, params }: { sql: string; params: unknown[] }) => ({
    rows: sqlite.prepare(sql).all(...params),
  }),
  batch: async (statements: { sql: string; params: unknown[] }[]) =>
    statements.map(({ sql, params }) => ({ rows: sqlite.prepare(sql).all(...params) })),
} as unknown as SqlRunner;
const { tables } = await readSchema(runner);
const table = tables.get("t") as Table;
const words = tables.get("words") as Table;

const NAMES = [
  "id",
  "name",
  '"odd \\"na?me"',
  "flag",
  "data",
  "data->k->0",
  "data->>k",
  "raw",
  "loose",
  "rowid",
  "nope",
];
const OPERATORS = [
  "eq",
  "neq",
  "gt",
  "gte",
  "lt",
  "lte",
  "like",
  "ilike",
  "isdistinct",
  "in",
  "is",
  "fts",
  "match",
  "cs",
  "eq(any)",
  "like(all)",
  "not.eq",
  "not.in",
  "not.is",
  "zz",
];
const VALUES = [
  "1",
  "1.5e3",
  "abc",
  "(1,2)",
  '("a,b",c)',
  "{a,b}",
  "null",
  "true",
  "\\x00ff",
  "*a_",
  "",
  "'; DROP TABLE t; --",
];

const name = fc.constantFrom(...NAMES);
const value = fc.oneof(fc.constantFrom(...VALUES), fc.string({ unit: "binary", maxLength: 12 }));
const operation = fc
  .tuple(fc.constantFrom(...OPERATORS), value)
  .map(([operator, value]) => `${operator}.${value}`);
const term = fc.tuple(name, operation).map(([name, operation]) => `${name}.${operation}`);
const tree = fc.letrec<{ tree: string }>((tie) => ({
  tree: fc
    .array(
      fc.oneof(
        { maxDepth: 3 },
        term,
        fc
          .tuple(fc.constantFrom("and", "or", "not.and", "not.or"), tie("tree"))
          .map(([op, tree]) => `${op}${tree}`),
      ),
      { minLength: 1, maxLength: 3 },
    )
    .map((terms) => `(${terms.join(",")})`),
})).tree;
const fields = fc.array(
  fc.oneof(
    name,
    fc.constant("*"),
    name.map((name) => `alias:${name}`),
  ),
  { maxLength: 4 },
);
const order = fc.array(
  fc
    .tuple(name, fc.constantFrom("", ".asc", ".desc", ".desc.nullslast", ".nullsfirst"))
    .map((part) => part.join("")),
  { minLength: 1, maxLength: 3 },
);
const parameter = fc.oneof(
  fc.tuple(name, operation),
  fc.tuple(fc.constantFrom("and", "or", "not.or"), tree),
  fc.tuple(
    fc.constant("select"),
    fields.map((fields) => fields.join(",")),
  ),
  fc.tuple(
    fc.constant("order"),
    order.map((terms) => terms.join(",")),
  ),
  fc.tuple(fc.constantFrom("limit", "offset"), fc.oneof(fc.nat(50).map(String), fc.string({ maxLength: 3 }))),
  fc.tuple(fc.string({ unit: "binary", maxLength: 8 }), fc.string({ unit: "binary", maxLength: 20 })),
);
const query = fc
  .array(parameter, { maxLength: 5 })
  .map((parameters) =>
    parameters.map((part) => part.map((text) => encodeURIComponent(text.toWellFormed())).join("=")).join("&"),
  );
const anything = fc.oneof(query, query.map(decodeURIComponent), fc.string({ unit: "binary" }));

/** What `make` gives, or `undefined` where it refuses; any other failure is the test's. */
function unlessRefused<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof TenantryError && error.code !== "INTERNAL") return undefined;
    throw error;
  }
}

/** Runs it, and lets through only what a value can do wrong: a malformed search. */
function run(sql: string, params: unknown[]): void {
  try {
    const statement = sqlite.prepare(sql);
    if (statement.reader) statement.all(...params);
    else statement.run(...params);
  } catch (error) {
    if (
      !/^(?:fts5: |unterminated string|no such column|unknown special query|LIKE or GLOB)/.test(
        (error as Error).message,
      )
    )
      throw error;
    expect(sql).toContain("MATCH");
  }
}

describe("any query string", () => {
  test("is refused, or becomes SQL that SQLite runs with exactly these parameters", () => {
    let accepted = 0;
    fc.assert(
      fc.property(anything, fc.constantFrom(table, words), (raw, table) => {
        const statement = unlessRefused(() => {
          const parsed = parseRestQuery(raw);
          const plan = compileRead(table, parsed);
          return [
            plan.rows(parsed.values, rowRange(parsed.limit, parsed.offset, undefined, undefined)),
            plan.count(parsed.values),
          ];
        });
        if (statement !== undefined) accepted++;
        for (const { sql, params } of statement ?? []) run(sql, [...params]);
      }),
      { numRuns: 3_000 },
    );
    expect(accepted).toBeGreaterThan(300);
  });

  test("never changes or deletes but through the statement it is for", () => {
    sqlite.exec("SAVEPOINT here");
    fc.assert(
      fc.property(
        anything,
        fc.dictionary(fc.constantFrom("name", "flag", "loose", "raw", "nope"), fc.jsonValue()),
        (raw, row) => {
          const plans = [
            unlessRefused(() => compileDelete(table, parseRestQuery(raw), "selection")),
            unlessRefused(() => compileUpdate(table, parseRestQuery(raw), [row], "selection")),
          ];
          for (const { sql, params } of plans.flatMap((plan) => plan?.statements ?? [])) {
            expect(sql).toMatch(/^(?:DELETE FROM|UPDATE) "t" /);
            run(sql, [...params]);
          }
        },
      ),
      { numRuns: 1_000 },
    );
    sqlite.exec("ROLLBACK TO here; RELEASE here");
    expect(sqlite.prepare("SELECT count(*) AS n FROM t").get()).toEqual({ n: 2 });
  });

  test("never brings a value into the SQL", () => {
    const marked = fc.string({ maxLength: 10 }).map((text) => `zq7${text.toWellFormed()}`);
    const escaped = (value: string) => value.replace(/["\\]/g, "\\$&");
    const key = (value: string) => `data->"${value.replace(/["\\]/g, "")}"`;
    const place = fc.constantFrom<(value: string) => [string, string]>(
      (value) => ["name", `eq.${value}`],
      (value) => ["loose", `not.gt.${value}`],
      (value) => ["name", `ilike.${value}`],
      (value) => ["name", `in.("${escaped(value)}",x)`],
      (value) => ["or", `(name.eq."${escaped(value)}",id.eq.1)`],
      (value) => ["name", `like(any).{"${escaped(value)}"}`],
      (value) => ["data->>k", `eq.${value}`],
      (value) => [key(value), "eq.1"],
      (value) => ["select", key(value)],
    );
    fc.assert(
      fc.property(marked, place, (value, place) => {
        const parsed = parseRestQuery(place(value).map(encodeURIComponent).join("="));
        const plan = compileRead(table, parsed);
        const { sql, params } = plan.rows(parsed.values, ALL_ROWS);
        // the key of a selected JSON path is a column's name in the answer, and quoted as one
        expect(sql.replace(/ AS "(?:[^"]|"")*"/g, "")).not.toContain("zq7");
        expect(JSON.stringify(params)).toContain("zq7");
        run(sql, [...params]);
      }),
    );
  });
});

test("what the scan takes for simple is what the grammar reads", () => {
  const shapes = new Map<string, string>();
  let simple = 0;
  fc.assert(
    fc.property(anything, (raw) => {
      const scanned = unlessRefused(() => scanRestQuery(raw));
      if (scanned === undefined) return;
      const parsed = unlessRefused(() => parseRestQuery(raw));
      if (parsed === undefined) return;
      simple++;
      expect(scanned).toMatchObject({ values: parsed.values, limit: parsed.limit, offset: parsed.offset });
      const sql = unlessRefused(() => compileRead(table, parsed).rows(parsed.values, ALL_ROWS).sql);
      if (sql === undefined) return;
      expect(shapes.get(scanned.shape) ?? sql).toBe(sql);
      shapes.set(scanned.shape, sql);
    }),
    { numRuns: 5_000 },
  );
  expect(simple).toBeGreaterThan(500);
});

test("like and ilike match what PostgreSQL's LIKE would", () => {
  const characters = fc.array(fc.constantFrom("a", "B", "*", "%", "_", "\\", "[", "]", "?", "^", "."), {
    maxLength: 8,
  });
  const glob = sqlite.prepare("SELECT ? GLOB ? AS yes");
  const like = sqlite.prepare("SELECT ? LIKE ? ESCAPE '\\' AS yes");
  fc.assert(
    fc.property(characters, characters, (patternParts, textParts) => {
      const pattern = patternParts.join("");
      const text = textParts.join("");
      const source = pattern.replace(/\\[\s\S]|[\s\S]/g, (part) => {
        if (part === "*" || part === "%") return "[^]*";
        if (part === "_") return "[^]";
        return (part.length === 2 ? part.slice(1) : part).replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
      });
      expect(glob.get(text, globPattern(pattern)), pattern).toEqual({
        yes: Number(new RegExp(`^${source}$`).test(text)),
      });
      expect(like.get(text, likePattern(pattern)), pattern).toEqual({
        yes: Number(new RegExp(`^${source}$`, "i").test(text)),
      });
    }),
    { numRuns: 2_000 },
  );
});

test("no Prefer or Range header does more than be refused", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.option(fc.nat(), { nil: undefined }), (header, limit) => {
      unlessRefused(() => parsePrefer(header));
      unlessRefused(() => rowRange(limit, undefined, header, undefined));
    }),
  );
});

test("lists, quotes and nesting read as PostgREST reads them", () => {
  const values = (raw: string) => parseRestQuery(raw).values;
  expect(values('a=in.("a,b",c,"d\\"e","f\\\\g")')).toEqual(["a,b", "c", 'd"e', "f\\g"]);
  expect(values('a=in.("a"b,c)')).toEqual(['"a"b', "c"]);
  expect(values("a=in.( 1, 2 )")).toEqual([" 1", " 2 "]);
  expect(values('a=eq."a"')).toEqual(['"a"']);
  expect(values("a=eq.a.b,c(d)")).toEqual(["a.b,c(d)"]);
  expect(values("a=eq.1+2%2B3")).toEqual(["1 2+3"]);
  expect(values('or=(a.eq."x,y",b.not.in.(1,2),and(c.gt.1,not.or(d.lt.2,d.is.null)))')).toEqual([
    "x,y",
    "1",
    "2",
    "1",
    "2",
  ]);
  expect(values('a=like(any).{x,"y,z","q\\"",w\\,v}')).toEqual(["x", "y,z", 'q"', "w,v"]);
  expect(values("or=(a.like(all).{x,y},b.eq.1)")).toEqual(["x", "y", "1"]);
  expect(parseRestQuery("a=in.()").filters).toMatchObject([{ kind: "in", values: [] }]);
  expect(parseRestQuery("select=full-name,b:c->d->>-1,*").select).toEqual([
    { field: { column: "full-name", path: [], asText: false }, alias: undefined },
    { field: { column: "c", path: [{ key: "d" }, { index: -1 }], asText: true }, alias: "b" },
    "*",
  ]);
});
