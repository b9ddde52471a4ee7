// The guard's word held against SQLite's: hostile statements, made at random, on a real database file.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { guardStatement } from "../src/sql/guard.ts";
import type { Inspection } from "../src/sql/inspect-statement.ts";
import { isTenantryError } from "../src/tenantry-error.ts";

const WATCHED = (
  "application_id auto_vacuum automatic_index busy_timeout cache_size cache_spill cell_size_check " +
  "checkpoint_fullfsync encoding foreign_keys fullfsync hard_heap_limit ignore_check_constraints " +
  "journal_mode journal_size_limit legacy_alter_table locking_mode max_page_count mmap_size page_size " +
  "query_only read_uncommitted recursive_triggers reverse_unordered_selects secure_delete " +
  "soft_heap_limit synchronous temp_store threads trusted_schema user_version wal_autocheckpoint writable_schema"
).split(" ");

let folder: string;
let sqlite: Database.Database;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tenantry-guard-"));
  sqlite = new Database(join(folder, "tenant.db"));
  sqlite.pragma("journal_mode = WAL");
  sqlite.exec(`
    CREATE TABLE d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP);
    INSERT INTO d1_migrations (name) VALUES ('0001_a.sql'), ('0002_b.sql');
    CREATE TABLE a (x INTEGER PRIMARY KEY, y);
    INSERT INTO a VALUES (1, 'one'), (2, 'two');
    CREATE VIEW v AS SELECT * FROM a;
  `);
});

afterAll(() => {
  sqlite.close();
  rmSync(folder, { recursive: true });
});

/** What no admitted statement may change. */
function guarded(): unknown {
  return {
    // SQLite opens its own temporary database when it likes to; that nothing is in it is checked below.
    databases: sqlite.prepare("SELECT name, file FROM pragma_database_list WHERE name <> 'temp'").all(),
    pragmas: WATCHED.map((name) => [name, sqlite.pragma(name)]),
    journal: sqlite.prepare("SELECT * FROM d1_migrations").all(),
    journalSchema: sqlite.prepare("SELECT * FROM sqlite_schema WHERE tbl_name = 'd1_migrations'").all(),
    temporary: sqlite.prepare("SELECT * FROM sqlite_temp_schema").all(),
  };
}

function admitted(sql: string): Inspection | undefined {
  try {
    return guardStatement(sql);
  } catch (error) {
    if (isTenantryError(error)) return undefined;
    throw error;
  }
}

/** Prepares and runs, as far as a few rows. */
function tryOut(sql: string): { prepared: Database.Statement | undefined; error: unknown } {
  let prepared: Database.Statement | undefined;
  let error: unknown;
  try {
    prepared = sqlite.prepare(sql);
    const rows = prepared.reader ? prepared.iterate() : (prepared.run(), []);
    let left = 5;
    for (const row of rows) if (!row || --left === 0) break;
  } catch (caught) {
    error = caught;
  }
  return { prepared, error };
}

const space = fc.constantFrom(" ", "\n", "\t", "/**/", "--\n", "\uFEFF ", " \v", "/* ; */", " /*'*/ ");
const journal = fc.constantFrom(
  "d1_migrations",
  '"d1_migrations"',
  "[D1_MIGRATIONS]",
  "`d1_migrations`",
  "'d1_migrations'",
  "main.'d1_migrations'",
  "main.d1_migrations",
  '"main" . "D1_migrations"',
);
const table = fc.oneof(journal, fc.constantFrom("a", "v", "'a'", "main.a", "temp.a", "sqlite_schema", "b"));
const value = fc.constantFrom("1", "'x'", "'d1_migrations'", "x", "NULL", "?", "(SELECT 1)", "'a;b'", "x''");
const read = fc.oneof(
  fc.tuple(fc.constantFrom("SELECT", "SELECT DISTINCT"), value, fc.constant("FROM"), table),
  fc.tuple(fc.constant("VALUES ("), value, fc.constant(")")),
  fc.tuple(
    fc.constant("SELECT * FROM"),
    fc.constantFrom(
      ...["optimize", "database_list", "table_info('a')", "journal_mode"].map((p) => `pragma_${p}`),
    ),
  ),
);
const write = fc.oneof(
  fc.tuple(fc.constantFrom("DELETE FROM", "DROP TABLE", "DROP TABLE IF EXISTS", "ANALYZE", "REINDEX"), table),
  fc.tuple(
    fc.constantFrom("INSERT INTO", "REPLACE INTO", "INSERT OR IGNORE INTO"),
    table,
    fc.constantFrom("VALUES (NULL,", "SELECT NULL, (", "VALUES (NULL, NULL, "),
    value,
    fc.constant(")"),
  ),
  fc.tuple(
    fc.constantFrom("UPDATE", "UPDATE OR REPLACE"),
    table,
    fc.constantFrom("SET name =", "SET y =", "AS temp SET y ="),
    value,
  ),
  fc.tuple(fc.constant("ALTER TABLE"), table, fc.constant("RENAME TO"), table),
  fc.tuple(
    fc.constantFrom("CREATE TABLE", "CREATE TEMP TABLE", "CREATE TABLE IF NOT EXISTS"),
    table,
    fc.constant("(y, z)"),
  ),
  fc.tuple(fc.constant("CREATE INDEX i ON"), table, fc.constantFrom("(name)", "(y)")),
  fc.tuple(
    fc.constantFrom(
      "CREATE TRIGGER t AFTER INSERT ON a BEGIN",
      "CREATE TRIGGER t INSTEAD OF INSERT ON v BEGIN",
    ),
    fc.constantFrom("DELETE FROM", "INSERT INTO a(y) SELECT 1 FROM"),
    table,
    fc.constantFrom("; END", "; SELECT CASE WHEN 1 THEN 2 END; END"),
  ),
  fc.tuple(
    fc.constant("CREATE VIRTUAL TABLE"),
    table,
    fc.constantFrom("USING fts5(y)", "USING dbstat", "USING rtree(i,p,q)"),
  ),
);
const pragma = fc
  .tuple(
    fc.constantFrom(...WATCHED, "wal_checkpoint", "table_info", "integrity_check", "data_version"),
    fc.constantFrom("", "main.", "temp.", '"main".'),
    fc.constantFrom("", "=1", "=0", "(2)", "=OFF", "=-5", "='DELETE'", "(memory)", "=main.x"),
  )
  .map(([name, schema, set]) => [`PRAGMA`, `${schema}${name}${set}`]);
const reach = fc.constantFrom(
  ["ATTACH", "':memory:'", "AS x"],
  ["ATTACH DATABASE", "''", "AS temp2"],
  ["DETACH main"],
  ["VACUUM"],
  ["BEGIN"],
  ["COMMIT"],
  ["SAVEPOINT", "s"],
);
const core = fc.oneof(read, write, pragma, reach).map((parts) => parts as string[]);
const cte = fc.constantFrom(
  ["WITH", "c AS (SELECT 1)"],
  ["WITH RECURSIVE", "c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c LIMIT 3)", ", d AS (VALUES (1))"],
  ["WITH", "replace AS MATERIALIZED (SELECT ')')"],
);
const prefix = fc.oneof(
  { weight: 4, arbitrary: fc.constant([] as string[]) },
  fc.constantFrom(["EXPLAIN"], ["EXPLAIN", "QUERY PLAN"], [";"], [";;"]),
  cte,
);
const suffix = fc.oneof(
  { weight: 4, arbitrary: fc.constant([] as string[]) },
  fc.constantFrom(
    [";"],
    [";", ";"],
    ["; SELECT 2"],
    ["; ATTACH ':memory:' AS y"],
    ["; DELETE FROM d1_migrations"],
    ["-- ; x"],
  ),
);
const mixCase = fc.constantFrom(
  (s: string) => s,
  (s: string) => s.toLowerCase(),
  (s: string) => s.replace(/[a-z]/g, (c) => (c < "m" ? c.toUpperCase() : c)),
);
const statement = fc
  .tuple(prefix, core, suffix, fc.array(space, { minLength: 1, maxLength: 3 }), mixCase)
  .map(([before, parts, after, spaces, fold]) => {
    const words = [...before, ...parts, ...after];
    return fold(words.map((word, i) => spaces[i % spaces.length] + word).join(""));
  });

test("a statement that is admitted attaches nothing, changes no setting and leaves the journal alone", () => {
  const before = guarded();
  let ran = 0;
  fc.assert(
    fc.property(statement, (sql) => {
      const inspection = admitted(sql);
      if (inspection === undefined) return;
      sqlite.exec("SAVEPOINT trial");
      const { prepared, error } = tryOut(sql);
      if (error === undefined) ran++;
      const after = guarded();
      if (sqlite.inTransaction) sqlite.exec("ROLLBACK TO trial; RELEASE trial");
      expect(after).toEqual(before);
      expect(guarded()).toEqual(before);
      if (prepared && inspection.needs === "read") expect(prepared.readonly).toBe(true);
      if (prepared && inspection.kind === "read") expect(prepared.readonly).toBe(true);
      if (prepared && inspection.kind === "write") expect(prepared.readonly).toBe(false);
    }),
    { numRuns: 4_000 },
  );
  expect(ran).toBeGreaterThan(300);
});

test("a setting that is admitted changes nothing even outside of a transaction", () => {
  const before = guarded();
  fc.assert(
    fc.property(fc.tuple(pragma, mixCase, space), ([parts, fold, between]) => {
      const sql = fold(parts.join(between));
      if (admitted(sql) === undefined) return;
      tryOut(sql);
      expect(guarded()).toEqual(before);
    }),
    { numRuns: 1_000 },
  );
});

test("the guard counts statements as SQLite does", () => {
  const harmless = fc.constantFrom(
    "SELECT 1",
    "SELECT ';'",
    'SELECT "x" FROM a',
    "INSERT INTO a(y) VALUES (';')",
    "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; SELECT CASE 1 WHEN 1 THEN 2 END; END",
    "EXPLAIN CREATE TRIGGER t AFTER UPDATE ON a BEGIN DELETE FROM a; END",
    "",
    " ",
    "-- ;\n",
    "/* ; */",
    "\uFEFFSELECT 1",
  );
  fc.assert(
    fc.property(fc.array(harmless, { maxLength: 4 }), (statements) => {
      const sql = statements.join(";");
      const tail = sql.slice(sql.indexOf(";"));
      // better-sqlite3 itself takes a byte order mark behind the first statement for a second one.
      fc.pre(!tail.includes("\uFEFF"));
      const counted = countBySqlite(sql);
      expect(countByGuard(sql)).toBe(counted);
    }),
    { numRuns: 1_000 },
  );
});

function countBySqlite(sql: string): "none" | "one" | "many" {
  try {
    sqlite.prepare(sql);
    return "one";
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return error.message.includes("more than one") ? "many" : "none";
  }
}

function countByGuard(sql: string): "none" | "one" | "many" {
  try {
    guardStatement(sql);
    return "one";
  } catch (error) {
    if (isTenantryError(error, "SQL_MANY_STATEMENTS")) return "many";
    if (isTenantryError(error, "SQL_NO_STATEMENT")) return "none";
    throw error;
  }
}
