// How rows and text look on terminals of different widths.
import { assert, integer, property, string } from "fast-check";
import { expect, test } from "vitest";
import { displayWidth, fitted, manyLines, oneLine } from "../src/cli/display-text.ts";
import { InputBuffer } from "../src/cli/shell-input.ts";
import { fits, tableLines } from "../src/cli/text-table.ts";

const COLUMNS = [{ header: "ID", whole: true }, { header: "TEXT" }, { header: "N", align: "right" as const }];

test("columns give way to the terminal's width, but not those that people copy", () => {
  const rows = [["a-rather-long-identifier", "word ".repeat(20), "7"]];
  for (const line of tableLines(COLUMNS, rows, { width: 50 }))
    expect(displayWidth(line)).toBeLessThanOrEqual(50);
  expect(tableLines(COLUMNS, rows, { width: 50 })[1]).toMatch(/^a-rather-long-identifier {2}word .*… {2}7$/);
  expect(tableLines(COLUMNS, rows, { width: Infinity })[1]).toContain("word ".repeat(20).trim());
  expect(fits(COLUMNS, rows, 39)).toBe(true);
  expect(fits(COLUMNS, rows, 38)).toBe(false);
});

test("wide and combining characters are counted as terminals show them", () => {
  expect(displayWidth("日本")).toBe(4);
  expect(displayWidth("e\u0301")).toBe(1);
  expect(displayWidth("👩‍👩‍👧")).toBe(2);
  expect(fitted("日本語", 5)).toBe("日本…");
});

test("no text keeps a control character, and none is cut wider than it should be", () => {
  assert(
    property(string({ unit: "binary" }), integer({ min: 1, max: 20 }), (text, width) => {
      // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
      expect(oneLine(text)).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
      // oxlint-disable-next-line no-control-regex -- the same
      expect(manyLines(text)).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
      expect(displayWidth(fitted(oneLine(text), width))).toBeLessThanOrEqual(width);
    }),
  );
});

test("a shell cuts its input where statements end", () => {
  const buffer = new InputBuffer();
  expect(buffer.add("  .schema customers ;")).toEqual([
    { kind: "command", name: "schema", argument: "customers" },
  ]);
  expect(buffer.add("SELECT ';' -- not yet;")).toEqual([]);
  expect(buffer.add(".tables")).toEqual([]);
  expect(buffer.add("/* ; */ FROM t; SELECT 2; SEL")).toEqual([
    { kind: "statement", sql: "SELECT ';' -- not yet;\n.tables\n/* ; */ FROM t" },
    { kind: "statement", sql: "SELECT 2" },
  ]);
  expect(buffer.pending).toBe(true);
  expect(buffer.add("ECT 3")).toEqual([]);
  expect(buffer.rest()).toEqual([{ kind: "statement", sql: "SEL\nECT 3" }]);
  expect(buffer.pending).toBe(false);
});
