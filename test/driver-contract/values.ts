// Owns the cases about values: what a parameter becomes in SQLite, and what a value becomes on its way out.
import { expect } from "vitest";
import type { ContractCases } from "./contract-case.ts";

interface Bound {
  v: unknown;
  t: string;
  h: string;
}

const ROUND_TRIP = "SELECT ?1 AS v, typeof(?1) AS t, hex(?1) AS h";

export const values: ContractCases = {
  "null is NULL both ways": async (db) => {
    expect(await db.prepare(ROUND_TRIP).bind(null).first<Bound>()).toEqual({ v: null, t: "null", h: "" });
  },

  "every number is bound as REAL": async (db) => {
    for (const number of [0, 1, -1, 1.5, 2 ** 40, 1e300, 5e-324]) {
      expect(await db.prepare(ROUND_TRIP).bind(number).first<Bound>()).toMatchObject({
        v: number,
        t: "real",
      });
    }
    expect(await db.prepare("SELECT ? / 2 AS half, ? || '' AS text").bind(1, 1).first()).toEqual({
      half: 0.5,
      text: "1.0",
    });
  },

  "a column's affinity makes an integer of a number": async (db) => {
    await db.exec("CREATE TABLE t (i INTEGER, r REAL, s TEXT, n)");
    const row = await db
      .prepare("INSERT INTO t VALUES (?1, ?1, ?1, ?1) RETURNING *, typeof(i) ti, typeof(r) tr, typeof(n) tn")
      .bind(1)
      .first();
    expect(row).toEqual({ i: 1, r: 1, s: "1.0", n: 1, ti: "integer", tr: "real", tn: "real" });
  },

  "booleans are bound as 1 and 0": async (db) => {
    expect(await db.prepare("SELECT ? AS yes, ? AS no").bind(true, false).first()).toEqual({ yes: 1, no: 0 });
    expect(await db.prepare("SELECT 1 = 1 AS yes, 1 = 2 AS no").first()).toEqual({ yes: 1, no: 0 });
  },

  "NaN is bound as NULL": async (db) => {
    expect(await db.prepare(ROUND_TRIP).bind(NaN).first<Bound>()).toEqual({ v: null, t: "null", h: "" });
  },

  "strings keep every character": async (db) => {
    for (const text of ["", "a", 'it\'s "quoted"', "a\0b", "line\r\n\tend", "héllo 日本 🎉", "\ufeffbom"]) {
      expect(await db.prepare("SELECT ?1 AS v, typeof(?1) AS t").bind(text).first()).toEqual({
        v: text,
        t: "text",
      });
    }
    expect(await db.prepare(ROUND_TRIP).bind("a\0b").first<Bound>()).toMatchObject({ h: "610062" });
  },

  "a string of 2 MB goes both ways": async (db) => {
    const text = "x".repeat(2_000_000);
    expect((await db.prepare("SELECT ? AS v").bind(text).first<string>("v")) === text).toBe(true);
  },

  "bytes are bound as a BLOB and come back as an array of numbers": async (db) => {
    const bytes = new Uint8Array([1, 2, 255]);
    for (const value of [
      bytes,
      bytes.buffer,
      new Uint8Array([9, 1, 2, 255, 9]).subarray(1, 4),
      [1, 2, 255],
    ]) {
      expect(await db.prepare(ROUND_TRIP).bind(value).first<Bound>()).toEqual({
        v: [1, 2, 255],
        t: "blob",
        h: "0102FF",
      });
    }
    expect(await db.prepare("SELECT x'0102ff'").raw()).toEqual([[[1, 2, 255]]]);
    expect((await db.prepare("SELECT x'01' AS b").all()).results).toEqual([{ b: [1] }]);
    const [answer] = await db.batch([db.prepare("SELECT x'01' AS b")]);
    expect(answer?.results).toEqual([{ b: [1] }]);
  },

  "an empty BLOB is not NULL": async (db) => {
    for (const value of [new Uint8Array(0), new ArrayBuffer(0), []]) {
      expect(await db.prepare(ROUND_TRIP).bind(value).first<Bound>()).toEqual({ v: [], t: "blob", h: "" });
    }
    expect(await db.prepare("SELECT zeroblob(3) AS z, x'' AS e").first()).toEqual({ z: [0, 0, 0], e: [] });
  },

  "integers beyond 2^53 are rounded to the nearest number": async (db) => {
    expect(
      await db
        .prepare(
          "SELECT 9007199254740991 AS a, 9007199254740992 AS b, 9007199254740993 AS c, 9223372036854775807 AS d, -9223372036854775808 AS e",
        )
        .first(),
    ).toEqual({ a: 2 ** 53 - 1, b: 2 ** 53, c: 2 ** 53, d: 2 ** 63, e: -(2 ** 63) });
  },

  "a float that is whole comes back as the same number": async (db) => {
    expect(await db.prepare("SELECT 1.0 AS v, typeof(1.0) AS t, 1e21 AS big").first()).toEqual({
      v: 1,
      t: "real",
      big: 1e21,
    });
  },

  "integers up to 2^53 are stored exactly": async (db) => {
    await db.exec("CREATE TABLE t (i INTEGER)");
    for (const number of [2 ** 53 - 1, 2 ** 53, 2 ** 53 + 2, -(2 ** 53)]) {
      expect(
        await db.prepare("INSERT INTO t VALUES (?) RETURNING i, CAST(i AS TEXT) AS s").bind(number).first(),
      ).toEqual({ i: number, s: String(number) });
    }
  },

  "text that is not UTF-8 comes back with replacement characters": async (db) => {
    expect(await db.prepare("SELECT CAST(x'ff41' AS TEXT) AS v").first("v")).toBe("\ufffdA");
  },

  "what SQLite has no type for is refused by bind()": async (db) => {
    const refused: [value: unknown, type: string, printed: string][] = [
      [undefined, "undefined", "undefined"],
      [{}, "object", "[object Object]"],
      [{ a: 1 }, "object", "[object Object]"],
      [["a"], "object", "a"],
      [[256], "object", "256"],
      [[-1], "object", "-1"],
      [new Map(), "object", "[object Map]"],
    ];
    const statement = db.prepare("SELECT ?");
    for (const [value, type, printed] of refused) {
      const message = `Type '${type}' not supported for value '${printed}'`;
      expect(() => statement.bind(value)).toThrow(
        expect.objectContaining({
          message: `D1_TYPE_ERROR: ${message}`,
          cause: expect.objectContaining({ message }),
        }),
      );
    }
    for (const value of [() => 1, Symbol("s"), new Date(0), Object.create(null)]) {
      expect(() => statement.bind(value)).toThrow(Error);
    }
  },
};
