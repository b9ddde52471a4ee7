// Holds: whatever statements a libSQL client runs, alone, in batches and in transactions, the rows, names, counts,
// rowids and errors that it gets are SQLite's own, though they ran on whichever connection was free.
import { type Client, createClient, type InStatement, type ResultSet } from "@libsql/client";
import Database from "better-sqlite3";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parseTenantId } from "../src/tenant-id.ts";
import { runningServer } from "./support/running-server.ts";

const TABLES = [
  "CREATE TABLE a (x, y)",
  "CREATE TABLE b (x INTEGER, y TEXT UNIQUE)",
  "CREATE TABLE log (x, y)",
  "CREATE TABLE strictly (x INTEGER, y ANY) STRICT",
  "CREATE TABLE made (x, kind AS (typeof(x)) STORED)",
  "CREATE TABLE keyed (k TEXT PRIMARY KEY, v) WITHOUT ROWID",
  "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
  "CREATE TABLE child (now REFERENCES parent, later REFERENCES parent DEFERRABLE INITIALLY DEFERRED)",
  "CREATE VIRTUAL TABLE words USING fts5 (x)",
];

type Value = null | number | bigint | string | Uint8Array;

interface Statement {
  readonly sql: string;
  readonly args: readonly Value[];
}

type Step =
  | { readonly kind: "one"; readonly statement: Statement }
  | { readonly kind: "batch"; readonly statements: readonly Statement[] }
  | {
      readonly kind: "transaction";
      readonly statements: readonly Statement[];
      readonly end: "commit" | "rollback" | "close";
    };

const value: fc.Arbitrary<Value> = fc.oneof(
  fc.constantFrom<Value>(
    null,
    0,
    -1,
    0.5,
    1e300,
    5e-324,
    2n ** 63n - 1n,
    -(2n ** 63n),
    "",
    "a\0b",
    new Uint8Array(),
  ),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  // The client's JSON has no -0.
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
  fc.string({ unit: "grapheme" }),
  fc.uint8Array(),
);
const table = fc.constantFrom("a", "b");
const few = fc.integer({ min: 0, max: 3 });

/** `sql` of a table, with so many arguments. */
function ofTable(sql: (name: string) => string, many = 0): fc.Arbitrary<Statement> {
  return fc
    .tuple(table, fc.array(value, { minLength: many, maxLength: many }))
    .map(([name, args]) => ({ sql: sql(name), args }));
}

function fixed(...texts: readonly string[]): fc.Arbitrary<Statement> {
  return fc.constantFrom(...texts).map((sql) => ({ sql, args: [] }));
}

const statement: fc.Arbitrary<Statement> = fc.oneof(
  ofTable((name) => `INSERT INTO ${name} VALUES (?, ?)`, 2),
  ofTable((name) => `INSERT INTO ${name} VALUES (?, ?, ?)`, 3),
  ofTable((name) => `INSERT OR IGNORE INTO ${name} (y) VALUES (?)`, 1),
  ofTable((name) => `INSERT OR REPLACE INTO ${name} (x, y) VALUES (?, 'once')`, 1),
  ofTable((name) => `INSERT OR ROLLBACK INTO ${name} (x, y) VALUES (?, 'once')`, 1),
  ofTable((name) => `INSERT INTO ${name} (x, y) VALUES (?, ?) RETURNING rowid, *, typeof(x), y AS x`, 2),
  ofTable((name) => `UPDATE ${name} SET x = ? WHERE rowid % 2 = 0`, 1),
  ofTable((name) => `DELETE FROM ${name} WHERE rowid % 3 = 0 RETURNING rowid, x`),
  ofTable((name) => `SELECT rowid, *, typeof(x), quote(y) FROM ${name} ORDER BY rowid`),
  ofTable((name) => `SELECT count(*), total(x), max(y), group_concat(typeof(x)) FROM ${name}`),
  ofTable((name) => `EXPLAIN QUERY PLAN SELECT * FROM ${name} WHERE x = ?`, 1),
  ofTable((name) => `CREATE TABLE IF NOT EXISTS ${name} (x REAL, y)`),
  ofTable((name) => `DROP TABLE IF EXISTS ${name}`),
  ofTable((name) => `ALTER TABLE ${name} ADD COLUMN z TEXT DEFAULT 'z'`),
  ofTable((name) => `CREATE INDEX IF NOT EXISTS by_x ON ${name} (x)`),
  ofTable(
    (name) => `CREATE TRIGGER IF NOT EXISTS noted AFTER INSERT ON ${name} BEGIN
      INSERT INTO log VALUES (new.rowid, 'a;b'); UPDATE log SET y = y || '!' WHERE rowid = 1; END`,
  ),
  fixed("DROP TRIGGER IF EXISTS noted", "DROP INDEX IF EXISTS by_x", "SELECT * FROM log"),
  fixed(
    "SELEC 1",
    "SELECT nothing",
    "SELECT 1 AS x, 2 AS x, 'y' AS \"\"",
    "-- before\nSELECT /* in */ 1; -- after",
  ),
  fixed("SELECT x'00ff', 1e999, 0.1 + 0.2, 9223372036854775807, 'a' || char(0) || 'b', NULL"),
  fc.tuple(value, value).map((args) => ({ sql: "INSERT INTO strictly VALUES (?, ?) RETURNING *", args })),
  value.map((one) => ({ sql: "INSERT INTO made (x) VALUES (?) RETURNING *", args: [one] })),
  value.map((one) => ({ sql: "SELECT ? AS given, upper('x'), json('[1, 2.5]')", args: [one] })),
  fc.tuple(few, value).map(([key, one]) => ({
    sql: "INSERT INTO keyed VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v RETURNING *",
    args: [`key ${key}`, one],
  })),
  few.map((id) => ({ sql: "INSERT INTO parent VALUES (?)", args: [id] })),
  few.map((id) => ({ sql: "DELETE FROM parent WHERE id = ?", args: [id] })),
  fc.tuple(few, few).map((args) => ({ sql: "INSERT INTO child VALUES (?, ?)", args })),
  few.map((word) => ({ sql: "INSERT INTO words VALUES (?)", args: [`word ${word}`] })),
  fixed("SELECT rowid, highlight(words, 0, '<', '>') FROM words ('wor*')", "SELECT * FROM words ('\"')"),
);
/** One with other arguments each time: the server does not ask for each what it has asked for the last. */
const again: fc.Arbitrary<Statement[]> = fc
  .tuple(statement, fc.array(fc.array(value, { minLength: 3, maxLength: 3 }), { minLength: 2, maxLength: 5 }))
  .map(([{ sql, args }, others]) => others.map((other) => ({ sql, args: other.slice(0, args.length) })));
const nested = fixed("SAVEPOINT s", "ROLLBACK TO s", "RELEASE s");
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: fc.record({ kind: fc.constant("one" as const), statement }), weight: 3 },
  fc.record({
    kind: fc.constant("batch" as const),
    statements: fc
      .array(fc.oneof({ arbitrary: statement.map((one) => [one]), weight: 2 }, again), {
        minLength: 1,
        maxLength: 5,
      })
      .map((parts) => parts.flat()),
  }),
  fc.record({
    kind: fc.constant("transaction" as const),
    statements: fc.array(fc.oneof({ arbitrary: statement, weight: 5 }, nested), { maxLength: 5 }),
    end: fc.constantFrom("commit" as const, "rollback" as const, "close" as const),
  }),
);

/** What came of a step's statements, as far as it can be the same on two connections. */
type Outcome = { readonly error: string } | { readonly columns: readonly string[]; readonly rows: unknown };

const WRITES = /^(INSERT|UPDATE|DELETE)/;

function outcome(
  { sql }: Statement,
  columns: readonly string[],
  rows: readonly (readonly unknown[])[],
  changes: number,
  rowId: bigint | undefined,
): Outcome {
  const counts = WRITES.test(sql) && columns.length === 0;
  return {
    columns,
    rows: rows.map((row) => row.map(plain)),
    ...(counts && { changes }),
    // Where nothing was inserted it is the connection's last.
    ...(counts && changes > 0 && sql.startsWith("INSERT") && { rowId }),
  };
}

/** Numbers by their type and digits, bytes by their hexadecimal text. */
function plain(cell: unknown): unknown {
  if (typeof cell === "bigint") return `integer ${cell}`;
  if (cell instanceof ArrayBuffer || cell instanceof Uint8Array) {
    return `blob ${Buffer.from(cell as Uint8Array).toString("hex")}`;
  }
  return cell;
}

/** SQLite in this process, on one connection. */
class Bare {
  readonly #sqlite = new Database(":memory:");

  constructor() {
    this.#sqlite.exec("PRAGMA foreign_keys = ON");
    this.#sqlite.exec(TABLES.join(";"));
  }

  /** @returns `lostAfter` is after how many statements SQLite ended the step's transaction of its own accord, if so */
  step(step: Step): { readonly outcomes: readonly Outcome[]; readonly lostAfter?: number } {
    if (step.kind === "one") return { outcomes: [this.#run(step.statement)] };
    this.#sqlite.exec("BEGIN IMMEDIATE");
    const outcomes: Outcome[] = [];
    for (const one of step.statements) {
      const done = this.#run(one);
      outcomes.push(done);
      const stops = step.kind === "batch" && "error" in done;
      if (stops || !this.#sqlite.inTransaction) break;
    }
    const failed = outcomes.find((one) => "error" in one);
    const commits = step.kind === "batch" ? failed === undefined : step.end === "commit";
    const lost = !this.#sqlite.inTransaction;
    const ended = this.#end(commits);
    if (step.kind === "transaction") {
      return lost ? { outcomes, lostAfter: outcomes.length } : { outcomes: [...outcomes, ...ended] };
    }
    const error = failed ?? ended[0];
    return { outcomes: error ? [error] : outcomes };
  }

  /** @returns why it could not be committed, if so */
  #end(commits: boolean): readonly Outcome[] {
    if (!this.#sqlite.inTransaction) return [];
    const failure = this.#attempt(() => void this.#sqlite.exec(commits ? "COMMIT" : "ROLLBACK"));
    if (this.#sqlite.inTransaction) this.#sqlite.exec("ROLLBACK");
    return failure ? [failure] : [];
  }

  #run(one: Statement): Outcome {
    let done: Outcome | undefined;
    const failure = this.#attempt(() => {
      const prepared = this.#sqlite.prepare<unknown[]>(one.sql).safeIntegers();
      if (prepared.reader) {
        const rows = prepared.raw().all(...one.args) as unknown[][];
        done = outcome(
          one,
          prepared.columns().map(({ name }) => name),
          rows,
          0,
          undefined,
        );
      } else {
        const { changes, lastInsertRowid } = prepared.run(...one.args);
        done = outcome(one, [], [], changes, BigInt(lastInsertRowid));
      }
    });
    return failure ?? done!;
  }

  #attempt(call: () => void): { readonly error: string } | undefined {
    try {
      call();
      return undefined;
    } catch (error) {
      return { error: (error as Error).message };
    }
  }
}

/** A tenant, by its client. */
class Remote {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /** @param lostAfter as SQLite has it: the client itself does not see that its transaction has ended */
  async step(step: Step, lostAfter?: number): Promise<readonly Outcome[]> {
    if (step.kind === "one") return [await this.#run(this.#client, step.statement)];
    if (step.kind === "batch") {
      const done = await this.#attempt(() => this.#client.batch(step.statements.map(asked), "write"));
      if ("error" in done) return [done];
      return done.result.map((result, index) => this.#outcome(step.statements[index]!, result));
    }
    const transaction = await this.#client.transaction("write");
    try {
      const outcomes: Outcome[] = [];
      for (const one of step.statements.slice(0, lostAfter)) outcomes.push(await this.#run(transaction, one));
      if (lostAfter !== undefined) return outcomes;
      const ended = await this.#attempt(async () => transaction[step.end]());
      return "error" in ended ? [...outcomes, ended] : outcomes;
    } finally {
      transaction.close();
    }
  }

  async #run(on: { execute(one: InStatement): Promise<ResultSet> }, one: Statement): Promise<Outcome> {
    const done = await this.#attempt(() => on.execute(asked(one)));
    return "error" in done ? done : this.#outcome(one, done.result);
  }

  #outcome(one: Statement, { columns, rows, rowsAffected, lastInsertRowid }: ResultSet): Outcome {
    const lists = rows.map((row) => Array.from(row));
    return outcome(one, columns, lists, rowsAffected, lastInsertRowid);
  }

  async #attempt<T>(call: () => Promise<T>): Promise<{ readonly error: string } | { readonly result: T }> {
    try {
      return { result: await call() };
    } catch (error) {
      // The client puts codes before SQLite's words.
      return {
        error: (error as Error).message.replace(
          /^.*(?:SQLite (?:input )?error|could not be parsed|SQL input error): /s,
          "",
        ),
      };
    }
  }
}

function asked({ sql, args }: Statement): InStatement {
  return { sql, args: [...args] };
}

test.each([
  ["http", undefined],
  ["ws", undefined],
  ["http", { executors: 2 }],
  ["ws", { executors: 2 }],
] as const)("over %s, executors: %o", async (scheme, executors) => {
  const server = await runningServer({ tenants: [], ...(executors && { executors }) });
  let made = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40, size: "max" }), async (steps) => {
      const id = `run-${++made}`;
      await server.tenantry.lifecycle.create(parseTenantId(id));
      const client = createClient({
        url: `${scheme}://127.0.0.1:${server.port}/t/${id}/`,
        intMode: "bigint",
      });
      try {
        await client.batch(TABLES, "write");
        const bare = new Bare();
        const remote = new Remote(client);
        for (const one of steps) {
          const { outcomes, lostAfter } = bare.step(one);
          expect(await remote.step(one, lostAfter)).toEqual(outcomes);
        }
      } finally {
        client.close();
      }
    }),
    { numRuns: 60 },
  );
});
