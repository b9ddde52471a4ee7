// Holds: the columns that a connection gives with a statement's rows are those that SQLite has for it, whoever has
// changed the schema between two runs, in whatever way, and whether or not it was undone.
import { join } from "node:path";
import Database from "better-sqlite3";
import * as fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { Connection } from "../src/drivers/local/connection.ts";
import { connectionSettings } from "../src/drivers/local/connection-settings.ts";
import { KnownSql } from "../src/drivers/local/known-sql.ts";
import { lendConnection } from "../src/drivers/local/lend-connection.ts";
import { runScript } from "../src/drivers/local/run-script.ts";
import { tempFolder } from "./support/temp-folder.ts";

const READS = ["SELECT * FROM t", "SELECT v AS first, * FROM t", "SELECT count(*) FROM t"] as const;
const MAKE = "CREATE TABLE t (v TEXT); INSERT INTO t VALUES ('a')";
/** Rows are read one by one where they have a limit. */
const DETAILED = { rows: "arrays", details: true, maxRows: 10 } as const;

type Act = "loan" | "script" | "other" | "own";
type Step = { read: (typeof READS)[number] } | { sql: string } | { by: Act; anew: boolean };

const act = fc.constantFrom<Act>("loan", "script", "other", "own");
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ read: fc.constantFrom(...READS) }) },
  { weight: 2, arbitrary: fc.record({ sql: fc.constantFrom("BEGIN", "COMMIT", "ROLLBACK") }) },
  { weight: 2, arbitrary: fc.record({ by: act, anew: fc.constant(false) }) },
  { weight: 1, arbitrary: fc.record({ by: act, anew: fc.constant(true) }) },
);

/** A connection to a new file with a table `t` of one row, and another that is not Tenantry's. */
async function twoConnections(): Promise<{ connection: Connection; other: Database.Database }> {
  const path = join(await tempFolder(), "file.db");
  const other = new Database(path, { timeout: 0 });
  onTestFinished(() => void other.close());
  other.pragma("journal_mode = WAL");
  other.exec(MAKE);
  const connection = new Connection(path, {
    settings: connectionSettings({ durability: "normal", cacheBytes: 100_000, checkpointPages: 1000 }),
    statementCacheEntries: 10,
    maxBytes: 0,
    knownSql: new KnownSql(),
  });
  onTestFinished(() => connection.close());
  return { connection, other };
}

/** Changes the schema. */
function change(
  { connection, other }: Awaited<ReturnType<typeof twoConnections>>,
  by: Act,
  sql: string,
): void {
  if (by === "own") for (const each of sql.split(";")) connection.run(connection.prepare(each), []);
  else if (by === "loan") lendConnection(connection, (sqlite) => sqlite.exec(sql)).outcome();
  else if (by === "script") runScript(connection, { sql, after: [] });
  else other.exec(`BEGIN IMMEDIATE; ${sql}; COMMIT`);
}

function expectColumns(connection: Connection, sql: string): void {
  const prepared = connection.prepare(sql);
  const { columns, details } = connection.run(prepared, [], DETAILED);
  const exact = connection.sqlite.prepare(sql).columns();
  expect(columns).toEqual(exact.map(({ name }) => name));
  expect(details?.declaredTypes).toEqual(exact.map(({ type }) => type));
}

test("whatever happens between the runs", async () => {
  const both = await twoConnections();
  const { connection, other } = both;
  let names = 0;
  const take = (one: Step): void => {
    if ("read" in one) return expectColumns(connection, one.read);
    if ("sql" in one) {
      if ((one.sql === "BEGIN") !== connection.inTransaction) connection.run(connection.prepare(one.sql), []);
      return;
    }
    const { by, anew } = one;
    // Scripts and loans have the connection that nobody begins a transaction on.
    if (connection.inTransaction && (by === "loan" || by === "script")) return;
    const name = `c${++names}`;
    const sql = anew
      ? `DROP TABLE t; CREATE TABLE t (v BLOB, ${name}); INSERT INTO t (v) VALUES (1)`
      : `ALTER TABLE t ADD COLUMN ${name} INTEGER`;
    change(both, by, sql);
  };
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) => {
      connection.rollback();
      other.exec(`DROP TABLE t; ${MAKE}`);
      for (const one of steps) {
        try {
          take(one);
        } catch (error) {
          // One of the two is writing, or reads what was so before the other wrote.
          if (!/database is locked/.test(String(error))) throw error;
        }
      }
    }),
    { numRuns: 1000 },
  );
});

test.each<Act>(["loan", "script", "other", "own"])(
  "once they are remembered, and changed by: %s",
  async (by) => {
    const both = await twoConnections();
    const { connection } = both;
    const lists = [1, 2, 3].map(() => connection.run(connection.prepare(READS[0]), [], DETAILED).columns);
    expect(lists[2], "the same list again").toBe(lists[1]);
    change(both, by, "ALTER TABLE t RENAME COLUMN v TO w");
    for (let run = 1; run <= 3; run++) {
      const { columns } = connection.run(connection.prepare(READS[0]), [], DETAILED);
      expect(columns, `run ${run}`).toEqual(["w"]);
    }
  },
);

test("a change that is undone", async () => {
  const { connection } = await twoConnections();
  const run = (sql: string): readonly string[] =>
    connection.run(connection.prepare(sql), [], DETAILED).columns;
  const read = (): unknown[] => [1, 2, 3].map(() => run(READS[0]));
  expect(read()).toEqual([["v"], ["v"], ["v"]]);
  run("BEGIN");
  run("ALTER TABLE t RENAME COLUMN v TO w");
  expect(read()).toEqual([["w"], ["w"], ["w"]]);
  run("ROLLBACK");
  expect(read()).toEqual([["v"], ["v"], ["v"]]);
});

test("a script that fails behind a COMMIT of its own", async () => {
  const { connection } = await twoConnections();
  const names = (): readonly string[] => connection.run(connection.prepare(READS[0]), [], DETAILED).columns;
  expect([names(), names()]).toEqual([["v"], ["v"]]);
  const sql = "ALTER TABLE t RENAME COLUMN v TO w; COMMIT; SELECT * FROM missing";
  expect(() => runScript(connection, { sql, after: [] })).toThrow(/no such table: missing/);
  expect([names(), names()]).toEqual([["w"], ["w"]]);
});

test("a change while a statement runs is one for the next run alone", async () => {
  const { connection, other } = await twoConnections();
  const namesWhile = (sql: string): readonly string[] => {
    const sink = { begin: (): void => {}, row: (): number => (other.exec(sql), 1) };
    return connection.run(connection.prepare(READS[0]), [], { ...DETAILED, sink }).columns;
  };
  expect(namesWhile("ALTER TABLE t RENAME COLUMN v TO w")).toEqual(["v"]);
  expect(namesWhile("SELECT 1")).toEqual(["w"]);
  expect(namesWhile("ALTER TABLE t RENAME COLUMN w TO x")).toEqual(["w"]);
  expect(namesWhile("SELECT 1")).toEqual(["x"]);
});
