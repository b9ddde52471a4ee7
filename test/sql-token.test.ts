// SQLite's tokens, as nextToken() reads them.
import Database from "better-sqlite3";
import * as fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { keywordOf, nameOf, nextToken, type Token } from "../src/sql/sql-token.ts";

const sqlite = new Database(":memory:");
afterAll(() => sqlite.close());

function tokens(sql: string): Token[] {
  const found: Token[] = [];
  for (let t = nextToken(sql, 0); t; t = nextToken(sql, t.start + t.text.length)) found.push(t);
  return found;
}

const shown = (sql: string) => tokens(sql).map((t) => `${t.type} ${t.text}`);

describe("white space and comments", () => {
  test.each([
    ["\uFEFFSELECT", ["word SELECT"]],
    [" \t\r\n\fSELECT", ["word SELECT"]],
    ["-- one\nSELECT--two", ["word SELECT"]],
    ["/* a ; ' */SELECT/**/1/* open", ["word SELECT", "number 1"]],
    ["/*/ still */1", ["number 1"]],
    ["1 /*", ["number 1", "operator /", "operator *"]],
    [" \v1", ["number 1"]],
    ["\v1", ["illegal \v", "number 1"]],
    ["\u00a0SELECT", ["word \u00a0SELECT"]],
    ["AT\uFEFFTACH", ["word AT\uFEFFTACH"]],
    ["AT/**/TACH", ["word AT", "word TACH"]],
  ])("%j", (sql, expected) => {
    expect(shown(sql)).toEqual(expected);
  });
});

describe("tokens", () => {
  test.each([
    ["'it''s'", ["string 'it''s'"]],
    ['"a""b"`c``d`[e"f]', ['quoted "a""b"', "quoted `c``d`", 'quoted [e"f]']],
    ["'open", ["illegal 'open"]],
    ["[open", ["illegal [open"]],
    ["x'0aFF'X'0'", ["blob x'0aFF'", "illegal X'0'"]],
    ["?12 ?:a@b $c::d(e)", ["variable ?12", "variable ?", "variable :a", "variable @b", "variable $c::d(e)"]],
    [":", ["illegal :"]],
    ["1.5e3 .5 0x1F 1_000", ["number 1.5e3", "number .5", "number 0x1F", "number 1_000"]],
    ["a.b->>c", ["word a", "operator .", "word b", "operator -", "operator >", "operator >", "word c"]],
    ["a$b é_1", ["word a$b", "word é_1"]],
    ["^", ["illegal ^"]],
  ])("%j", (sql, expected) => {
    expect(shown(sql)).toEqual(expected);
  });

  test("names are unquoted as SQLite does it", () => {
    expect(tokens(`a "b""c" \`d\`\`\` [e""] 'f''' 1`).map(nameOf)).toEqual([
      "a",
      'b"c',
      "d`",
      'e""',
      "f'",
      undefined,
    ]);
  });

  test("only unquoted ASCII words are keywords", () => {
    expect(tokens('select "select" ſelect').map(keywordOf)).toEqual(["SELECT", "", ""]);
  });
});

test("what SQLite reads as one string or name is one token here", () => {
  const quote = fc.constantFrom("'", '"', "`", "[");
  fc.assert(
    fc.property(quote, fc.string({ unit: "grapheme", maxLength: 12 }), (open, inner) => {
      fc.pre(!inner.includes("\0"));
      const close = open === "[" ? "]" : open;
      const text = open === "[" ? inner.replaceAll("]", "") : inner.replaceAll(open, open + open);
      const sql = `${open}${text}${close}`;
      const [token, ...rest] = tokens(sql);
      expect(rest).toEqual([]);
      const expected = open === "[" ? text : inner;
      expect(token && nameOf(token)).toBe(expected);
      const column = sqlite.prepare(`SELECT 1 AS ${sql}`).columns()[0];
      expect(column?.name).toBe(expected.toWellFormed());
    }),
  );
});

test("every text ends, and its tokens follow one another", () => {
  const hostile = fc.string({ unit: fc.constantFrom(..."'\"`[]()-/*;x0a.:$@?\uFEFF\v\n é"), maxLength: 30 });
  fc.assert(
    fc.property(hostile, (sql) => {
      let at = 0;
      for (const token of tokens(sql)) {
        expect(token.start).toBeGreaterThanOrEqual(at);
        expect(token.text.length).toBeGreaterThan(0);
        expect(sql.startsWith(token.text, token.start)).toBe(true);
        at = token.start + token.text.length;
      }
    }),
    { numRuns: 2_000 },
  );
});
