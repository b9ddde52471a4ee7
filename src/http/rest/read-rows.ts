// Owns answering GET and HEAD: plan, run, notice a changed schema, write the answer.
// Compiles no SQL itself.
import { LRUCache } from "lru-cache";
import { type AnswerFormat, answerFormat } from "./answer-format.ts";
import { findTable } from "./column-lookup.ts";
import { appliedPreferences, parsePrefer, type Preferences } from "./prefer.ts";
import { compileRead, type ReadPlan } from "./read-plan.ts";
import { parseRestQuery, scanRestQuery, type ScannedQuery } from "./rest-query.ts";
import { contentRange, rangeStatus, type RowRange, rowRange } from "./row-range.ts";
import { hasInexactInteger, type Row, rowsText } from "./row-text.ts";
import type { KnownSchema, SchemaCache } from "../../database/schema-cache.ts";
import type { RunOptions, SqlRunner } from "../../drivers/driver.ts";
import { TenantryError } from "../../tenantry-error.ts";
import type { RequestLimits } from "../env.ts";

/** A GET or HEAD, with what it needs from the context. */
export interface ReadRequest {
  readonly table: string;
  /** The query string without its `?`. */
  readonly query: string;
  readonly head: boolean;
  readonly header: (name: string) => string | undefined;
  readonly runner: SqlRunner;
  readonly schemaKey: string;
  readonly limits: RequestLimits;
  readonly exactIntegers: boolean;
}

interface Found {
  readonly rows: readonly Row[];
  readonly count: number;
  readonly total: number | undefined;
}

/** Makes the function that answers reads. Plans are remembered by schema, table and shape of the query. */
export function createReader(
  schemas: SchemaCache,
  maxPlans: number,
): (request: ReadRequest) => Promise<Response> {
  const plans = new LRUCache<string, ReadPlan>({ max: maxPlans });

  function planOf(known: KnownSchema, request: ReadRequest): { plan: ReadPlan; scanned: ScannedQuery } {
    const scanned = scanRestQuery(request.query);
    const key = scanned === undefined ? "" : `${known.id}\n${request.table}\n${scanned.shape}`;
    if (scanned !== undefined) {
      const plan = plans.get(key);
      if (plan !== undefined) return { plan, scanned };
    }
    const table = findTable(known.schema, request.table);
    const query = parseRestQuery(request.query);
    const plan = compileRead(table, query);
    if (scanned !== undefined) plans.set(key, plan);
    return { plan, scanned: scanned ?? { shape: "", ...query } };
  }

  async function attempt(known: KnownSchema, request: ReadRequest, wish: Wish): Promise<Response> {
    const { plan, scanned } = planOf(known, request);
    const range = rowRange(scanned.limit, scanned.offset, wish.range, wish.rangeUnit);
    const found = await find(plan, scanned.values, range, request, wish);
    return answer(plan, found, range, request, wish);
  }

  return async (request) => {
    const wish = readWish(request);
    const { runner, schemaKey } = request;
    const known = schemas.peek(schemaKey);
    if (known !== undefined) {
      // Asked side by side rather than one after the other: what was known still holds almost always, and what
      // was read under a schema that no longer does is thrown away.
      const [current, outcome] = await Promise.all([
        schemas.isCurrent(known, runner),
        attempt(known, request, wish).then(
          (response) => ({ response }),
          (error: unknown) => ({ error }),
        ),
      ]);
      if (current) {
        if ("response" in outcome) return outcome.response;
        if (known.version !== undefined || !mayBeStale(outcome.error)) throw outcome.error;
      }
    }
    return attempt(await schemas.load(schemaKey, runner), request, wish);
  };
}

/** Whether an error could come from a schema that is trusted by its age alone. */
function mayBeStale(error: unknown): boolean {
  return (
    error instanceof TenantryError &&
    (error.code === "TABLE_NOT_FOUND" || error.code === "COLUMN_NOT_FOUND" || error.code === "SQL_ERROR")
  );
}

/** What the headers ask for. */
interface Wish {
  readonly format: AnswerFormat;
  readonly preferences: Preferences;
  readonly range: string | undefined;
  readonly rangeUnit: string | undefined;
}

function readWish({ header }: ReadRequest): Wish {
  const range = header("range");
  return {
    format: answerFormat(header("accept")),
    preferences: parsePrefer(header("prefer")),
    range,
    rangeUnit: range === undefined ? undefined : header("range-unit"),
  };
}

async function find(
  plan: ReadPlan,
  values: readonly string[],
  range: RowRange,
  request: ReadRequest,
  wish: Wish,
): Promise<Found> {
  const { runner, limits } = request;
  const counted = wish.preferences.count !== undefined;
  if (request.head) {
    const total = countIn(await runner.run(plan.count(values), { readOnly: true }));
    const count = Math.max(0, Math.min(total - range.offset, range.limit ?? Number.POSITIVE_INFINITY));
    return { rows: [], count, total: counted ? total : undefined };
  }
  const options: RunOptions = { readOnly: true, maxRows: limits.maxRows, maxBytes: limits.maxResponseBytes };
  const statement = plan.rows(values, range);
  const read = async (options: RunOptions): Promise<Found> => {
    if (counted && (range.limit !== undefined || range.offset > 0)) {
      const [rows, count] = await runner.batch([statement, plan.count(values)], options);
      const found = (rows?.rows ?? []) as Row[];
      return { rows: found, count: found.length, total: countIn(count) };
    }
    const rows = (await runner.run(statement, options)).rows as Row[];
    return { rows, count: rows.length, total: counted ? rows.length : undefined };
  };
  const found = await read(options);
  return request.exactIntegers && hasInexactInteger(found.rows)
    ? read({ ...options, integers: "bigint" })
    : found;
}

function countIn(result: { readonly rows: readonly unknown[] } | undefined): number {
  return Number((result?.rows[0] as { n?: unknown } | undefined)?.n ?? 0);
}

function answer(plan: ReadPlan, found: Found, range: RowRange, request: ReadRequest, wish: Wish): Response {
  const { format, preferences } = wish;
  const status = rangeStatus(range.offset, found.count, found.total);
  if (format.type === "object" && found.count !== 1) throw notSingular(found.count);
  const headers: Record<string, string> = {
    "content-type": format.contentType,
    "content-range": contentRange(range.offset, found.count, found.total),
  };
  const applied = appliedPreferences(preferences, ["count", "handling"]);
  if (applied !== "") headers["preference-applied"] = applied;
  const body = request.head ? null : rowsText(found.rows, plan.columns, format);
  return new Response(body, { status, headers });
}

/** What `application/vnd.pgrst.object+json` is answered when there is not exactly one row. */
export function notSingular(count: number): TenantryError {
  return new TenantryError("NOT_SINGULAR", `One row was asked for as an object, and there are ${count}.`, {
    hint: "Ask for application/json to get an array, or filter by a unique column.",
  });
}
