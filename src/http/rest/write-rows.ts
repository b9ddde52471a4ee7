// Owns answering POST, PUT, PATCH and DELETE: check, run in one transaction, write the answer.
// Compiles no SQL itself.
import type { HonoRequest } from "hono";
import { type AnswerFormat, answerFormat } from "./answer-format.ts";
import { findTable } from "./column-lookup.ts";
import { readRows } from "./json-body.ts";
import { appliedPreferences, parsePrefer, type Preferences } from "./prefer.ts";
import { notSingular } from "./read-rows.ts";
import { parseRestQuery } from "./rest-query.ts";
import { contentRange } from "./row-range.ts";
import { type OutputColumn, type Row, rowsText } from "./row-text.ts";
import {
  compileDelete,
  compileInsert,
  compilePut,
  compileUpdate,
  type Returning,
  type WritePlan,
} from "./write-plan.ts";
import type { SchemaCache } from "../../database/schema-cache.ts";
import type { Table } from "../../database/schema.ts";
import type { RunOptions, SqlRunner, Statement } from "../../drivers/driver.ts";
import { isTenantryError, TenantryError } from "../../tenantry-error.ts";
import type { RequestLimits } from "../env.ts";

export type WriteMethod = "POST" | "PUT" | "PATCH" | "DELETE";

/** A write, with what it needs from the context. */
export interface WriteRequest {
  readonly method: WriteMethod;
  readonly table: string;
  /** The path of the request, for `Location`. */
  readonly path: string;
  /** The query string without its `?`. */
  readonly query: string;
  readonly request: HonoRequest;
  readonly runner: SqlRunner;
  readonly schemaKey: string;
  readonly limits: RequestLimits;
  readonly exactIntegers: boolean;
}

interface Written {
  readonly rows: readonly Row[];
  readonly changes: number;
  /** Whether at least one row is new. */
  readonly inserted: boolean;
}

/** Answers a write. The schema is checked before, since a write cannot be taken back. */
export async function writeRows(schemas: SchemaCache, write: WriteRequest): Promise<Response> {
  const preferences = parsePrefer(write.request.header("prefer"));
  const format = answerFormat(write.request.header("accept"));
  const query = parseRestQuery(write.query);
  const rows = write.method === "DELETE" ? [] : await readRows(write.request, write.limits.maxBodyBytes);
  const { schema } = await schemas.current(write.schemaKey, write.runner);
  const table = findTable(schema, write.table);
  if (table.internal) {
    throw new TenantryError(
      "READ_ONLY",
      `"${table.name}" is an internal table: it can be read, not written.`,
    );
  }
  const returning: Returning =
    preferences.return === "representation"
      ? "selection"
      : preferences.return === "headers-only" && write.method === "POST" && rows.length === 1
        ? "key"
        : "nothing";
  const plan =
    write.method === "POST"
      ? compileInsert(table, query, preferences, rows, returning)
      : write.method === "PUT"
        ? compilePut(table, query, rows, returning)
        : write.method === "PATCH"
          ? compileUpdate(table, query, rows, returning)
          : compileDelete(table, query, returning);
  const single = format.type === "object" && returning === "selection";
  const written = await run(write, table, plan, preferences, single);
  return answer(write, table, plan.columns, written, preferences, format);
}

const OUR_FAILURE = /tenantry:affected=(\d+)/;

/** Makes the whole transaction fail, telling how many rows the statement before it changed, if `condition`. */
function guard(condition: string, params: readonly unknown[]): Statement {
  return {
    // of the ways to raise an error in plain SQL, the one whose message can carry a number
    sql: `SELECT json_extract('{}', 'tenantry:affected=' || changes()) WHERE changes() ${condition}`,
    params,
  };
}

async function run(
  write: WriteRequest,
  table: Table,
  plan: WritePlan,
  preferences: Preferences,
  single: boolean,
): Promise<Written> {
  if (single && plan.statements.length !== 1) throw notSingular(plan.statements.length);
  if (plan.statements.length === 0) return { rows: [], changes: 0, inserted: false };
  // INSTEAD OF triggers do a view's writes, and changes() does not count those
  const guarded = table.kind !== "view" && plan.statements.length === 1;
  const mayAffect =
    write.method === "PATCH" || write.method === "DELETE" ? preferences.maxAffected : undefined;
  const guards: Statement[] = [];
  if (guarded && single) guards.push(guard("<> 1", []));
  if (guarded && mayAffect !== undefined) guards.push(guard("> ?", [mayAffect]));
  const before = plan.existing === undefined ? [] : [plan.existing];
  const options: RunOptions = {
    maxRows: write.limits.maxRows,
    maxBytes: write.limits.maxResponseBytes,
    // rows of a write cannot be read a second time, so large integers are asked for at once
    ...(write.exactIntegers && plan.columns.length > 0 ? { integers: "bigint" as const } : {}),
  };
  const statements = [...before, ...plan.statements, ...guards];
  let results;
  try {
    results =
      statements.length === 1
        ? [await write.runner.run(statements[0] as Statement, options)]
        : await write.runner.batch(statements, options);
  } catch (error) {
    throw affectedError(error, single, mayAffect);
  }
  const own = results.slice(before.length, before.length + plan.statements.length);
  const rows = own.flatMap((result) => result.rows as Row[]);
  if (single && rows.length !== 1) throw notSingular(rows.length);
  const changes = own.reduce((sum, result) => sum + result.meta.changes, 0);
  const existing =
    plan.existing === undefined ? 0 : Number((results[0]?.rows[0] as Row | undefined)?.["n"] ?? 0);
  return { rows, changes: Math.max(changes, rows.length), inserted: changes > existing };
}

function affectedError(error: unknown, single: boolean, mayAffect: number | undefined): unknown {
  if (!isTenantryError(error, "SQL_ERROR")) return error;
  const found = OUR_FAILURE.exec(error.message);
  if (found === null) return error;
  const affected = Number(found[1]);
  if (single && affected !== 1) return notSingular(affected);
  return new TenantryError(
    "INVALID_ARGUMENT",
    `The request would change ${affected} rows, and max-affected is ${mayAffect}. Nothing was changed.`,
  );
}

function answer(
  write: WriteRequest,
  table: Table,
  columns: readonly OutputColumn[],
  written: Written,
  preferences: Preferences,
  format: AnswerFormat,
): Response {
  const { method } = write;
  const total = preferences.count === undefined ? undefined : written.changes;
  const headers: Record<string, string> = {
    "content-range": contentRange(0, method === "PATCH" ? written.changes : 0, total),
  };
  const applied = appliedPreferences(
    preferences,
    method === "POST"
      ? ["resolution", "missing", "return", "count", "handling"]
      : ["return", "count", "handling", "maxAffected"],
  );
  if (applied !== "") headers["preference-applied"] = applied;
  if (preferences.return === "headers-only" && written.rows.length === 1 && columns.length > 0) {
    headers["location"] = location(write.path, table, written.rows[0] as Row);
  }
  if (preferences.return === "representation") {
    headers["content-type"] = format.contentType;
    const created = method === "POST" || method === "PUT";
    const merged = method === "PUT" || preferences.resolution === "merge-duplicates";
    return new Response(rowsText(written.rows, columns, format), {
      status: created && (written.inserted || !merged) ? 201 : 200,
      headers,
    });
  }
  if (method !== "POST") return new Response(null, { status: 204, headers });
  const merged = preferences.resolution === "merge-duplicates" && !written.inserted;
  return new Response(null, { status: merged ? 200 : 201, headers });
}

function location(path: string, table: Table, row: Row): string {
  const filters = table.primaryKey.map(
    (name) => `${encodeURIComponent(name)}=eq.${encodeURIComponent(String(row[name]))}`,
  );
  return `${path}?${filters.join("&")}`;
}
