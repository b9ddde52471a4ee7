// Owns what number 9 asks: the tables, the statements, and the bodies that @libsql/client sends for them.
// Sends nothing.
import type Database from "better-sqlite3";
import { READ_ONE } from "./fleet.ts";

/** Rows and columns of the large answer. */
const ROWS = 10_000;
export const READ_ROWS = "SELECT id, name, email, total, city FROM bench_rows";
/** One of a hundred. */
export const INSERT = "INSERT INTO bench_inserts (name, total) VALUES (?, ?)";
export const INSERTS = 100;

const TABLES = `
CREATE TABLE bench_rows (id INTEGER PRIMARY KEY, name TEXT, email TEXT, total REAL, city TEXT);
CREATE TABLE bench_inserts (id INTEGER PRIMARY KEY, name TEXT, total REAL);
CREATE TABLE bench_accounts (id INTEGER PRIMARY KEY, balance REAL);
INSERT INTO bench_accounts VALUES (1, 100), (2, 100);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})
INSERT INTO bench_rows
SELECT i, 'Customer number ' || i, 'customer' || i || '@example.com', i * 1.37, 'Bergen' FROM n;`;

/** Makes the tables of a tenant. */
export function makeTables(sqlite: Database.Database): void {
  sqlite.exec(TABLES);
}

const text = (value: string): object => ({ type: "text", value });
const float = (value: number): object => ({ type: "float", value });
const statement = (sql: string, args: readonly object[] = [], wantRows = true): object => ({
  sql,
  args,
  named_args: [],
  want_rows: wantRows,
});
const storedStatement = (sqlId: number, args: readonly object[]): object => ({
  sql_id: sqlId,
  args,
  named_args: [],
  want_rows: true,
});
const transaction = (sql: string): object => statement(sql, [], false);

/** One row, as a pipeline and as `/query` has it. */
export const ONE_ROW = {
  pipeline: pipeline({ type: "execute", stmt: statement(READ_ONE, [{ type: "integer", value: "1" }]) }),
  query: JSON.stringify({ sql: READ_ONE, params: [1] }),
} as const;

/** The large answer. */
export const MANY_ROWS: string = pipeline({ type: "execute", stmt: statement(READ_ROWS) });

/** What is inserted by the n-th of the hundred. */
export function insertOf(n: number): [name: string, total: number] {
  return [`Customer number ${n}`, n * 1.37];
}

/** A hundred inserts in a transaction, as a batch is sent. */
export const INSERT_BATCH: string = pipeline(
  { type: "store_sql", sql_id: 1, sql: INSERT },
  {
    type: "batch",
    batch: {
      steps: [
        { stmt: transaction("BEGIN IMMEDIATE") },
        ...Array.from({ length: INSERTS }, (_, n) => {
          const [name, total] = insertOf(n);
          return {
            condition: { type: "ok", step: n },
            stmt: storedStatement(1, [text(name), float(total)]),
          };
        }),
        { condition: { type: "ok", step: INSERTS }, stmt: transaction("COMMIT") },
        {
          condition: { type: "not", cond: { type: "ok", step: INSERTS + 1 } },
          stmt: transaction("ROLLBACK"),
        },
      ],
    },
  },
);

/** The statements of an interactive transaction. */
const TRANSACTION: readonly { readonly sql: string; readonly args: readonly object[] }[] = [
  { sql: "SELECT balance FROM bench_accounts WHERE id = 1", args: [] },
  { sql: "UPDATE bench_accounts SET balance = balance - ? WHERE id = 1", args: [float(1)] },
  { sql: "UPDATE bench_accounts SET balance = balance + ? WHERE id = 2", args: [float(1)] },
  { sql: INSERT, args: [text("moved"), float(1)] },
];

/** Requests that a client sends together, until one of them that runs a statement is answered. */
export type SocketTurn = readonly object[];

/** What a client says once on its socket, before its first transaction. */
export const STORE_TRANSACTION: SocketTurn = TRANSACTION.map(({ sql }, index) => ({
  type: "store_sql",
  sql_id: index,
  sql,
}));

/** A transaction of four statements as @libsql/client has it: its `BEGIN` travels with the first of them. */
export function clientTransaction(streamId: number): readonly SocketTurn[] {
  const batch = (...steps: readonly object[]): object => ({
    type: "batch",
    stream_id: streamId,
    batch: { steps },
  });
  const [first, ...others] = TRANSACTION.map(({ args }, index) => ({
    stmt: storedStatement(index, args),
  }));
  return [
    [
      { type: "open_stream", stream_id: streamId },
      batch({ stmt: transaction("BEGIN IMMEDIATE") }, { condition: { type: "ok", step: 0 }, ...first }),
    ],
    ...others.map((step) => [batch(step)]),
    endOf(streamId),
  ];
}

/** The same with each statement, and `BEGIN`, sent by itself. */
export function plainTransaction(streamId: number): readonly SocketTurn[] {
  const execute = (stmt: object): object => ({ type: "execute", stream_id: streamId, stmt });
  return [
    [{ type: "open_stream", stream_id: streamId }, execute(transaction("BEGIN IMMEDIATE"))],
    ...TRANSACTION.map(({ sql, args }) => [execute(statement(sql, args))]),
    endOf(streamId),
  ];
}

function endOf(streamId: number): SocketTurn {
  return [
    { type: "execute", stream_id: streamId, stmt: transaction("COMMIT") },
    { type: "close_stream", stream_id: streamId },
  ];
}

function pipeline(...requests: readonly object[]): string {
  return JSON.stringify({ requests: [...requests, { type: "close" }] });
}
