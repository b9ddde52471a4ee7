// Owns SQL over HTTP: `POST …/query` with one statement, `POST …/batch` with several, all or none.
// Does not choose the tenant or the caller; the guard decides which SQL may run at all.
import { Hono } from "hono";
import { toResult } from "../database/tenant-database.ts";
import type { RunOptions, Statement } from "../drivers/driver.ts";
import type { Guard } from "../sql/guard.ts";
import { TenantryError } from "../tenantry-error.ts";
import type { RequestLimits, TenantryEnv } from "./env.ts";
import { readJson } from "./read-body.ts";

/** What the statements of one request may be. */
export interface QueryRoutesOptions {
  readonly guard: Guard;
  /** Parameters of one statement. */
  readonly maxParameters: number;
  /** Statements of one batch. */
  readonly maxBatchStatements: number;
}

/** `POST /query` and `POST /batch`. */
export function queryRoutes({
  guard,
  maxParameters,
  maxBatchStatements,
}: QueryRoutesOptions): Hono<TenantryEnv> {
  const admit = (
    c: { get: (key: "authorize") => TenantryEnv["Variables"]["authorize"] },
    statement: Statement,
  ): boolean => {
    if (statement.params.length > maxParameters) throw tooManyParameters(maxParameters);
    const { needs } = guard.admit(statement.sql);
    c.get("authorize")(needs);
    return needs === "read";
  };

  return new Hono<TenantryEnv>()
    .post("/query", async (c) => {
      const limits = c.get("limits");
      const statement = asStatement(await readJson(c.req, limits.maxBodyBytes), "The body");
      const readOnly = admit(c, statement);
      return c.json(toResult(await c.get("runner").run(statement, runOptions(limits, readOnly))));
    })
    .post("/batch", async (c) => {
      const limits = c.get("limits");
      const statements = asStatements(await readJson(c.req, limits.maxBodyBytes));
      if (statements.length > maxBatchStatements) {
        throw new TenantryError(
          "INVALID_ARGUMENT",
          `A batch holds at most ${maxBatchStatements} statements.`,
          {
            hint: "Send several batches.",
          },
        );
      }
      const readOnly = statements.map((statement) => admit(c, statement)).every(Boolean);
      const results = await c.get("runner").batch(statements, runOptions(limits, readOnly));
      return c.json(results.map((result) => toResult(result)));
    });
}

function runOptions({ maxRows, maxResponseBytes }: RequestLimits, readOnly: boolean): RunOptions {
  return { readOnly, maxRows, maxBytes: maxResponseBytes };
}

function asStatements(body: unknown): Statement[] {
  const list = Array.isArray(body) ? body : isObject(body) ? body["statements"] : undefined;
  if (!Array.isArray(list) || list.length === 0) {
    throw new TenantryError("INVALID_ARGUMENT", "The body is not a list of statements.", {
      hint: 'Send [{"sql": "…", "params": […]}, …].',
    });
  }
  return list.map((one: unknown, index) => asStatement(one, `Statement ${index}`));
}

function asStatement(value: unknown, what: string): Statement {
  if (!isObject(value) || typeof value["sql"] !== "string") {
    throw new TenantryError("INVALID_ARGUMENT", `${what} has no "sql" that is a string.`, {
      hint: 'Send {"sql": "SELECT …", "params": []}.',
    });
  }
  const { sql, params = [], ...rest } = value;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) {
    throw new TenantryError(
      "INVALID_ARGUMENT",
      `${what} has an unknown property ${JSON.stringify(unknown)}.`,
      {
        hint: 'A statement has "sql" and "params".',
      },
    );
  }
  if (!Array.isArray(params)) {
    throw new TenantryError("INVALID_ARGUMENT", `"params" of ${what.toLowerCase()} is not a list.`, {
      hint: "Parameters are positional: one value for each ?.",
    });
  }
  return { sql: sql as string, params };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function tooManyParameters(max: number): TenantryError {
  return new TenantryError("TOO_MANY_PARAMETERS", `A statement takes at most ${max} parameters.`, {
    hint: "Send the rows in several statements, or as one JSON text read by json_each(?).",
  });
}
