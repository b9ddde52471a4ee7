// Owns the protocol's requests as data: what comes as JSON is checked here, wholly, before any of it is done.
// Runs nothing. Properties that the protocol does not have are passed over, as it says.
import { malformed } from "./malformed.ts";
import { decodeValue, type HranaValue } from "./value.ts";

/** The text of SQL, or the number under which it is stored. */
export type SqlReference = string | number;

/** A statement with its arguments. */
export interface Stmt {
  readonly sql: SqlReference;
  readonly args: readonly HranaValue[];
  readonly namedArgs: readonly { readonly name: string; readonly value: HranaValue }[];
  readonly wantRows: boolean;
}

/** When a step of a batch is run. */
export type BatchCond =
  | { readonly type: "ok" | "error"; readonly step: number }
  | { readonly type: "not"; readonly cond: BatchCond }
  | { readonly type: "and" | "or"; readonly conds: readonly BatchCond[] }
  | { readonly type: "is_autocommit" };

/** Statements that run in order, each on its condition. */
export type Batch = readonly { readonly stmt: Stmt; readonly condition: BatchCond | undefined }[];

/** What is asked of a stream. */
export type StreamRequest =
  | { readonly type: "execute"; readonly stmt: Stmt }
  | { readonly type: "batch"; readonly batch: Batch }
  | { readonly type: "sequence"; readonly sql: SqlReference }
  | { readonly type: "describe"; readonly sql: SqlReference }
  | { readonly type: "store_sql"; readonly sqlId: number; readonly sql: string }
  | { readonly type: "close_sql"; readonly sqlId: number }
  | { readonly type: "get_autocommit" }
  | { readonly type: "close" };

/** The body of `/pipeline`. */
export interface PipelineBody {
  readonly baton: string | null;
  readonly requests: readonly StreamRequest[];
}

/** The body of `/cursor`. */
export interface CursorBody {
  readonly baton: string | null;
  readonly batch: Batch;
}

/** How deep conditions may lie in each other. */
const MAX_CONDITION_DEPTH = 100;

const NOTHING: readonly never[] = [];

/** @throws {TenantryError} `INVALID_ARGUMENT` */
export function parsePipeline(body: unknown): PipelineBody {
  const { baton, requests } = object(body, "The body");
  return { baton: parseBaton(baton), requests: list(requests, "requests").map(parseStreamRequest) };
}

/** @throws {TenantryError} `INVALID_ARGUMENT` */
export function parseCursor(body: unknown): CursorBody {
  const { baton, batch } = object(body, "The body");
  return { baton: parseBaton(baton), batch: parseBatch(batch) };
}

function parseBaton(baton: unknown): string | null {
  if (baton === null || baton === undefined || typeof baton === "string") return baton ?? null;
  throw malformed('"baton" is not a string.');
}

/** @throws {TenantryError} `INVALID_ARGUMENT` */
export function parseStreamRequest(value: unknown): StreamRequest {
  const request = object(value, "A request");
  const { type } = request;
  switch (type) {
    case "execute":
      return { type, stmt: parseStmt(request["stmt"]) };
    case "batch":
      return { type, batch: parseBatch(request["batch"]) };
    case "sequence":
    case "describe":
      return { type, sql: parseSql(request) };
    case "store_sql": {
      const { sql } = request;
      if (typeof sql !== "string") throw malformed('"sql" is not a string.');
      return { type, sqlId: parseId(request["sql_id"]), sql };
    }
    case "close_sql":
      return { type, sqlId: parseId(request["sql_id"]) };
    case "get_autocommit":
    case "close":
      return { type };
    default:
      throw malformed("Request type not recognized.");
  }
}

function parseStmt(value: unknown): Stmt {
  const stmt = object(value, "A statement");
  const { args, named_args: namedArgs, want_rows: wantRows } = stmt;
  if (wantRows !== undefined && wantRows !== null && typeof wantRows !== "boolean") {
    throw malformed('"want_rows" is not true or false.');
  }
  return {
    sql: parseSql(stmt),
    args: optionalList(args, "args").map(decodeValue),
    namedArgs: optionalList(namedArgs, "named_args").map((named) => {
      const { name, value: content } = object(named, "A named argument");
      if (typeof name !== "string") throw malformed("The name of an argument is not a string.");
      return { name, value: decodeValue(content) };
    }),
    wantRows: wantRows ?? true,
  };
}

function parseSql({ sql, sql_id: sqlId }: Record<string, unknown>): SqlReference {
  const byText = sql !== undefined && sql !== null;
  const byId = sqlId !== undefined && sqlId !== null;
  if (byText === byId) throw malformed("Either `sql` or `sql_id` are required, but not both.");
  if (byId) return parseId(sqlId);
  if (typeof sql === "string") return sql;
  throw malformed('"sql" is not a string.');
}

function parseId(id: unknown): number {
  if (typeof id === "number" && Number.isInteger(id) && Math.abs(id) <= 2 ** 31) return id;
  throw malformed('"sql_id" is not a 32-bit integer.');
}

/** @throws {TenantryError} `INVALID_ARGUMENT` */
export function parseBatch(value: unknown): Batch {
  return list(object(value, "A batch")["steps"], "steps").map((one, index) => {
    const { stmt, condition } = object(one, "A step");
    return {
      stmt: parseStmt(stmt),
      condition:
        condition === undefined || condition === null ? undefined : parseCondition(condition, index, 0),
    };
  });
}

/** @param before a condition may ask about the steps before its own only */
function parseCondition(value: unknown, before: number, depth: number): BatchCond {
  if (depth > MAX_CONDITION_DEPTH) throw malformed("Conditions lie too deep in each other.");
  const { type, step, cond, conds } = object(value, "A condition");
  switch (type) {
    case "ok":
    case "error":
      if (typeof step !== "number" || !Number.isInteger(step) || step < 0 || step >= before) {
        throw malformed("Invalid reference to step in a batch condition.");
      }
      return { type, step };
    case "not":
      return { type, cond: parseCondition(cond, before, depth + 1) };
    case "and":
    case "or":
      return { type, conds: list(conds, "conds").map((one) => parseCondition(one, before, depth + 1)) };
    case "is_autocommit":
      return { type };
    default:
      throw malformed("BatchCond type not recognized.");
  }
}

function optionalList(value: unknown, name: string): readonly unknown[] {
  return value === undefined || value === null ? NOTHING : list(value, name);
}

function list(value: unknown, name: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw malformed(`"${name}" is not a list.`);
}

function object(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw malformed(`${what} is not an object.`);
}
