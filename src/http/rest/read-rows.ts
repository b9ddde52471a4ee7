// Owns answering GET and HEAD: plan, run, notice a changed schema, write the answer.
// Compiles no SQL itself.
import { type AnswerFormat, answerFormat } from "./answer-format.ts";
import { findTable } from "./column-lookup.ts";
import { appliedPreferences, parsePrefer, type Preferences } from "./prefer.ts";
import { compileRead, type ReadPlan } from "./read-plan.ts";
import { parseRestQuery, scanRestQuery, type ScannedQuery } from "./rest-query.ts";
import { ALL_ROWS, contentRange, rangeStatus, type RowRange, rowRange } from "./row-range.ts";
import { hasInexactInteger, type Row, rowsText } from "./row-text.ts";
import type { KnownSchema, SchemaCache } from "../../database/schema-cache.ts";
import type { RunOptions, SqlRunner } from "../../drivers/driver.ts";
import { TenantryError } from "../../tenantry-error.ts";
import type { RequestLimits } from "../env.ts";
import { RecentMap } from "../../recent-map.ts";

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
  const plans = new RecentMap<string, ReadPlan>({ maxEntries: maxPlans });

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
    const found = request.head
      ? await count(plan, scanned.values, range, request, wish)
      : await find(plan, scanned.values, range, request, wish);
    return answer(plan, found, range, request, wish);
  }

  return async (request) => {
    const wish = readWish(request);
    const { runner, schemaKey } = request;
    const known = schemas.peek(schemaKey);
    if (known !== undefined) {
      // The rows are asked for first and the check right after them, rather than one waiting for the other: what
      // was known still holds almost always, and what was read under a schema that does not is thrown away.
      const attempted = attempt(known, request, wish);
      const check = schemas.isCurrent(known, runner);
      let response: Response | undefined;
      let failure: unknown;
      try {
        response = await attempted;
      } catch (error) {
        failure = error;
      }
      if (await check) {
        if (response !== undefined) return response;
        if (known.version !== undefined || !mayBeStale(failure)) throw failure;
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

const ONE_ROW: RunOptions = { readOnly: true, first: true };
const COUNT: RunOptions = { readOnly: true };

async function find(
  plan: ReadPlan,
  values: readonly string[],
  range: RowRange,
  request: ReadRequest,
  wish: Wish,
): Promise<Found> {
  const { runner, limits } = request;
  const statement = plan.rows(values, range);
  const counted = wish.preferences.count !== undefined;
  const withCount = counted && range !== ALL_ROWS;
  let options: RunOptions =
    plan.single && !withCount
      ? ONE_ROW
      : { readOnly: true, maxRows: limits.maxRows, maxBytes: limits.maxResponseBytes };
  for (;;) {
    const results = withCount
      ? await runner.batch([statement, plan.count(values)], options)
      : [await runner.run(statement, options)];
    const rows = (results[0]?.rows ?? []) as Row[];
    if (options.integers === undefined && request.exactIntegers && hasInexactInteger(rows)) {
      options = { ...options, integers: "bigint" };
      continue;
    }
    const total = withCount ? countIn(results[1]) : counted ? rows.length : undefined;
    return { rows, count: rows.length, total };
  }
}

/** HEAD: how many rows there would be. */
async function count(
  plan: ReadPlan,
  values: readonly string[],
  range: RowRange,
  request: ReadRequest,
  wish: Wish,
): Promise<Found> {
  const total = countIn(await request.runner.run(plan.count(values), COUNT));
  const count = Math.max(0, Math.min(total - range.offset, range.limit ?? Number.POSITIVE_INFINITY));
  return { rows: [], count, total: wish.preferences.count === undefined ? undefined : total };
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
  if (request.head) return new Response(null, { status, headers });
  const body = rowsText(found.rows, plan.columns, format);
  // one row is read without counting its bytes
  if (plan.single && body.length > request.limits.maxResponseBytes) {
    throw new TenantryError(
      "RESPONSE_TOO_LARGE",
      `The row is larger than ${request.limits.maxResponseBytes} bytes.`,
      { hint: "Name fewer columns in select." },
    );
  }
  return new Response(body, { status, headers });
}

/** What `application/vnd.pgrst.object+json` is answered when there is not exactly one row. */
export function notSingular(count: number): TenantryError {
  return new TenantryError("NOT_SINGULAR", `One row was asked for as an object, and there are ${count}.`, {
    hint: "Ask for application/json to get an array, or filter by a unique column.",
  });
}
