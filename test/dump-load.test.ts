// Holds: SQL text becomes a database in a process of its own, exactly and as a whole, or not at all; and nothing that it
// says reaches past that database, or keeps anybody else waiting.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadDump } from "../src/drivers/local/dump/load-dump.ts";
import type { LoadDumpOptions } from "../src/drivers/driver.ts";
import { splitStatements } from "../src/sql/split-statements.ts";
import { StatementStream } from "../src/sql/statement-stream.ts";
import { tempFolder } from "./support/temp-folder.ts";

async function load(text: string | Uint8Array, options?: LoadDumpOptions): Promise<Database.Database> {
  const dir = await tempFolder();
  const from = join(dir, "dump.sql");
  writeFileSync(from, text);
  await loadDump(from, join(dir, "made.db"), options);
  return new Database(join(dir, "made.db"));
}

const refused = (text: string | Uint8Array, options?: LoadDumpOptions): Promise<unknown> =>
  load(text, options).then(
    () => "loaded",
    (error: { code: string; message: string }) => `${error.code} ${error.message}`,
  );

const MADE = "CREATE TABLE t (a);";

describe("loading a dump", () => {
  test("takes what the sqlite3 shell, and what other hands, write", async () => {
    const sqlite = await load(`\uFEFF-- by hand; with a comment
      /* and another; */ PRAGMA foreign_keys=OFF;
      BEGIN TRANSACTION;
      CREATE TABLE IF NOT EXISTS "parents" (id INTEGER PRIMARY KEY AUTOINCREMENT, [odd ; name] TEXT DEFAULT ';');
      CREATE TABLE children (parent INT REFERENCES parents);
      INSERT INTO children VALUES(7);
      INSERT INTO parents VALUES(1,replace('a\\nb','\\n',char(10))),(2,X'00ff'),(3,1e999),(4,'it''s; "so"');
      INSERT OR REPLACE INTO parents (id) VALUES (1);
      DELETE FROM sqlite_sequence; INSERT INTO sqlite_sequence VALUES('parents',40);
      CREATE TABLE d1_migrations (id INTEGER PRIMARY KEY, name TEXT, applied_at TEXT);
      INSERT INTO d1_migrations VALUES(1,'0001_init.sql','x');
      PRAGMA writable_schema=ON;
      INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('table','docs','docs',0,'CREATE VIRTUAL TABLE docs USING fts5(body)');
      CREATE TABLE 'docs_data'(id INTEGER PRIMARY KEY, block BLOB);
      CREATE TRIGGER noted AFTER INSERT ON parents BEGIN
        INSERT INTO children VALUES (new.id); SELECT CASE WHEN 1 THEN 2 END; DELETE FROM children WHERE parent = -1;
      END;
      CREATE VIEW seen AS SELECT * FROM parents;
      PRAGMA writable_schema=OFF;
      PRAGMA user_version=7;
      COMMIT;
      -- the end`);
    expect(sqlite.prepare("SELECT count(*) FROM seen").pluck().get()).toBe(4);
    expect(sqlite.prepare("SELECT parent FROM children").pluck().all()).toEqual([7]);
    expect(sqlite.prepare("SELECT seq FROM sqlite_sequence").pluck().get()).toBe(40);
    expect(sqlite.pragma("user_version", { simple: true })).toBe(7);
    sqlite.exec("INSERT INTO parents DEFAULT VALUES");
    expect(sqlite.prepare("SELECT parent FROM children").pluck().all()).toEqual([7, 41]);
    sqlite.close();
  });

  test("refuses what is no dump without a word of it", async () => {
    for (const text of [
      "",
      "  -- nothing\n;;",
      "root:x:0:0:root:/root:/bin/bash\n",
      "secret=hunter2; more=hunter3;\n",
      "SELECT 'hunter2';",
      "\0\0\0\0",
      '{"secret": "hunter2"}',
    ]) {
      const said = await refused(text);
      expect(said).toMatch(/^IMPORT_INVALID /);
      expect(said).not.toMatch(/hunter|root|secret/);
    }
    expect(await refused(Buffer.from([0x43, 0x52, 0xff, 0xfe, 0x3b]))).toMatch(/^IMPORT_INVALID .*not UTF-8/);
  });

  test("refuses one that is cut off, and one of a database that could not be read", async () => {
    const whole = `PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n${MADE}\nINSERT INTO t VALUES('x;y');\nCOMMIT;\n`;
    (await load(whole)).close();
    for (const length of [whole.length - 3, whole.length - 9, whole.length - 14, whole.length - 20]) {
      expect(await refused(whole.slice(0, length))).toMatch(/^IMPORT_INVALID The dump is cut off/);
    }
    expect(await refused(whole.replace("COMMIT", "ROLLBACK"))).toMatch(
      /^IMPORT_INVALID Statement 5 .*ROLLBACK/,
    );
  });

  test("refuses what reaches past its database, says which statement it was, and leaves nothing", async () => {
    for (const [sql, why] of [
      ["ATTACH '/tmp/other.db' AS other", /ATTACH/],
      ["DETACH main", /DETACH/],
      ["VACUUM INTO '/tmp/other.db'", /VACUUM/],
      ["SELECT load_extension('x')", /load_extension|SELECT/],
      ["INSERT INTO t SELECT load_extension('x')", /load_extension/],
      ["CREATE VIRTUAL TABLE f USING csv(filename='/etc/passwd')", /csv/],
      ["CREATE VIRTUAL TABLE d USING dbstat(main)", /dbstat/],
      ["CREATE TEMP TABLE x (a)", /[Tt]emporary/],
      ["PRAGMA journal_mode=WAL", /journal_mode/],
      ["PRAGMA temp_store_directory='/tmp'", /temp_store_directory/],
      ["PRAGMA user_version(7)", /user_version/],
      ["UPDATE sqlite_schema SET sql = 'x'", /sqlite_schema/],
      ["UPDATE OR IGNORE main.sqlite_master SET sql = 'x'", /sqlite_schema/],
      ["DELETE FROM sqlite_schema", /sqlite_schema/],
      ["INSERT INTO sqlite_schema VALUES('table','x','x',5,'CREATE TABLE x (a)')", /sqlite_schema/],
      [
        "INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('table','x','x',5,'CREATE VIRTUAL TABLE x USING fts5(a)')",
        /sqlite_schema/,
      ],
      [
        "INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('table','x','x',0,'CREATE TABLE x (a)')",
        /virtual tables/,
      ],
      [
        "INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('table','x','x',0,'CREATE VIRTUAL TABLE x USING csv(a)')",
        /csv/,
      ],
      [
        "INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('trigger','x','x',0,'CREATE VIRTUAL TABLE x USING fts5(a)')",
        /sqlite_schema/,
      ],
      ["INSERT INTO sqlite_dbpage VALUES (1, zeroblob(4096))", /sqlite_dbpage/],
      ["WITH x AS (SELECT 1) INSERT INTO sqlite_schema SELECT 1,2,3,4,5", /may not be modified/],
      ["SAVEPOINT x", /SAVEPOINT/],
      ["SELECT 1", /SELECT/],
      ["SELEC", /SELEC/],
      ["INSERT INTO nowhere VALUES (1)", /no such table/],
      ["CREATE TABLE s (a INT) STRICT; INSERT INTO s VALUES ('x')", /cannot store TEXT/],
    ] as const) {
      const said = await refused(`${MADE} ${sql};`);
      expect(said, sql).toMatch(/^IMPORT_INVALID Statement [23] of the dump: /);
      expect(said, sql).toMatch(why);
    }
  });

  test("ends a statement that does not end, a row that does not fit, and a database that grows too large", async () => {
    const endless = `INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < 0`;
    expect(await refused(`${MADE} ${endless};`, { timeoutMs: 1_500 })).toMatch(/^STATEMENT_TIMEOUT/);
    // by a trigger, too
    const byTrigger = `CREATE TRIGGER x AFTER INSERT ON t BEGIN ${endless}; END; INSERT INTO t VALUES (1)`;
    expect(await refused(`${MADE} ${byTrigger};`, { timeoutMs: 1_500 })).toMatch(/^STATEMENT_TIMEOUT/);
    expect(
      await refused(`${MADE} INSERT INTO t VALUES (zeroblob(100000000));`, { maxBytes: 1_000_000 }),
    ).toMatch(/^DATABASE_FULL/);
    expect(await refused(`${MADE} INSERT INTO t VALUES (zeroblob(2000000000));`)).toMatch(
      /^IMPORT_INVALID .*too big/,
    );
  });
});

test("statements are found in parts of any size as they are in the whole", () => {
  const piece = fc.constantFrom(
    "CREATE TABLE t (a);",
    "INSERT INTO t VALUES ('a;''b', \"c;\", `d;`, [e;], X'00');",
    "-- a comment; with a semicolon\n",
    "/* another; */",
    "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; SELECT ';'; END;",
    "create temp trigger if not exists y delete on t begin delete from t; end ;",
    "INSERT INTO t VALUES ('CREATE TRIGGER z BEGIN');",
    ";",
    " \n",
    "- / * x",
  );
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 12 }),
      fc.array(fc.nat(200), { maxLength: 30 }),
      (pieces, cuts) => {
        const text = `${pieces.join("")};`;
        const stream = new StatementStream();
        const found: string[] = [];
        let at = 0;
        for (const cut of [...cuts, text.length]) {
          found.push(...stream.push(text.slice(at, at + cut)));
          at += cut;
        }
        const texts = found.flatMap((one) => splitStatements(one));
        expect(texts).toEqual(splitStatements(text));
        expect(found.join("") + stream.rest()).toBe(text);
      },
    ),
  );
  expect(() => [...new StatementStream(10).push("x".repeat(11))]).toThrow(/longer than 10/);
});
