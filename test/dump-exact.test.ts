// Holds: a dump restored by the sqlite3 shell, or by any SQLite, is the database that it was of: every value with its
// type, every rowid, every object; and it is of one moment, in bounded memory, and holds nothing once it is not read.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import Database from "better-sqlite3";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LocalHandle } from "../src/drivers/local/local-handle.ts";
import { localDriver } from "../src/drivers/local/local-driver.ts";
import { tempDatabase } from "./support/temp-database.ts";
import { tempFolder } from "./support/temp-folder.ts";

const hasShell = spawnSync("sqlite3", ["--version"]).status === 0;

async function dumpOf(handle: LocalHandle): Promise<string> {
  let text = "";
  for await (const piece of handle.dump()) text += piece;
  return text;
}

/** What a database holds: its objects, and every value of every table by its type and its bytes. */
function contents(path: string): unknown {
  const sqlite = new Database(path);
  try {
    expect(sqlite.pragma("integrity_check", { simple: true })).toBe("ok");
    const objects = sqlite
      .prepare(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name <> 'sqlite_stat4' ORDER BY type, name",
      )
      .all() as { type: string; name: string; sql: string | null }[];
    const rows = objects
      .filter(({ type, sql }) => type === "table" && !/^CREATE VIRTUAL/i.test(sql ?? ""))
      .map(({ name }) => {
        const columns = sqlite.prepare("SELECT name, hidden FROM pragma_table_xinfo(?)").all(name) as {
          name: string;
        }[];
        const exact = columns
          .map((one) => `"${one.name.replaceAll('"', '""')}"`)
          .map((c) => `typeof(${c}), hex(CAST(${c} AS BLOB)), ${c}`);
        let rowid = "";
        try {
          sqlite.prepare(`SELECT _rowid_ FROM "${name.replaceAll('"', '""')}"`);
          rowid = "_rowid_, ";
        } catch {
          // it has none
        }
        const select = sqlite.prepare(
          `SELECT ${rowid}${exact.join(", ")} FROM "${name.replaceAll('"', '""')}" ORDER BY 1, 2, 3`,
        );
        return [name, select.raw().safeIntegers().all()];
      });
    const pragmas = ["user_version", "application_id", "encoding"].map((one) =>
      sqlite.pragma(one, { simple: true }),
    );
    return { objects, rows, pragmas };
  } finally {
    sqlite.close();
  }
}

/** @param byShell whether the sqlite3 of this machine restores it, too */
async function expectRestored(handle: LocalHandle, byShell = hasShell): Promise<string> {
  const text = await dumpOf(handle);
  const dir = await tempFolder();
  const before = contents(handle.path);
  const restored = join(dir, "restored.db");
  const sqlite = new Database(restored);
  sqlite.unsafeMode(true);
  sqlite.exec(text);
  sqlite.close();
  expect(contents(restored)).toEqual(before);
  if (byShell) {
    const path = join(dir, "shell.db");
    const { status, stdout, stderr } = spawnSync("sqlite3", [path], { input: text, encoding: "utf8" });
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "", stderr: "" });
    expect(contents(path)).toEqual(before);
  }
  return text;
}

const SCHEMA = `
CREATE TABLE plain (a, b TEXT, c REAL, d INTEGER, e BLOB);
CREATE TABLE auto (id INTEGER PRIMARY KEY AUTOINCREMENT, v ANY) STRICT;
CREATE TABLE wide (k TEXT, n INTEGER, v, PRIMARY KEY (k, n)) WITHOUT ROWID;
CREATE TABLE "odd ""name""; --" ("select", "a ""b""", [c d], 'e');
CREATE TABLE taken (rowid TEXT, _rowid_ TEXT, oid TEXT);
CREATE TABLE one_taken (rowid TEXT, v);
CREATE TABLE descending (id INTEGER PRIMARY KEY DESC, v);
CREATE TABLE made (a INTEGER, b INTEGER GENERATED ALWAYS AS (a * 2) VIRTUAL, c AS (a + 1) STORED, d);
CREATE TABLE parents (id INTEGER PRIMARY KEY);
CREATE TABLE children (parent REFERENCES parents (id) ON DELETE CASCADE, at DEFAULT (1 + 1));
CREATE UNIQUE INDEX by_b ON plain (b COLLATE NOCASE DESC) WHERE b IS NOT NULL;
CREATE INDEX by_expression ON plain (lower(b), d % 7);
CREATE VIEW seen AS SELECT id, v FROM auto -- as it is
  WHERE v <> ';';
CREATE TRIGGER noted AFTER INSERT ON auto BEGIN
  INSERT INTO plain (a) VALUES ('by; a trigger');
  UPDATE plain SET b = NULL WHERE b = 'never';
END;
CREATE TRIGGER through INSTEAD OF INSERT ON seen BEGIN INSERT INTO auto (v) VALUES (new.v); END;
CREATE VIRTUAL TABLE docs USING fts5(title, body, tokenize = 'porter');
CREATE VIRTUAL TABLE spots USING rtree(id, x0, x1);
PRAGMA user_version = 42;
PRAGMA application_id = -7;
`;

describe("a dump", () => {
  test("has every kind of object and value", async () => {
    const handle = await tempDatabase();
    await handle.withSqlite((sqlite) => {
      sqlite.exec(SCHEMA);
      const plain = sqlite.prepare("INSERT INTO plain (rowid, a, b) VALUES (?, ?, ?)");
      plain.run(-5n, "it's", "line\nline\r\nline\rend\\n\\r(\\n0)");
      plain.run(2n ** 62n, "nul\0nul", "\0");
      plain.run(7n, 9223372036854775807n, -9223372036854775808n);
      for (const value of [
        0.1,
        -0,
        1,
        1e22,
        1e23,
        5e-324,
        2.225073858507201e-308,
        1.7976931348623157e308,
        Infinity,
        -Infinity,
      ]) {
        sqlite.prepare("INSERT INTO plain (a, c) VALUES (?, ?)").run(value, value);
      }
      sqlite.exec(`INSERT INTO plain (a, e) VALUES (X'', X''), (X'00FF10', X'41'), ('', zeroblob(3)), (NULL, NULL);
        INSERT INTO plain (a, b) VALUES (CAST(X'FF41C328' AS TEXT), CAST(X'EDA080' AS TEXT)), (char(65533), 'ok'), (1.0, 1);
        INSERT INTO auto (v) VALUES (1), ('1'), (1.0), (X'31'), (NULL); DELETE FROM auto WHERE id > 3;
        INSERT INTO wide VALUES ('a', 1, 'x'), (CAST(X'FF00' AS TEXT), 2, 1e999);
        INSERT INTO "odd ""name""; --" VALUES (1, 2, 3, 4);
        INSERT INTO taken VALUES ('a', 'b', 'c'), (CAST(X'FE' AS TEXT), NULL, '');
        INSERT INTO one_taken (_rowid_, rowid, v) VALUES (100, 'not the id', 1), (3, CAST(X'C0' AS TEXT), 2);
        INSERT INTO descending VALUES (5, 'a'), (1, 'b');
        INSERT INTO made (a, d) VALUES (1, 'x'), (2, 'y');
        INSERT INTO parents VALUES (1); INSERT INTO children (parent) VALUES (1);
        INSERT INTO docs (title, body) VALUES ('one', 'running runs ran'), ('two', 'nothing'); DELETE FROM docs WHERE title = 'two';
        INSERT INTO spots VALUES (1, 0.5, 2.5), (2, -1, 1);
        ANALYZE;`);
      sqlite.pragma("foreign_keys = OFF");
      sqlite.exec("INSERT INTO children VALUES (99, 3)");
    });
    const text = await expectRestored(handle);
    expect(text).toContain("replace(");
    expect(text.startsWith("PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n")).toBe(true);
    expect(text.endsWith("COMMIT;\n")).toBe(true);
  });

  test("reads as a full text search where it is restored", async () => {
    const handle = await tempDatabase();
    await handle.exec(
      "CREATE VIRTUAL TABLE docs USING fts5(body); INSERT INTO docs VALUES ('quick brown'), ('lazy')",
    );
    const path = join(await tempFolder(), "restored.db");
    let sqlite = new Database(path);
    sqlite.unsafeMode(true);
    sqlite.exec(await dumpOf(handle));
    sqlite.close();
    sqlite = new Database(path);
    expect(sqlite.prepare("SELECT body FROM docs WHERE docs MATCH 'brown'").pluck().all()).toEqual([
      "quick brown",
    ]);
    sqlite.exec("INSERT INTO docs VALUES ('brown again')");
    expect(sqlite.prepare("SELECT count(*) FROM docs('brown')").pluck().get()).toBe(2);
    sqlite.close();
  });

  test("keeps another encoding", async () => {
    const dir = await tempFolder();
    const path = join(dir, "utf16.db");
    const sqlite = new Database(path);
    sqlite.pragma("encoding = 'UTF-16le'");
    sqlite.exec(
      "CREATE TABLE t (v); INSERT INTO t VALUES ('tëxt ' || char(128512)), (CAST(X'00D8' AS TEXT))",
    );
    sqlite.close();
    const handle = await localDriver({ dir }).openFile(path);
    await expectRestored(handle);
    await handle.close();
  });

  const value = fc.oneof(
    fc.double(),
    fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
    fc.string({ unit: "binary" }),
    fc.string({
      unit: fc.constantFrom("a", "'", '"', "\n", "\r", "\0", "\\", "\\n", "(", ";", "\uFFFD", "😀"),
    }),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.constant(null),
  );

  test("has any value exactly", async () => {
    const handle = await tempDatabase();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(value, fc.uint8Array()), { minLength: 1, maxLength: 200 }),
        async (rows) => {
          await handle.withSqlite((sqlite) => {
            sqlite.exec("DROP TABLE IF EXISTS v; CREATE TABLE v (a, b, c REAL)");
            const insert = sqlite.prepare("INSERT INTO v VALUES (?, CAST(? AS TEXT), ?)");
            for (const [a, bytes] of rows)
              insert.run(a, Buffer.from(bytes), typeof a === "number" ? a : null);
          });
          // An older SQLite reads some decimals as the next number: -6.840582666060803e-304 by 3.40.
          const exactly = rows.every(
            ([a]) => typeof a !== "number" || !Number.isFinite(a) || Number.isSafeInteger(a),
          );
          await expectRestored(handle, hasShell && exactly);
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe("reading a dump", () => {
  test("sees one moment, while others write", async () => {
    const handle = await tempDatabase();
    await handle.exec(
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO t SELECT i, hex(randomblob(20)) FROM n",
    );
    let text = "";
    let written = 0;
    for await (const piece of handle.dump()) {
      text += piece;
      await handle.exec(
        `INSERT INTO t (v) VALUES ('later ${written++}'); DELETE FROM t WHERE id = ${20_000 - written}`,
      );
    }
    expect(written).toBeGreaterThan(5);
    expect(text.match(/INSERT INTO/g)).toHaveLength(20_000);
    expect(text).not.toContain("later");
  });

  test("that stops in the midst holds nothing, and a handle closes under it", async () => {
    const handle = await tempDatabase({ maxSessions: 1, busyTimeoutMs: 50 });
    await handle.exec(
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO t SELECT i, hex(randomblob(20)) FROM n",
    );
    for (let n = 0; n < 3; n++) {
      for await (const piece of handle.dump()) {
        expect(piece.length).toBeLessThan(100_000);
        break;
      }
    }
    await handle.transaction("write", (tx) => tx.run({ sql: "DELETE FROM t WHERE id = 1", params: [] }));
    const dump = handle.dump();
    await dump.next();
    await handle.close();
    await expect(dump.next()).rejects.toMatchObject({ code: "CLOSED" });
    expect(await dump.next()).toEqual({ done: true, value: undefined });
  });
});
