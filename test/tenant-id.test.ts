// Which names can be a tenant's, and that nothing else ever is one.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isHostLabel, isTenantId, MAX_TENANT_ID_LENGTH, parseTenantId } from "../src/tenant-id.ts";

const HOSTILE: readonly unknown[] = [
  // nothing, too much, and other types
  "",
  " ",
  "a".repeat(64),
  "a".repeat(10_240),
  `a${"-".repeat(10_240)}a`,
  undefined,
  null,
  0,
  7,
  true,
  [],
  ["acme"],
  {},
  { toString: () => "acme" },
  Symbol("acme"),
  1n,
  () => "acme",
  new String("acme"),
  // out of the folder
  ".",
  "..",
  "../acme",
  "..\\acme",
  "/etc/passwd",
  "acme/../globex",
  "acme/",
  "/acme",
  "a/b",
  "a\\b",
  "C:acme",
  ".acme",
  "acme.",
  "acme.db",
  "acme.db-wal",
  "~",
  "~root",
  "acme:stream",
  "file:acme",
  // encoded
  "%2e%2e",
  "%2E%2E%2F",
  "%61cme",
  "acme%00",
  "acme%2f",
  "..%c0%af",
  "&#46;",
  "\\u0061cme",
  "acme+x",
  // URLs' and shells' own
  "foo?bar",
  "foo#bar",
  "foo&bar",
  "foo;bar",
  "foo=bar",
  "a b",
  "$HOME",
  "`id`",
  "$(id)",
  "a|b",
  "a*",
  "'a'",
  '"a"',
  // control characters and ends of lines
  "\0",
  "acme\0",
  "acme\0.db",
  "acme\n",
  "\nacme",
  "acme\r\n",
  "a\tb",
  "acme\u007f",
  "acme\u2028",
  "a\vb",
  // look-alikes
  "аcme",
  "ａｃｍｅ",
  "acmé",
  "acme\u0301",
  "ac\u200bme",
  "ac\u00adme",
  "\u202eemca",
  "\ufeffacme",
  "ſam",
  "\u212aelvin",
  "١٢٣",
  "acme\ud800",
  "😀",
  "ⅰ",
  "a‐b",
  "a_b\u200d",
  // shape
  "Acme",
  "ACME",
  "-acme",
  "acme-",
  "_acme",
  "acme_",
  "-",
  "_",
  "--",
  // reserved
  "v1",
  "v2",
  "v3",
  "v3-protobuf",
  "con",
  "prn",
  "aux",
  "nul",
  "com0",
  "com1",
  "com9",
  "lpt1",
  "CON",
  "nul.db",
];

const VALID = [
  "a",
  "0",
  "acme",
  "a-b",
  "a_b",
  "a--b",
  "a__b",
  "0-0",
  "xn--acme-x",
  "v4",
  "v1a",
  "v30",
  "console",
  "com10",
  "nul1",
  "constructor",
  "prototype",
  "tostring",
  "acme-2",
  "a".repeat(63),
];

describe("hostile names are refused", () => {
  test.each(
    HOSTILE.map((name) => [typeof name === "string" ? JSON.stringify(name).slice(0, 40) : typeof name, name]),
  )("%s", (_, name) => {
    expect(isTenantId(name)).toBe(false);
    expect(() => parseTenantId(name)).toThrow(expect.objectContaining({ code: "INVALID_TENANT_ID" }));
  });
});

test.each(VALID)("%j is one", (name) => {
  expect(parseTenantId(name)).toBe(name);
  expect(isTenantId(name)).toBe(true);
});

test("an id is a file name and a host label as it is, whatever was given", () => {
  const nearly = fc.string({ unit: fc.constantFrom(..."abz019-_.A/%\n\0 é"), maxLength: 70 });
  fc.assert(
    fc.property(fc.oneof(nearly, fc.string({ unit: "binary" })), (name) => {
      const good = /^[a-z0-9_-]+$/.test(name) && !name.endsWith("\n") && name.length <= MAX_TENANT_ID_LENGTH;
      if (!isTenantId(name)) {
        expect(() => parseTenantId(name)).toThrow(expect.objectContaining({ code: "INVALID_TENANT_ID" }));
        return;
      }
      expect(good).toBe(true);
      expect(parseTenantId(name)).toBe(name);
      expect(encodeURIComponent(name)).toBe(name);
      expect(new URL(`http://h/t/${name}/x`).pathname).toBe(`/t/${name}/x`);
      if (isHostLabel(name))
        expect(new URL(`http://${name}.example.com/`).hostname).toBe(`${name}.example.com`);
    }),
    { numRuns: 2_000 },
  );
});

test("every string of the right shape is one", () => {
  const edge = fc.constantFrom(..."abcxyz0123456789");
  const middle = fc.string({ unit: fc.constantFrom(..."abcxyz0123456789-_"), maxLength: 61 });
  fc.assert(
    fc.property(edge, middle, edge, (first, inner, last) => {
      const name = first + inner + last;
      fc.pre(!/^(?:v[123]|(?:com|lpt)\d)$/.test(name));
      expect(parseTenantId(name)).toBe(name);
    }),
  );
});

test("the error repeats no more than the beginning of a bad name", () => {
  expect(() => parseTenantId("A".repeat(10_240))).toThrow(
    expect.objectContaining({ message: expect.stringMatching(/^.{1,80}$/) }),
  );
});
