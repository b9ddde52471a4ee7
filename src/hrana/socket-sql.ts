// Owns putting a socket's stored SQL into its requests: what runs them knows texts only.
// Stores nothing.
import { malformed } from "./malformed.ts";
import { int32, type JsonObject, objectOf } from "./socket-message.ts";
import type { StoredSql } from "./stored-sql.ts";

/** The request with its SQL, where it names it by a number. */
export function withSql(request: JsonObject, stored: StoredSql): JsonObject {
  switch (request["type"]) {
    case "execute":
      return { ...request, stmt: statementWithSql(request["stmt"], stored) };
    case "batch":
      return { ...request, batch: batchWithSql(request["batch"], stored) };
    case "get_autocommit":
      return request;
    default:
      return statementWithSql(request, stored);
  }
}

/** The batch with its SQL. */
export function batchWithSql(value: unknown, stored: StoredSql): JsonObject {
  const batch = objectOf(value, "A batch");
  const { steps } = batch;
  if (!Array.isArray(steps)) throw malformed('"steps" is not a list.');
  return {
    ...batch,
    steps: steps.map((one: unknown) => {
      const step = objectOf(one, "A step");
      return { ...step, stmt: statementWithSql(step["stmt"], stored) };
    }),
  };
}

function statementWithSql(value: unknown, stored: StoredSql): JsonObject {
  const statement = objectOf(value, "A statement");
  const { sql_id: sqlId } = statement;
  if (sqlId === undefined || sqlId === null) return statement;
  if (statement["sql"] !== undefined && statement["sql"] !== null) {
    throw malformed("Either `sql` or `sql_id` are required, but not both.");
  }
  return { ...statement, sql_id: null, sql: stored.text(int32(sqlId, "sql_id")) };
}
