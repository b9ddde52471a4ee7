// Owns the process that makes a database of SQL text: it reads statement by statement, looks at each, and runs it.
// Is started by load-dump.ts, and by nobody else; load-dump-watch.ts ends it when it takes too long or is alone.
import { createReadStream } from "node:fs";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import Database from "better-sqlite3";
import { dumpStep, looksLikeSql } from "../../../sql/dump-rules.ts";
import { StatementStream } from "../../../sql/statement-stream.ts";
import { isTenantryError, TenantryError } from "../../../tenantry-error.ts";
import { fromSqlite } from "../sqlite-error.ts";
import type { LoadDumpJob, LoadDumpOutcome } from "./load-dump.ts";

const CHUNK_BYTES = 1024 * 1024;
const ENTER_VIRTUAL_TABLE =
  "INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES ('table', ?, ?, 0, ?)";

const { from, to, maxBytes, timeoutMs } = JSON.parse(process.argv[2] as string) as LoadDumpJob;
new Worker(new URL(`./load-dump-watch${extname(import.meta.filename)}`, import.meta.url), {
  workerData: timeoutMs,
}).unref();

const outcome = await load().catch(outcomeOf);
process.stdout.write(JSON.stringify(outcome), () => process.exit(0));

/** Whether the text has a transaction of its own, and whether that came to its end. */
type Transaction = "none" | "begun" | "committed";

async function load(): Promise<LoadDumpOutcome> {
  const sqlite = new Database(to);
  try {
    // Nobody sees the file before it is whole, and it is synced then. A dump enters what SQLite makes by itself.
    sqlite.unsafeMode(true);
    sqlite.exec("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF");
    sqlite.exec("PRAGMA trusted_schema = OFF");
    const statements = new StatementStream();
    let count = 0;
    const state: { transaction: Transaction } = { transaction: "none" };
    const decoder = new TextDecoder("utf-8", { fatal: true });
    const take = (part: string): void => {
      for (const statement of statements.push(part)) {
        count++;
        try {
          state.transaction = run(sqlite, statement, state.transaction, count);
        } catch (error) {
          throw inStatement(count, error);
        }
      }
    };
    for await (const chunk of createReadStream(from, { highWaterMark: CHUNK_BYTES })) {
      take(decode(decoder, chunk as Buffer));
    }
    take(decode(decoder));
    if (count === 0 && !looksLikeSql(statements.rest())) throw noDump();
    if (!isBlank(statements.rest()) || state.transaction === "begun") throw cutOff();
    if (sqlite.inTransaction) sqlite.exec("COMMIT");
    return { statements: count };
  } finally {
    sqlite.close();
  }
}

function run(sqlite: Database.Database, sql: string, transaction: Transaction, count: number): Transaction {
  // What is no dump at all may be any file of this machine: none of it is told.
  if (count === 1 && !looksLikeSql(sql)) throw noDump();
  const step = dumpStep(sql);
  switch (step.do) {
    case "skip":
      return transaction;
    case "begin":
      return "begun";
    case "commit":
      return "committed";
    case "virtual table":
      begin(sqlite);
      sqlite.pragma("writable_schema = ON");
      sqlite.prepare(ENTER_VIRTUAL_TABLE).run(step.name, step.name, step.sql);
      sqlite.pragma("writable_schema = OFF");
      return transaction;
    case "run":
      // The encoding can be chosen only while there is nothing, and no transaction.
      if (!/^\s*PRAGMA/i.test(step.sql)) begin(sqlite);
      runOne(sqlite, step.sql);
      return transaction;
  }
}

function runOne(sqlite: Database.Database, sql: string): void {
  const statement = sqlite.prepare(sql);
  // ANALYZE and some pragmas give rows.
  if (statement.reader) statement.all();
  else statement.run();
}

/** One transaction over all: a commit for each statement would take longer than the statement. */
function begin(sqlite: Database.Database): void {
  if (sqlite.inTransaction) return;
  if (maxBytes > 0) {
    const pageBytes = sqlite.pragma("page_size", { simple: true }) as number;
    sqlite.pragma(`max_page_count = ${Math.max(1, Math.floor(maxBytes / pageBytes))}`);
  }
  sqlite.exec("BEGIN");
}

function decode(decoder: InstanceType<typeof TextDecoder>, chunk?: Buffer): string {
  try {
    return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
  } catch (cause) {
    throw new TenantryError("IMPORT_INVALID", "The dump is not UTF-8.", {
      hint: "Bring a database with such text in as a file.",
      cause,
    });
  }
}

function isBlank(text: string): boolean {
  return dumpStepOrNothing(text) === "skip";
}

function dumpStepOrNothing(text: string): string {
  try {
    return dumpStep(text).do;
  } catch (error) {
    if (isTenantryError(error)) return "refused";
    throw error;
  }
}

function inStatement(count: number, cause: unknown): TenantryError {
  const error = fromSqlite(cause);
  if (error.code === "IMPORT_INVALID" || error.code === "DATABASE_FULL") return error;
  const words = error.cause instanceof Error ? error.cause.message : error.message;
  return new TenantryError("IMPORT_INVALID", `Statement ${count} of the dump: ${words}`, {
    ...(error.hint !== undefined && { hint: error.hint }),
    cause,
  });
}

function cutOff(): TenantryError {
  return new TenantryError("IMPORT_INVALID", "The dump is cut off: it does not come to its COMMIT.", {
    hint: "Make it again, and send all of it.",
  });
}

function noDump(): TenantryError {
  return new TenantryError("IMPORT_INVALID", "This is neither a SQLite database nor the SQL text of one.", {
    hint: "Send a SQLite file, or what GET …/dump or the sqlite3 shell's .dump wrote.",
  });
}

function outcomeOf(error: unknown): LoadDumpOutcome {
  const { code, message, hint } = fromSqlite(error);
  return { code, message, ...(hint !== undefined && { hint }) };
}
